/** The public keys of an issuer (RFC 7517): fetched when needed, kept for a while, and the last good ones for longer. */
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";

export const KEY_SET_LIMITS = {
  keys: 100,
  /** Keys older than this are fetched anew; while that fails they go on being used. */
  maxAgeMs: 10 * 60_000,
  /** Between two tries, whatever key ids strangers name. */
  retryMs: 10_000,
} as const;

/** There are no keys yet and none can be had now: says nothing about the token. */
export class KeysUnavailable extends Error {
  constructor(issuer: string, reason: string) {
    super(`The keys of "${issuer}" cannot be had: ${reason}`);
    this.name = "KeysUnavailable";
  }
}

export interface KeySetOptions {
  /** For messages. */
  readonly issuer: string;
  readonly load: () => Promise<unknown>;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxAgeMs?: number;
}

export class KeySet {
  readonly #options: KeySetOptions;
  #find: ReturnType<typeof createLocalJWKSet> | null = null;
  #loadedMs = -Infinity;
  #triedMs = -Infinity;
  #reason = "nobody asked yet";
  #loading: Promise<void> | null = null;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /** The key a token names, for jose; rejects with KeysUnavailable or JWKSNoMatchingKey. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    const { clock, issuer, maxAgeMs = KEY_SET_LIMITS.maxAgeMs } = this.#options;
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
    if (nowMs - this.#triedMs < KEY_SET_LIMITS.retryMs) return;
    this.#triedMs = nowMs;
    this.#loading = this.#load().finally(() => this.#loading = null);
    await this.#loading;
  }

  async #load(): Promise<void> {
    const { load, issuer, log, clock } = this.#options;
    try {
      this.#find = createLocalJWKSet(readKeySet(await load()));
      this.#loadedMs = clock.monotonicMs();
    } catch (error) {
      this.#reason = error instanceof Error ? error.message : String(error);
      const kept = this.#find !== null;
      log.warn("jwks.not_loaded", { issuer, reason: this.#reason, usesLastGood: kept });
    }
  }
}

/** Public keys only: a set with a private one was published by mistake, and a symmetric one is a secret. */
function readKeySet(value: unknown): JSONWebKeySet {
  const keys = typeof value === "object" && value !== null && "keys" in value ? value.keys : null;
  if (!Array.isArray(keys) || keys.length > KEY_SET_LIMITS.keys) {
    throw new Error(`A JSON Web Key Set with at most ${KEY_SET_LIMITS.keys} keys is wanted`);
  }
  const fit = keys.filter((key) =>
    typeof key === "object" && key !== null && ["RSA", "EC", "OKP"].includes(key.kty) &&
    key.d === undefined
  );
  if (fit.length === 0) throw new Error("The JSON Web Key Set has no public key");
  return { keys: fit };
}
