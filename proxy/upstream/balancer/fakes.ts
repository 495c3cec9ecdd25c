/** For tests only: endpoints, a clock and a repeatable random source for balancers. */
import { EndpointStats } from "../stats.ts";
import type { BalancerEnv, Candidate } from "./balancer.ts";

/** A repeatable random source (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const NOW_MS = 100_000;

export function testEnv(seed = 1, nowMs: () => number = () => NOW_MS): BalancerEnv {
  return { clock: { nowMs, monotonicMs: nowMs }, random: seeded(seed) };
}

export function candidates(count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({
    stats: new EndpointStats(`10.0.0.${i + 1}:8080`),
  }));
}
