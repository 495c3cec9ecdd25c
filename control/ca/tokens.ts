/** Join tokens: single-use, short-lived, bound to one identity, kept only as a hash. */
import type { Clock } from "../../core/clock.ts";

/** What is kept of a token. */
export interface TokenRecord {
  /** Lower-case hex SHA-256 of the token: the key. */
  readonly hash: string;
  readonly identity: string;
  readonly expiresMs: number;
}

/** Where tokens are kept. `delete` says whether it was there: the winner of a race redeems. */
export interface TokenStore {
  get(hash: string): TokenRecord | null | Promise<TokenRecord | null>;
  put(record: TokenRecord): void | Promise<void>;
  delete(hash: string): boolean | Promise<boolean>;
}

export interface TokensOptions {
  readonly clock?: Clock;
}

export class MemoryTokenStore implements TokenStore {
  readonly #records = new Map<string, TokenRecord>();
  get(hash: string): TokenRecord | null {
    return this.#records.get(hash) ?? null;
  }
  put(record: TokenRecord): void {
    this.#records.set(record.hash, record);
  }
  delete(hash: string): boolean {
    return this.#records.delete(hash);
  }
}

export class Tokens {
  constructor(_store: TokenStore, _options: TokensOptions = {}) {}
  /** A new token for `identity`; ttlMs at most 10 minutes (the default). */
  create(_identity: string, _ttlMs?: number): Promise<string> {
    return Promise.reject(new Error("not written yet"));
  }
  /** The identity the token was made for, once; null when unknown, used, expired or too many bad tries. */
  redeem(_token: string): Promise<string | null> {
    return Promise.reject(new Error("not written yet"));
  }
}
