/** The key-value store of one filter in one proxy: small, bounded, forgotten when the proxy stops. */
import type { Clock } from "../../core/clock.ts";
import { WASM_LIMITS } from "../limits.ts";

interface Entry {
  readonly bytes: Uint8Array;
  readonly version: bigint;
  /** Monotonic milliseconds; Infinity: never. */
  readonly expiresMs: number;
}

export type SetResult = bigint | { tag: "mismatch"; val: bigint } | { tag: "too-large" };

export class KeyValues {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;
  #version = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): [Uint8Array, bigint] | undefined {
    const entry = this.#fresh(key);
    return entry === undefined ? undefined : [entry.bytes, entry.version];
  }

  /** `cas` undefined writes whatever is there; 0 only where there is nothing. */
  set(
    key: string,
    bytes: Uint8Array,
    cas: bigint | undefined,
    ttlMs: number | undefined,
  ): SetResult {
    const old = this.#fresh(key);
    const version = old?.version ?? 0n;
    if (cas !== undefined && cas !== version) return { tag: "mismatch", val: version };
    const grows = bytes.length - (old?.bytes.length ?? -key.length);
    if (this.#bytes + grows > WASM_LIMITS.sharedBytes) this.#sweep();
    const full = old === undefined && this.#entries.size >= WASM_LIMITS.sharedKeys;
    if (full || this.#bytes + grows > WASM_LIMITS.sharedBytes) return { tag: "too-large" };
    this.#bytes += grows;
    this.#version++;
    const expiresMs = ttlMs === undefined ? Infinity : this.#clock.monotonicMs() + ttlMs;
    this.#entries.set(key, { bytes, version: this.#version, expiresMs });
    return this.#version;
  }

  /** Adds to a number kept as decimal text; what is no number counts as 0. A full store leaves it as it is. */
  increment(key: string, by: bigint, ttlMs: number | undefined): bigint {
    const entry = this.#fresh(key);
    const text = entry === undefined ? "0" : String.fromCharCode(...entry.bytes.subarray(0, 24));
    const sum = BigInt.asIntN(64, (/^-?\d+$/.test(text) ? BigInt(text) : 0n) + by);
    // A counter keeps the time it was first given.
    const left = entry === undefined || entry.expiresMs === Infinity
      ? ttlMs
      : entry.expiresMs - this.#clock.monotonicMs();
    const bytes = Uint8Array.from(String(sum), (char) => char.charCodeAt(0));
    this.set(key, bytes, undefined, left);
    return sum;
  }

  get size(): number {
    return this.#entries.size;
  }

  #fresh(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresMs > this.#clock.monotonicMs()) return entry;
    this.#remove(key, entry);
    return undefined;
  }

  #sweep(): void {
    const now = this.#clock.monotonicMs();
    for (const [key, entry] of this.#entries) if (entry.expiresMs <= now) this.#remove(key, entry);
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes.length + key.length;
  }
}
