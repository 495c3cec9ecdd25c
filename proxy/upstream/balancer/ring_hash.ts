/**
 * Consistent hashing: the same key keeps its endpoint, and a change of one of n endpoints moves
 * about 1/n of the keys.
 *
 *   ring of 32-bit points:  ──a──c──b──a──b──c──a──▶   each endpoint stands on it POINTS times;
 *                                 ▲ key               a key belongs to the next point clockwise
 */
import { type Balancer, type BalancerEnv, bestTier, type Candidate, tierOf } from "./balancer.ts";

/** Points per endpoint: shares stay within about ±25 % of even, 10 endpoints cost 13 kB. */
const POINTS = 160;
/** Points of all endpoints together; with more than 409 endpoints each gets fewer. */
export const RING_LIMIT = 65_536;

interface Ring {
  /** Sorted. */
  readonly points: Uint32Array;
  /** Endpoint index that stands at each point. */
  readonly owners: Uint32Array;
}

export class RingHashBalancer implements Balancer {
  readonly #env: BalancerEnv;
  #built: readonly Candidate[] | null = null;
  #ring: Ring = { points: new Uint32Array(0), owners: new Uint32Array(0) };

  constructor(env: BalancerEnv) {
    this.#env = env;
  }

  /** Without `hash` a random place on the ring is used. */
  pick(endpoints: readonly Candidate[], tried: readonly string[], hash?: number): number {
    if (endpoints.length < 2) return endpoints.length - 1;
    if (this.#built !== endpoints) {
      this.#ring = buildRing(endpoints);
      this.#built = endpoints;
    }
    const nowMs = this.#env.clock.monotonicMs();
    const tier = bestTier(endpoints, tried, nowMs);
    const { points, owners } = this.#ring;
    const key = hash === undefined ? Math.floor(this.#env.random() * 2 ** 32) : mix(hash >>> 0);
    const start = firstAtOrAfter(points, key);
    for (let i = 0; i < points.length; i++) {
      const owner = owners[(start + i) % points.length]!;
      if (tierOf(endpoints[owner]!.stats, tried, nowMs) === tier) return owner;
    }
    return -1;
  }
}

/** FNV-1a over the string's code units with a final mix: spreads addresses that differ in one digit. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash >>> 0);
}

function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Once per endpoint list: the list of a backend is replaced, never changed in place. */
function buildRing(endpoints: readonly Candidate[]): Ring {
  const each = Math.max(1, Math.min(POINTS, Math.floor(RING_LIMIT / endpoints.length)));
  const placed: { point: number; owner: number }[] = [];
  for (let owner = 0; owner < endpoints.length; owner++) {
    const { address } = endpoints[owner]!.stats;
    for (let i = 0; i < each; i++) placed.push({ point: hashText(`${address}#${i}`), owner });
  }
  // On equal points the address decides, not the order of the list, which may differ between proxies.
  const addressOf = (owner: number): string => endpoints[owner]!.stats.address;
  placed.sort((a, b) => a.point - b.point || (addressOf(a.owner) < addressOf(b.owner) ? -1 : 1));
  return {
    points: Uint32Array.from(placed, (p) => p.point),
    owners: Uint32Array.from(placed, (p) => p.owner),
  };
}

/** Index of the first point ≥ key, or 0 past the last: it is a ring. */
function firstAtOrAfter(points: Uint32Array, key: number): number {
  let low = 0, high = points.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (points[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low === points.length ? 0 : low;
}
