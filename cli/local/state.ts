/**
 * What a local mesh keeps in its folder (`.denim`): one lock, remembered ports, and `local.json` while it runs.
 *
 *   run.lock        held by the kernel while the mesh runs: a killed mesh leaves no lock behind
 *   local.json      where everything is, for the CLI and for people; only while the mesh runs
 *   admin.token     what the CLI proves itself with; only while the mesh runs
 *   ports.json      ports of the last start
 *   data/           the control plane's store, CA and modules
 *   proxies/NAME/   last good snapshot and identity of each proxy
 *   logs/NAME.log
 */
import { explained, LocalError } from "./explain.ts";

/** `local.json`, as the design fixes it. */
export interface LocalMesh {
  readonly control: string;
  readonly dashboard: string;
  readonly marketplace: string;
  readonly gateway: string;
  readonly trustBundle: string;
  readonly services: readonly LocalService[];
}

export interface LocalService {
  readonly name: string;
  readonly identity: string;
  readonly outbound: string;
  readonly inbound: string;
  readonly admin: string;
  readonly app: string;
  readonly pid: number;
}

/** What `--fresh` removes: the mesh's own state, never caches or reports of others. */
const STATE: readonly string[] = [
  "data",
  "proxies",
  "logs",
  "filters",
  "ports.json",
  "local.json",
  "admin.token",
];

export class StateFolder {
  readonly path: string;
  #lock: Deno.FsFile | null = null;

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder and takes its lock; `fresh` empties it. */
  static open(path: string, options: { readonly fresh: boolean }): StateFolder {
    const folder = new StateFolder(path);
    explained(path, () => Deno.mkdirSync(path, { recursive: true, mode: 0o700 }));
    folder.#takeLock();
    try {
      if (options.fresh) folder.#empty();
      for (const name of ["data", "proxies", "logs", "filters"]) {
        const place = folder.file(name);
        explained(place, () => Deno.mkdirSync(place, { recursive: true, mode: 0o700 }));
        explained(place, () => probe(place));
      }
    } catch (problem) {
      folder[Symbol.dispose]();
      throw problem;
    }
    return folder;
  }

  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Ports of the last start; a damaged file is told and stops the start, because URLs people noted would change. */
  readPorts(): Record<string, number> {
    const path = this.file("ports.json");
    const text = readIfThere(path);
    if (text === null) return {};
    try {
      const value: unknown = JSON.parse(text);
      if (isPorts(value)) return value;
    } catch {
      // Told below.
    }
    throw new LocalError(
      `The state file ${path} is damaged: it should hold ports by name. ` +
        `Remove it to get new ports, or start with --fresh to begin with an empty mesh`,
    );
  }

  writePorts(ports: Readonly<Record<string, number>>): void {
    writeWhole(this.file("ports.json"), ports);
  }

  writeLocal(mesh: LocalMesh): void {
    writeWhole(this.file("local.json"), mesh);
  }

  /** Forgets what only a running mesh has, and gives the lock back. */
  [Symbol.dispose](): void {
    if (this.#lock === null) return;
    removeIfThere(this.file("local.json"));
    removeIfThere(this.file("admin.token"));
    // While the lock is still held, so that nobody's new lock file is removed.
    removeIfThere(this.file("run.lock"));
    this.#lock.close();
    this.#lock = null;
  }

  #takeLock(): void {
    const path = this.file("run.lock");
    for (;;) {
      const lock = explained(
        path,
        () => Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 }),
      );
      if (!lock.tryLockSync(true)) {
        lock.close();
        throw new LocalError(alreadyRuns(path, this.file("local.json")));
      }
      if (isStill(path, lock)) {
        lock.truncateSync();
        lock.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
        this.#lock = lock;
        return;
      }
      // Its owner removed the file between our opening and our locking: that lock guards nothing.
      lock.close();
    }
  }

  #empty(): void {
    for (const name of STATE) {
      const path = this.file(name);
      explained(path, () => removeIfThere(path));
    }
  }
}

function isStill(path: string, file: Deno.FsFile): boolean {
  try {
    return Deno.statSync(path).ino === file.statSync().ino;
  } catch (problem) {
    if (problem instanceof Deno.errors.NotFound) return false;
    throw problem;
  }
}

function alreadyRuns(lock: string, local: string): string {
  const pid = (readIfThere(lock) ?? "").trim();
  const where = gatewayOf(readIfThere(local));
  return `A mesh already runs from this folder (process ${
    pid === "" ? "unknown" : pid
  }${where}). ` +
    `Use that one, stop it (Ctrl-C there, or: kill ${pid === "" ? "PID" : pid}), ` +
    `or start a second one elsewhere with --dir`;
}

function gatewayOf(text: string | null): string {
  try {
    const value: unknown = JSON.parse(text ?? "");
    if (typeof value === "object" && value !== null && "gateway" in value) {
      return `, gateway ${String(value.gateway)}`;
    }
  } catch {
    // It may be starting just now; the process id is enough.
  }
  return "";
}

function probe(folder: string): void {
  const path = `${folder}/.probe`;
  Deno.writeTextFileSync(path, "");
  Deno.removeSync(path);
}

function readIfThere(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (problem) {
    if (problem instanceof Deno.errors.NotFound) return null;
    return explained(path, () => {
      throw problem;
    });
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (problem) {
    if (!(problem instanceof Deno.errors.NotFound)) throw problem;
  }
}

/** Replaces the file whole: a reader sees the old content or the new, never half of it. */
function writeWhole(path: string, value: unknown): void {
  const next = `${path}.next`;
  Deno.writeTextFileSync(next, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  Deno.renameSync(next, path);
}

function isPorts(value: unknown): value is Record<string, number> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((port) => Number.isInteger(port) && port > 0 && port < 65_536);
}
