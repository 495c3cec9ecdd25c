/**
 * The last configuration that was in force, on disk: a proxy that is started while the control plane
 * is away serves from it.
 *
 *   STATE/snapshot.json     {"sha256": of the text of the snapshot, "snapshot": its JSON text}
 *   STATE/modules/<hex>     Wasm artefacts by digest
 *   STATE/keys/<hex>        private keys of its certificates, by the digest of their public half
 */
import type { Log } from "../../core/log.ts";
import type { NodeRef, Snapshot } from "../../control/schema/snapshot.ts";
import { keyName } from "../tls/mod.ts";
import { ensureFolder, readIfThere, removeIfThere, sha256, writeWhole } from "./files.ts";

/** More than this is not read: no snapshot or module is so large. */
export const MAX_STATE_BYTES = 64 * 1024 * 1024;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

export class LastGood {
  readonly #dir: string;
  readonly #log: Log;
  /** Writes one after the other: the newest is the last. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  static async open(dir: string, log: Log): Promise<LastGood> {
    await ensureFolder(`${dir}/modules`);
    await ensureFolder(`${dir}/keys`);
    return new LastGood(dir, log);
  }

  /** What was in force last, for `node`; null when there is nothing of use, and then the log says why. */
  async read(node: NodeRef): Promise<Snapshot | null> {
    const path = this.#path();
    const bytes = await readIfThere(path);
    if (bytes === null) return null;
    const found = bytes.length > MAX_STATE_BYTES ? "it is too large" : await decode(bytes);
    const problem = typeof found === "string" ? found : otherNode(found.node, node);
    if (problem === null) return found as Snapshot;
    this.#log.warn("state.ignored", {
      file: path,
      reason: problem,
      hint: "the control plane sends a new one; nothing has to be done",
    });
    return null;
  }

  /** Keeps what is in force now, and only the modules and keys it names. A failure is logged: traffic goes on. */
  write(snapshot: Snapshot): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const text = JSON.stringify(snapshot);
      const hash = await sha256(new TextEncoder().encode(text));
      const file = JSON.stringify({ sha256: hash, snapshot: text });
      await writeWhole(this.#path(), new TextEncoder().encode(file));
      await this.#prune(snapshot);
    }).catch((error: unknown) => this.#notWritten(this.#path(), error));
    return this.#writing;
  }

  #notWritten(file: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.error("state.not_written", { file, reason });
  }

  /** A module's bytes, whose digest has been checked; null when they are not there or damaged. */
  async readModule(digest: string): Promise<Uint8Array<ArrayBuffer> | null> {
    const path = this.#digestPath("modules", digest);
    const bytes = await readIfThere(path);
    if (bytes === null) return null;
    if (`sha256:${await sha256(bytes)}` === digest) return bytes;
    this.#log.warn("state.ignored", {
      file: path,
      reason: "its content is not what its name says",
    });
    await removeIfThere(path);
    return null;
  }

  /** `bytes` have been checked to be what `digest` says. A failure is logged: the module runs from memory. */
  async writeModule(digest: string, bytes: Uint8Array): Promise<void> {
    const file = this.#digestPath("modules", digest);
    await writeWhole(file, bytes).catch((error: unknown) => this.#notWritten(file, error));
  }

  /** A private key by name, PEM; null when it is not there or is another one. */
  async readKey(name: string): Promise<string | null> {
    const path = this.#digestPath("keys", name);
    const bytes = await readIfThere(path);
    if (bytes === null) return null;
    const pem = new TextDecoder().decode(bytes);
    if (keyName(pem) === name) return pem;
    this.#log.warn("state.ignored", { file: path, reason: "it is not the key its name says" });
    await removeIfThere(path);
    return null;
  }

  /** Readable by its owner only. A failure is logged: the key serves from memory. */
  async writeKey(name: string, pem: string): Promise<void> {
    const file = this.#digestPath("keys", name);
    const bytes = new TextEncoder().encode(pem);
    await writeWhole(file, bytes).catch((error: unknown) => this.#notWritten(file, error));
  }

  async #prune(snapshot: Snapshot): Promise<void> {
    const certificates = snapshot.listeners.flatMap((one) => one.certificates ?? []);
    await this.#keepOnly("modules", snapshot.modules.map((one) => one.digest));
    await this.#keepOnly("keys", certificates.map((one) => one.key));
  }

  async #keepOnly(folder: "modules" | "keys", names: readonly string[]): Promise<void> {
    const wanted = new Set(names.map((name) => name.slice("sha256:".length)));
    for await (const { name } of Deno.readDir(`${this.#dir}/${folder}`)) {
      if (!wanted.has(name)) await removeIfThere(`${this.#dir}/${folder}/${name}`);
    }
  }

  #path(): string {
    return `${this.#dir}/snapshot.json`;
  }

  #digestPath(folder: "modules" | "keys", digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (hex === undefined) throw new TypeError(`"${digest}" is not a digest`);
    return `${this.#dir}/${folder}/${hex}`;
  }
}

async function decode(bytes: Uint8Array): Promise<Snapshot | string> {
  try {
    const { sha256: hash, snapshot } = JSON.parse(new TextDecoder().decode(bytes));
    const text = new TextEncoder().encode(String(snapshot));
    if (await sha256(text) !== hash) return "it is damaged: its checksum does not fit";
    return JSON.parse(snapshot) as Snapshot;
  } catch {
    return "it is damaged: it does not hold what this proxy writes";
  }
}

function otherNode(found: NodeRef, wanted: NodeRef): string | null {
  const same = found.kind === wanted.kind && found.namespace === wanted.namespace &&
    found.name === wanted.name;
  if (same) return null;
  return `it is for ${found.kind} "${found.namespace}/${found.name}", this is ` +
    `${wanted.kind} "${wanted.namespace}/${wanted.name}"`;
}
