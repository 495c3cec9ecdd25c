/** Join tokens in the store, so that one made before a restart of the control plane still lets its proxy in. */
import type { TokenRecord, TokenStore } from "../ca/mod.ts";
import { ConflictError, type Store } from "./store.ts";

/** Tokens that wait to be used. */
export const MAX_TOKENS = 10_000;
const PREFIX = "tokens/";

export class KeptTokens implements TokenStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async get(hash: string): Promise<TokenRecord | null> {
    const entry = await this.#store.get(PREFIX + hash);
    return entry === null ? null : JSON.parse(entry.value) as TokenRecord;
  }

  async put(record: TokenRecord): Promise<void> {
    const { entries } = await this.#store.list(PREFIX);
    if (entries.length >= MAX_TOKENS) {
      throw new Error(`Cannot create a join token: ${MAX_TOKENS} are waiting to be used`);
    }
    await this.#store.put(PREFIX + record.hash, JSON.stringify(record), null);
  }

  /** Compare-and-set decides a race: who loses it gets false. */
  async delete(hash: string): Promise<boolean> {
    const entry = await this.#store.get(PREFIX + hash);
    if (entry === null) return false;
    try {
      await this.#store.delete(entry.key, entry.revision);
      return true;
    } catch (error) {
      if (error instanceof ConflictError) return false;
      throw error;
    }
  }

  async prune(nowMs: number): Promise<void> {
    for (const { key, value, revision } of (await this.#store.list(PREFIX)).entries) {
      if ((JSON.parse(value) as TokenRecord).expiresMs >= nowMs) continue;
      await this.#store.delete(key, revision).catch((error: unknown) => {
        if (!(error instanceof ConflictError)) throw error; // used meanwhile
      });
    }
  }
}
