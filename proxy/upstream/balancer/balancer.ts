/** What every load-balancing algorithm offers, and the order of preference they share. */
import type { Clock, Random } from "../../../core/clock.ts";
import type { EndpointStats } from "../stats.ts";

/** Anything a balancer can choose: an endpoint carries its stats. */
export interface Candidate {
  readonly stats: EndpointStats;
}

/**
 * Picks one endpoint of a backend. Synchronous, allocates nothing.
 *
 * Preference, best first: neither ejected nor tried, then tried but not ejected, then (panic: all
 * are ejected, and a guess is better than no answer) untried, then any. So an ejected endpoint is
 * never picked while a healthy one exists, and a retry goes elsewhere when there is an elsewhere.
 */
export interface Balancer {
  /** Index into `endpoints`, −1 only when it is empty. `tried`: addresses earlier attempts used. */
  pick(endpoints: readonly Candidate[], tried: readonly string[], hash?: number): number;
}

/** What a balancer uses of the world. */
export interface BalancerEnv {
  readonly clock: Clock;
  readonly random: Random;
}

/** Tiers of preference; lower is better. */
export const BEST_TIER = 0, WORST_TIER = 3;

/** The tier of one endpoint: 0 fresh · 1 tried · 2 ejected · 3 ejected and tried. */
export function tierOf(stats: EndpointStats, tried: readonly string[], nowMs: number): number {
  return (stats.ejected(nowMs) ? 2 : 0) + (tried.includes(stats.address) ? 1 : 0);
}

/** The best tier any endpoint is in; WORST_TIER + 1 when there is none. */
export function bestTier(
  endpoints: readonly Candidate[],
  tried: readonly string[],
  nowMs: number,
): number {
  let best = WORST_TIER + 1;
  for (const { stats } of endpoints) {
    const tier = tierOf(stats, tried, nowMs);
    if (tier < best) best = tier;
    if (best === BEST_TIER) return best;
  }
  return best;
}

/** How many endpoints are in `tier`. */
export function countTier(
  endpoints: readonly Candidate[],
  tried: readonly string[],
  nowMs: number,
  tier: number,
): number {
  let count = 0;
  for (const { stats } of endpoints) if (tierOf(stats, tried, nowMs) === tier) count++;
  return count;
}

/** Index of the nth endpoint (from 0) in `tier`; −1 when there are not that many. */
export function nthOfTier(
  endpoints: readonly Candidate[],
  tried: readonly string[],
  nowMs: number,
  tier: number,
  nth: number,
): number {
  for (let i = 0; i < endpoints.length; i++) {
    if (tierOf(endpoints[i]!.stats, tried, nowMs) === tier && nth-- === 0) return i;
  }
  return -1;
}
