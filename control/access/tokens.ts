/** Access tokens: what people and programs call the API with. Kept as hashes, with a role, a name and an end. */
import { crypto } from "@std/crypto";
import type { Clock } from "../../core/clock.ts";
import { ConflictError, type Store } from "../store/store.ts";
import type { Principal, Role } from "./roles.ts";
import { sha256Hex } from "../digest.ts";
import { sameText } from "../secrets.ts";

export const ACCESS_TOKEN_LIMITS = {
  /** Live ones of a control plane; each is read at every list. */
  tokens: 1000,
  /** A token that lives longer is one nobody remembers. */
  ttlMs: 366 * 24 * 60 * 60_000,
  nameChars: 63,
} as const;
export const DEFAULT_ACCESS_TTL_MS = 12 * 60 * 60_000;
/** How exact the time of the last use is: a write for every request would be too many. */
export const LAST_USED_MS = 60_000;

const SECRET_BYTES = 32, CHECK_BYTES = 4, ID_BYTES = 5;
const PREFIX = "denim-api-";
/** A prefix no other text has and a checksum: scanners of leaked secrets can be sure without asking us. */
const TOKEN = new RegExp(`^${PREFIX}([A-Za-z0-9_-]{48})$`);
export const TOKEN_NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const KEYS = "access-tokens/";

/** What may be told of a token. */
export interface AccessToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdMs: number;
  readonly createdBy: string;
  readonly expiresMs: number;
  /** To the minute; null: never. */
  readonly lastUsedMs: number | null;
}

/** What is kept of it: the hash is the key as well, so that a store that matches loosely is found out. */
interface Kept extends AccessToken {
  readonly hash: string;
}

export interface NewToken {
  readonly name: string;
  readonly role: Role;
  readonly ttlMs: number;
  readonly createdBy: string;
}

/** The name is taken, or there are as many tokens as there may be. */
export class TokenRefused extends Error {
  readonly code: "name_taken" | "too_many";

  constructor(code: TokenRefused["code"], message: string) {
    super(message);
    this.name = "TokenRefused";
    this.code = code;
  }
}

export class AccessTokens {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** A new token; this is the only time its text is known here. */
  async create(wanted: NewToken): Promise<{ readonly token: string; readonly about: AccessToken }> {
    const { name, role, ttlMs, createdBy } = wanted;
    const live = await this.#prune();
    if (live.some((one) => one.name === name)) {
      const message = `There is a token "${name}" already; revoke it or choose another name`;
      throw new TokenRefused("name_taken", message);
    }
    if (live.length >= ACCESS_TOKEN_LIMITS.tokens) {
      const message = `There are ${ACCESS_TOKEN_LIMITS.tokens} tokens; revoke what is not used`;
      throw new TokenRefused("too_many", message);
    }
    const createdMs = this.#clock.nowMs();
    const token = await mint();
    const about: AccessToken = {
      id: crypto.getRandomValues(new Uint8Array(ID_BYTES)).toHex(),
      name,
      role,
      createdMs,
      createdBy,
      expiresMs: createdMs + ttlMs,
      lastUsedMs: null,
    };
    const hash = sha256Hex(token);
    await this.#store.put(KEYS + hash, JSON.stringify({ ...about, hash } satisfies Kept), null);
    return { token, about };
  }

  /** Who calls with this token; null when it is unknown, revoked or over. */
  async check(token: string): Promise<Principal | null> {
    if (!await isWellFormed(token)) return null;
    const hash = sha256Hex(token);
    const entry = await this.#store.get(KEYS + hash);
    if (entry === null) return null;
    const kept = JSON.parse(entry.value) as Kept;
    const nowMs = this.#clock.nowMs();
    if (!sameText(kept.hash, hash) || nowMs >= kept.expiresMs) return null;
    if (kept.lastUsedMs === null || nowMs - kept.lastUsedMs >= LAST_USED_MS) {
      await this.#used(entry.key, { ...kept, lastUsedMs: nowMs }, entry.revision);
    }
    return { name: kept.name, proof: "token", roles: [kept.role] };
  }

  /** Live ones, newest first. */
  async list(): Promise<AccessToken[]> {
    const live = await this.#prune();
    return live.map(({ hash: _hash, ...about }) => about)
      .sort((a, b) => b.createdMs - a.createdMs);
  }

  /** By id or name; null when there is none such. From here on nobody is let in by it. */
  async revoke(idOrName: string): Promise<AccessToken | null> {
    const found = (await this.#prune()).find((one) => one.id === idOrName || one.name === idOrName);
    if (found === undefined) return null;
    const { hash, ...about } = found;
    // Its time of last use may be written meanwhile, so its revision may move: look again.
    for (;;) {
      const entry = await this.#store.get(KEYS + hash);
      if (entry === null || await this.#delete(entry.key, entry.revision)) return about;
    }
  }

  /** Forgets what is over and gives the rest. */
  async #prune(): Promise<Kept[]> {
    const nowMs = this.#clock.nowMs();
    const live: Kept[] = [];
    for (const { key, value, revision } of (await this.#store.list(KEYS)).entries) {
      const kept = JSON.parse(value) as Kept;
      if (nowMs < kept.expiresMs) live.push(kept);
      else await this.#delete(key, revision);
    }
    return live;
  }

  async #delete(key: string, revision: number): Promise<boolean> {
    try {
      await this.#store.delete(key, revision);
      return true;
    } catch (error) {
      if (error instanceof ConflictError) return false;
      throw error;
    }
  }

  async #used(key: string, kept: Kept, revision: number): Promise<void> {
    try {
      await this.#store.put(key, JSON.stringify(kept), revision);
    } catch (error) {
      // Another request wrote the same minute, or it was revoked in this moment: never write it back.
      if (!(error instanceof ConflictError)) throw error;
    }
  }
}

async function mint(): Promise<string> {
  const secret = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  const whole = new Uint8Array(SECRET_BYTES + CHECK_BYTES);
  whole.set(secret);
  whole.set(await checksum(secret), SECRET_BYTES);
  return PREFIX + whole.toBase64({ alphabet: "base64url" });
}

/** False also for what was mistyped, without a look into the store. */
async function isWellFormed(token: string): Promise<boolean> {
  const text = TOKEN.exec(token)?.[1];
  if (text === undefined) return false;
  const whole = Uint8Array.fromBase64(text, { alphabet: "base64url" });
  const check = await checksum(whole.subarray(0, SECRET_BYTES));
  return check.every((byte, at) => whole[SECRET_BYTES + at] === byte);
}

/** The first bytes of the secret's SHA-256. */
async function checksum(secret: Uint8Array): Promise<Uint8Array> {
  const digest = await crypto.subtle.digest("SHA-256", secret as Uint8Array<ArrayBuffer>);
  return new Uint8Array(digest).subarray(0, CHECK_BYTES);
}
