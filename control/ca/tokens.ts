/** Join tokens: single-use, short-lived, bound to one identity, kept only as a hash. */
import { type Clock, systemClock } from "../../core/clock.ts";
import { parseSpiffeId } from "../../proxy/tls/mod.ts";
import { Tries } from "./bad_tries.ts";
import { sha256Hex } from "../digest.ts";
import { randomText, sameText } from "../secrets.ts";

/** No token lives longer. */
export const MAX_TOKEN_TTL_MS = 10 * 60_000;
/** Tokens the memory store holds; the database has its own limit. */
export const MAX_STORED_TOKENS = 10_000;
/** Bad tries of one source within a minute. */
export const MAX_BAD_TRIES = 20;
const TRY_WINDOW_MS = 60_000;
export const MAX_COUNTED_SOURCES = 1024;
const PREFIX = "denim-join-";
const TOKEN = new RegExp(`^${PREFIX}[A-Za-z0-9_-]{43}$`);

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
  /** Forgets the tokens that expired before `nowMs`. */
  prune(nowMs: number): void | Promise<void>;
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
    if (this.#records.size >= MAX_STORED_TOKENS) {
      throw new Error(`Cannot create a join token: ${MAX_STORED_TOKENS} are waiting to be used`);
    }
    this.#records.set(record.hash, record);
  }

  delete(hash: string): boolean {
    return this.#records.delete(hash);
  }

  prune(nowMs: number): void {
    for (const { hash, expiresMs } of this.#records.values()) {
      if (expiresMs < nowMs) this.#records.delete(hash);
    }
  }
}

export class Tokens {
  readonly #store: TokenStore;
  readonly #clock: Clock;
  readonly #badTries = new Tries({
    most: MAX_BAD_TRIES,
    windowMs: TRY_WINDOW_MS,
    sources: MAX_COUNTED_SOURCES,
  });

  constructor(store: TokenStore, options: TokensOptions = {}) {
    this.#store = store;
    this.#clock = options.clock ?? systemClock;
  }

  /** A new token for `identity`, a whole SPIFFE id. This is the only time its text is known here. */
  async create(identity: string, ttlMs: number = MAX_TOKEN_TTL_MS): Promise<string> {
    if (parseSpiffeId(identity) === null) {
      throw new TypeError(`Cannot create a join token for "${identity}": a SPIFFE id is wanted`);
    }
    if (!(ttlMs > 0 && ttlMs <= MAX_TOKEN_TTL_MS)) {
      throw new TypeError(
        `Cannot create a join token that lives ${ttlMs} ms: more than 0 and at most ` +
          `${MAX_TOKEN_TTL_MS} are allowed`,
      );
    }
    const nowMs = this.#clock.nowMs();
    await this.#store.prune(nowMs);
    const token = PREFIX + randomText();
    await this.#store.put({ hash: sha256Hex(token), identity, expiresMs: nowMs + ttlMs });
    return token;
  }

  /**
   * The identity the token was made for, once; null when unknown, used, expired or when `source` (the
   * address it came from) tried too often.
   */
  async redeem(token: string, source = ""): Promise<string | null> {
    return (await this.take(token, source))?.identity ?? null;
  }

  /** The same with all that is kept of the token, for {@link giveBack}. */
  async take(token: string, source = ""): Promise<TokenRecord | null> {
    const nowMs = this.#clock.nowMs();
    if (this.#badTries.isOver(source, nowMs)) return null;
    const record = TOKEN.test(token) ? await this.#take(sha256Hex(token), nowMs) : null;
    if (record === null) this.#badTries.count(source, nowMs);
    return record;
  }

  /** Undoes a take that led to no certificate by our own fault: its proxy will come again with the token. */
  async giveBack(record: TokenRecord): Promise<void> {
    await this.#store.put(record);
  }

  async #take(hash: string, nowMs: number): Promise<TokenRecord | null> {
    const record = await this.#store.get(hash);
    // A store that matched loosely (a LIKE, a case-blind collation) must not decide for us.
    if (record === null || !sameText(record.hash, hash)) return null;
    // Taken out before it is believed: of two that come with the same token one gets nothing.
    if (!await this.#store.delete(hash)) return null;
    return nowMs <= record.expiresMs ? record : null;
  }
}
