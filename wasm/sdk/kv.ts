/** Values kept in the proxy, shared by all instances of a filter there. Using it needs the capability `kv`. */
import { get, incr, set } from "denim:filter/kv@0.1.0";

/** Lives as long as the proxy runs; small values only (64 KiB each). */
export const kv = {
  /** The text under `key`, or null. */
  get(key: string): string | null {
    const found = get(key);
    return found === undefined || found === null ? null : new TextDecoder().decode(found[0]);
  },
  /** False when the value is too large or the store is full. */
  set(key: string, value: string, options: { ttlMs?: number } = {}): boolean {
    try {
      set(key, new TextEncoder().encode(value), undefined, options.ttlMs);
      return true;
    } catch {
      return false;
    }
  },
  /** Adds to a number and gives the sum; an absent one counts as 0. */
  increment(key: string, by = 1, options: { ttlMs?: number } = {}): number {
    return Number(incr(key, by, options.ttlMs));
  },
};
