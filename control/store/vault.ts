/**
 * Private keys of Secrets, sealed in the store: whoever has only the database has none of them.
 *
 *   DATA/vault.key       256 bits, readable by its owner only; belongs into a backup of its own
 *   keys/<hex>           nonce and AES-256-GCM of the PEM, bound to the key's name
 */
import { ConflictError, type Store, StoreError } from "./store.ts";

export const VAULT_LIMITS = {
  /** Beyond it those no kept revision names are let go. */
  keys: 1000,
} as const;
const PREFIX = "keys/";
const NONCE_BYTES = 12, KEY_BYTES = 32;
const OTHERS = 0o077;

export class Vault {
  readonly #store: Store;
  readonly #key: CryptoKey;

  private constructor(store: Store, key: CryptoKey) {
    this.#store = store;
    this.#key = key;
  }

  /** Opens with the key in `file`, which is made when it is not there. */
  static async open(store: Store, file: string): Promise<Vault> {
    const bytes = await readKeyFile(file) ?? await makeKeyFile(file);
    const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, [
      "encrypt",
      "decrypt",
    ]);
    return new Vault(store, key);
  }

  async has(name: string): Promise<boolean> {
    return await this.#store.get(placeOf(name)) !== null;
  }

  /** The PEM, null when there is none. Rejects when it was sealed with another vault.key. */
  async get(name: string): Promise<string | null> {
    const entry = await this.#store.get(placeOf(name));
    if (entry === null) return null;
    const sealed = Uint8Array.fromBase64(entry.value);
    try {
      const opened = await crypto.subtle.decrypt(
        { ...bound(name), iv: sealed.slice(0, NONCE_BYTES) },
        this.#key,
        sealed.slice(NONCE_BYTES),
      );
      return new TextDecoder().decode(opened);
    } catch {
      throw new StoreError(
        `Cannot open the private key "${name}": it was sealed with another vault.key. ` +
          "Restore that file from its backup, or apply the Secret again",
      );
    }
  }

  /** Keeps keys by name; `named` gives the names any revision may still want, asked for when there are many. */
  async put(
    keys: ReadonlyMap<string, string>,
    named: () => Promise<ReadonlySet<string>>,
  ): Promise<void> {
    if (keys.size === 0) return;
    await this.#makeRoom(keys, named);
    for (const [name, pem] of keys) {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const text = new TextEncoder().encode(pem);
      const sealed = await crypto.subtle.encrypt({ ...bound(name), iv }, this.#key, text);
      const value = new Uint8Array([...iv, ...new Uint8Array(sealed)]).toBase64();
      const before = await this.#store.get(placeOf(name));
      await this.#store.put(placeOf(name), value, before?.revision ?? null)
        .catch((error: unknown) => {
          if (!(error instanceof ConflictError)) throw error; // another control plane has just kept it
        });
    }
  }

  async #makeRoom(
    keys: ReadonlyMap<string, string>,
    named: () => Promise<ReadonlySet<string>>,
  ): Promise<void> {
    const { entries } = await this.#store.list(PREFIX);
    const fresh = [...keys.keys()].filter((name) =>
      !entries.some((entry) => entry.key === placeOf(name))
    );
    let count = entries.length + fresh.length;
    if (count <= VAULT_LIMITS.keys) return;
    const wanted = new Set([...await named(), ...keys.keys()].map(placeOf));
    for (const { key, revision } of entries) {
      if (wanted.has(key)) continue;
      await this.#store.delete(key, revision);
      count--;
    }
    if (count > VAULT_LIMITS.keys) throw new VaultFullError();
  }
}

/** More private keys than a mesh may have. */
export class VaultFullError extends Error {
  constructor() {
    super(
      `Nothing was applied: the Secrets of this mesh and its revisions have more than ` +
        `${VAULT_LIMITS.keys} private keys. Delete Secrets that are not used`,
    );
    this.name = "VaultFullError";
  }
}

function placeOf(name: string): string {
  return PREFIX + name.slice("sha256:".length);
}

/** A sealed key moved under another name does not open. */
function bound(name: string) {
  return { name: "AES-GCM", additionalData: new TextEncoder().encode(name) };
}

async function readKeyFile(file: string): Promise<Uint8Array<ArrayBuffer> | null> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const { mode } = await Deno.stat(file);
  if (mode !== null && (mode & OTHERS) !== 0) {
    throw new StoreError(
      `Cannot use "${file}": others than its owner may read or write it. Run: chmod 600 "${file}"`,
    );
  }
  if (bytes.length === KEY_BYTES) return bytes;
  throw new StoreError(
    `Cannot use "${file}": it has ${bytes.length} bytes, ${KEY_BYTES} are wanted. ` +
      "Restore it from a backup",
  );
}

async function makeKeyFile(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  using open = await Deno.open(file, { write: true, createNew: true, mode: 0o600 });
  for (let at = 0; at < bytes.length;) at += await open.write(bytes.subarray(at));
  await open.sync();
  return bytes;
}
