/** Each endpoint in turn, whatever it costs. */
import {
  type Balancer,
  type BalancerEnv,
  bestTier,
  type Candidate,
  countTier,
  nthOfTier,
} from "./balancer.ts";

export class RoundRobinBalancer implements Balancer {
  readonly #env: BalancerEnv;
  #turn: number;

  constructor(env: BalancerEnv) {
    this.#env = env;
    // A random start: proxies that start together would otherwise walk the list in step.
    this.#turn = Math.floor(env.random() * 0x10000);
  }

  pick(endpoints: readonly Candidate[], tried: readonly string[]): number {
    if (endpoints.length === 0) return -1;
    const nowMs = this.#env.clock.monotonicMs();
    const tier = bestTier(endpoints, tried, nowMs);
    const count = countTier(endpoints, tried, nowMs, tier);
    const turn = this.#turn;
    this.#turn = (turn + 1) % 0x7fffffff;
    // The turn counts among those of the tier; skipping over ejected ones instead would give the
    // endpoint after each of them a double share.
    return nthOfTier(endpoints, tried, nowMs, tier, turn % count);
  }
}
