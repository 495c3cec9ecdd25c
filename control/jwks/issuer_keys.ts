/**
 * The public keys of one issuer whose tokens the control plane itself believes (operators, pods): fetched when a
 * token needs them, kept for a while, and the last good ones for longer. Those of end users' issuers, which
 * proxies need, are `key_sets.ts`.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { JWKS_LIMITS } from "./limits.ts";
import { keySetOf } from "./read.ts";

/** There are no keys yet and none can be had now: says nothing about the token. */
export class KeysUnavailable extends Error {
  constructor(issuer: string, reason: string) {
    super(`The keys of "${issuer}" cannot be had: ${reason}`);
    this.name = "KeysUnavailable";
  }
}

export interface IssuerKeysOptions {
  /** For messages. */
  readonly issuer: string;
  /** The key set as it was published; rejects with a sentence. */
  readonly load: () => Promise<Uint8Array>;
  readonly clock: Clock;
  readonly log: Log;
  /** Keys older than this are fetched anew; while that fails they go on being used. */
  readonly maxAgeMs?: number;
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #find: ReturnType<typeof createLocalJWKSet> | null = null;
  #loadedMs = -Infinity;
  #triedMs = -Infinity;
  #reason = "nobody asked yet";
  #loading: Promise<void> | null = null;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** The key a token names, for jose; rejects with KeysUnavailable or JWKSNoMatchingKey. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    const { clock, issuer, maxAgeMs = JWKS_LIMITS.refreshMs } = this.#options;
    if (this.#find === null) await this.#refresh();
    else if (clock.monotonicMs() - this.#loadedMs > maxAgeMs) await this.#refresh();
    if (this.#find === null) throw new KeysUnavailable(issuer, this.#reason);
    try {
      return await this.#find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // The issuer may have begun to use a new one.
      await this.#refresh();
      return await this.#find(header, token);
    }
  };

  async #refresh(): Promise<void> {
    if (this.#loading !== null) return await this.#loading;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#triedMs < JWKS_LIMITS.unknownKeyMs) return;
    this.#triedMs = nowMs;
    this.#loading = this.#load().finally(() => this.#loading = null);
    await this.#loading;
  }

  async #load(): Promise<void> {
    const { load, issuer, log, clock } = this.#options;
    try {
      const { keys, secrets } = keySetOf(await load());
      this.#find = createLocalJWKSet({ keys: keys.map((key) => ({ ...key })) });
      if (secrets > 0) log.error("jwks.secret_published", { issuer });
      this.#loadedMs = clock.monotonicMs();
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      const kept = this.#find !== null;
      log.warn("jwks.not_loaded", { issuer, reason: this.#reason, usesLastGood: kept });
    }
  }
}
