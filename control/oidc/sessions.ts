/** Browsers that are signed in. Kept in memory as hashes: after a restart people sign in anew. */
import type { Clock } from "../../core/clock.ts";
import type { Principal } from "../access/roles.ts";
import { sha256Hex } from "../digest.ts";
import { randomText } from "../secrets.ts";

export const SESSION_LIMITS = {
  /** The oldest goes when there are more. */
  sessions: 1000,
  /** Sign-ins under way; anybody can begin one. */
  logins: 1000,
  loginMs: 10 * 60_000,
} as const;

export interface Session {
  readonly principal: Principal;
  readonly expiresMs: number;
  /** What a request that changes something must carry beside the cookie. */
  readonly csrf: string;
}

/** A sign-in between its two redirects. */
export interface Login {
  /** Page to go back to. */
  readonly to: string;
  readonly nonce: string;
  /** RFC 7636. */
  readonly verifier: string;
  readonly expiresMs: number;
}

/** Values by a secret that only the browser holds. */
class Kept<T extends { readonly expiresMs: number }> {
  readonly #most: number;
  readonly #clock: Clock;
  readonly #byHash = new Map<string, T>();

  constructor(most: number, clock: Clock) {
    this.#most = most;
    this.#clock = clock;
  }

  put(secret: string, value: T): void {
    for (const hash of this.#byHash.keys()) {
      if (this.#byHash.size < this.#most) break;
      this.#byHash.delete(hash);
    }
    this.#byHash.set(sha256Hex(secret), value);
  }

  get(secret: string): T | null {
    const hash = sha256Hex(secret);
    const value = this.#byHash.get(hash);
    if (value === undefined) return null;
    if (this.#clock.nowMs() < value.expiresMs) return value;
    this.#byHash.delete(hash);
    return null;
  }

  /** Once. */
  take(secret: string): T | null {
    const value = this.get(secret);
    this.#byHash.delete(sha256Hex(secret));
    return value;
  }
}

export class Sessions {
  readonly logins: Kept<Login>;
  readonly #open: Kept<Session>;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.logins = new Kept<Login>(SESSION_LIMITS.logins, clock);
    this.#open = new Kept<Session>(SESSION_LIMITS.sessions, clock);
  }

  /** The text for the cookie. */
  open(principal: Principal, lifeMs: number): string {
    const secret = randomText();
    const expiresMs = this.#clock.nowMs() + lifeMs;
    this.#open.put(secret, { principal, expiresMs, csrf: randomText() });
    return secret;
  }

  find(secret: string): Session | null {
    return this.#open.get(secret);
  }

  close(secret: string): void {
    this.#open.take(secret);
  }
}
