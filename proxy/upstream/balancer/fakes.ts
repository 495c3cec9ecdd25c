/** For tests only: endpoints, and a clock and chance for balancers. */
import { seededRandom } from "../../../core/clock.ts";
import { EndpointStats } from "../stats.ts";
import type { BalancerEnv, Candidate } from "./balancer.ts";

export const NOW_MS = 100_000;

export function testEnv(seed = 1, nowMs: () => number = () => NOW_MS): BalancerEnv {
  return { clock: { nowMs, monotonicMs: nowMs }, random: seededRandom(seed) };
}

export function candidates(count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => ({
    stats: new EndpointStats(`10.0.0.${i + 1}:8080`),
  }));
}
