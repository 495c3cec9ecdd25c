/** Asks name servers for addresses, with the time each answer lasts. */
import { lookup, Resolver } from "node:dns/promises";
import type { Resolve, Resolved } from "./names.ts";

/** The hosts file, and whatever else the system asks, tells no time. */
const UNTOLD_TTL_S = 30;

/** Asks `servers`, each an `address:port`; none: those of the system, then its own way (hosts file). */
export function createResolver(servers: readonly string[]): Resolve {
  const resolver = new Resolver();
  if (servers.length > 0) resolver.setServers([...servers]);
  return async (name) => {
    const answer = await ask(resolver, name);
    if (answer.length > 0) return answer;
    if (servers.length === 0) return await askSystem(name);
    throw new Error(`${servers.join(", ")}: no address`);
  };
}

/**
 * IPv4 addresses, or IPv6 ones where a name has no other: both kinds at once would send half of the
 * requests over a family that a host may not have.
 */
async function ask(resolver: Resolver, name: string): Promise<readonly Resolved[]> {
  for (const kind of ["resolve4", "resolve6"] as const) {
    try {
      const found = await resolver[kind](name, { ttl: true });
      if (found.length > 0) return found.map(({ address, ttl }) => ({ address, ttlS: ttl }));
    } catch {
      // No such record here; the next way may know it.
    }
  }
  return [];
}

async function askSystem(name: string): Promise<readonly Resolved[]> {
  const found = await lookup(name, { all: true });
  const family = found.some((one) => one.family === 4) ? 4 : 6;
  return found.filter((one) => one.family === family)
    .map(({ address }) => ({ address, ttlS: UNTOLD_TTL_S }));
}
