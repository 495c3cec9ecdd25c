/** Browsers that are signed in. Kept in memory as hashes: after a restart people sign in anew. */
import { crypto, timingSafeEqual } from "@std/crypto";
import type { Clock } from "../../core/clock.ts";
import type { Principal } from "../access/roles.ts";

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

  async put(secret: string, value: T): Promise<void> {
    for (const hash of this.#byHash.keys()) {
      if (this.#byHash.size < this.#most) break;
      this.#byHash.delete(hash);
    }
    this.#byHash.set(await hashOf(secret), value);
  }

  async get(secret: string): Promise<T | null> {
    const hash = await hashOf(secret);
    const value = this.#byHash.get(hash);
    if (value === undefined) return null;
    if (this.#clock.nowMs() < value.expiresMs) return value;
    this.#byHash.delete(hash);
    return null;
  }

  /** Once. */
  async take(secret: string): Promise<T | null> {
    const value = await this.get(secret);
    // Between asking and here another may have taken it.
    return this.#byHash.delete(await hashOf(secret)) ? value : null;
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
  async open(principal: Principal, lifeMs: number): Promise<string> {
    const secret = randomText();
    const expiresMs = this.#clock.nowMs() + lifeMs;
    await this.#open.put(secret, { principal, expiresMs, csrf: randomText() });
    return secret;
  }

  async find(secret: string): Promise<Session | null> {
    return await this.#open.get(secret);
  }

  async close(secret: string): Promise<void> {
    await this.#open.take(secret);
  }
}

/** 256 bits as text. */
export function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

export function sameText(a: string, b: string): boolean {
  const encoder = new TextEncoder();
  return timingSafeEqual(encoder.encode(a), encoder.encode(b));
}

async function hashOf(secret: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return new Uint8Array(digest).toHex();
}
