/** Remembers which leaf certificates a bundle has vouched for, so that a reconnect costs a hash only. */

/** Peers one proxy may keep in mind per bundle; the one unused for longest goes first. */
export const MAX_CACHED_PEERS = 4096;

/** What holds for a leaf whatever the time, the role and the caller's expectation. */
export interface Vouched {
  readonly identity: string;
  readonly serial: string;
  /** The certificates it was vouched for by, DER, leaf first; shared by all connections of the peer. */
  readonly chain: readonly Uint8Array[];
  /** The window in which every certificate of the path is valid. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Purposes every certificate of the path allows. */
  readonly purposes: readonly string[];
  /** Serials of the whole path, leaf first. */
  readonly serials: readonly string[];
  /** `sha256:<hex>` of the path's public keys, leaf first. */
  readonly keys: readonly string[];
}

export class PeerCache {
  readonly #entries = new Map<string, Vouched>();
  readonly #limit: number;

  constructor(limit: number = MAX_CACHED_PEERS) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** `leaf` is the hash of the whole certificate. */
  get(leaf: string): Vouched | undefined {
    const found = this.#entries.get(leaf);
    if (found === undefined) return undefined;
    // A Map keeps insertion order: moving a hit to the end makes the first entry the stalest.
    this.#entries.delete(leaf);
    this.#entries.set(leaf, found);
    return found;
  }

  set(leaf: string, vouched: Vouched): void {
    this.#entries.delete(leaf);
    if (this.#entries.size >= this.#limit) {
      for (const stalest of this.#entries.keys()) {
        this.#entries.delete(stalest);
        break;
      }
    }
    this.#entries.set(leaf, vouched);
  }
}

/** A set that drops its oldest member when it is full. */
export class BoundedSet {
  readonly #members = new Set<string>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#members.size;
  }

  has(member: string): boolean {
    return this.#members.has(member);
  }

  add(member: string): void {
    if (this.#members.size >= this.#limit) {
      for (const oldest of this.#members) {
        this.#members.delete(oldest);
        break;
      }
    }
    this.#members.add(member);
  }
}
