/** Asks the system's name servers, with the time each answer lasts; else the system's own way (hosts file). */
import { lookup, resolve4, resolve6 } from "node:dns/promises";
import type { Resolved } from "./names.ts";

/** The hosts file, and whatever else the system asks, tells no time. */
const UNTOLD_TTL_S = 30;

/**
 * IPv4 addresses, or IPv6 ones where a name has no other: both kinds at once would send half of the
 * requests over a family that a host may not have.
 */
export async function systemResolve(name: string): Promise<readonly Resolved[]> {
  for (const ask of [resolve4, resolve6]) {
    try {
      const found = await ask(name, { ttl: true });
      if (found.length > 0) return found.map(({ address, ttl }) => ({ address, ttlS: ttl }));
    } catch {
      // No such record here; the next way may know it.
    }
  }
  const found = await lookup(name, { all: true });
  const family = found.some((one) => one.family === 4) ? 4 : 6;
  return found.filter((one) => one.family === family)
    .map(({ address }) => ({ address, ttlS: UNTOLD_TTL_S }));
}
