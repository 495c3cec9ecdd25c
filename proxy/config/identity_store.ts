/** The proxy's key and certificate on disk, so that it can be started again while the control plane is away. */
import type { Log } from "../../core/log.ts";
import type { IdentityMaterial } from "../tls/mod.ts";
import { MeshIdentity } from "../tls/mod.ts";
import { ensureFolder, readIfThere, removeIfThere, writeWhole } from "./files.ts";

const FILE = "identity.json";
const OTHERS = 0o077;

/** The identity kept in `dir`; null when there is none of use, and then the log says why. */
export async function readIdentity(
  dir: string,
  expected: string,
  options: { readonly log: Log; readonly nowMs: () => number },
): Promise<MeshIdentity | null> {
  const path = `${dir}/${FILE}`;
  const bytes = await readIfThere(path);
  if (bytes === null) return null;
  const ignore = (reason: string, hint: string): null => {
    options.log.warn("identity.ignored", { file: path, reason, hint });
    return null;
  };
  const { mode } = await Deno.stat(path);
  if (mode !== null && (mode & OTHERS) !== 0) {
    return ignore("others than its owner may read it, so its key is no secret", JOIN);
  }
  const material = decode(bytes);
  if (material === null) return ignore("it is damaged", JOIN);
  try {
    const identity = new MeshIdentity(material, { nowMs: options.nowMs });
    if (identity.id === expected) return identity;
    return ignore(`it is that of "${identity.id}", this proxy is "${expected}"`, JOIN);
  } catch (error) {
    // Expired, most likely: the proxy was stopped for longer than its certificate lives.
    return ignore(error instanceof Error ? error.message : String(error), JOIN);
  }
}

export async function writeIdentity(dir: string, material: IdentityMaterial): Promise<void> {
  await ensureFolder(dir);
  const text = JSON.stringify(material, null, 2);
  await writeWhole(`${dir}/${FILE}`, new TextEncoder().encode(`${text}\n`));
}

/** The file of a proxy that runs: changes come one after the other, and one that fails is logged. */
export class IdentityFile {
  readonly #dir: string;
  readonly #log: Log;
  #work: Promise<void> = Promise.resolve();

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  write(material: IdentityMaterial): void {
    this.#next(() => writeIdentity(this.#dir, material));
  }

  /** The next start joins anew. */
  remove(): void {
    this.#next(() => removeIfThere(`${this.#dir}/${FILE}`));
  }

  /** Resolves when every change so far was made. */
  settled(): Promise<void> {
    return this.#work;
  }

  #next(change: () => Promise<void>): void {
    this.#work = this.#work.then(change).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error("state.not_written", { file: FILE, reason });
    });
  }
}

const JOIN = "the proxy joins anew, for which it needs a fresh join token";

function decode(bytes: Uint8Array): IdentityMaterial | null {
  try {
    const { trustDomain, keyPem, chainPem, bundle } = JSON.parse(new TextDecoder().decode(bytes));
    const texts = [trustDomain, keyPem, chainPem, ...bundle];
    if (!Array.isArray(bundle) || texts.some((one) => typeof one !== "string")) return null;
    return { trustDomain, keyPem, chainPem, bundle };
  } catch {
    return null;
  }
}
