/** The endpoint with the fewest requests in flight; a random one of equals. */
import { type Balancer, type BalancerEnv, type Candidate, tierOf, WORST_TIER } from "./balancer.ts";

export class LeastRequestBalancer implements Balancer {
  readonly #env: BalancerEnv;

  constructor(env: BalancerEnv) {
    this.#env = env;
  }

  pick(endpoints: readonly Candidate[], tried: readonly string[]): number {
    const { clock, random } = this.#env;
    const nowMs = clock.monotonicMs();
    let picked = -1, bestTier = WORST_TIER + 1, least = 0, equals = 0;
    for (let i = 0; i < endpoints.length; i++) {
      const { stats } = endpoints[i]!;
      const tier = tierOf(stats, tried, nowMs);
      if (tier > bestTier || (tier === bestTier && stats.inFlight > least)) continue;
      if (tier < bestTier || stats.inFlight < least) {
        bestTier = tier;
        least = stats.inFlight;
        picked = i;
        equals = 1;
      } else if (random() * ++equals < 1) picked = i; // one pass, every equal has the same chance
    }
    return picked;
  }
}
