/** Power of two choices by peak EWMA of latency × requests in flight: the default balancer. */
import {
  type Balancer,
  type BalancerEnv,
  BEST_TIER,
  bestTier,
  type Candidate,
  countTier,
  nthOfTier,
  tierOf,
} from "./balancer.ts";

/**
 * Looks at two random endpoints and takes the one with less expected cost. Near the balance of a
 * full scan, but proxies that share a stale view do not all run to the same endpoint.
 */
export class P2cBalancer implements Balancer {
  readonly #env: BalancerEnv;

  constructor(env: BalancerEnv) {
    this.#env = env;
  }

  pick(endpoints: readonly Candidate[], tried: readonly string[]): number {
    const n = endpoints.length;
    if (n < 2) return n - 1;
    const { clock, random } = this.#env;
    const nowMs = clock.monotonicMs();
    const a = Math.floor(random() * n);
    const b = other(a, n, random());
    const left = endpoints[a]!.stats, right = endpoints[b]!.stats;
    if (
      tierOf(left, tried, nowMs) === BEST_TIER && tierOf(right, tried, nowMs) === BEST_TIER
    ) {
      return right.load(nowMs) < left.load(nowMs) ? b : a;
    }
    return this.#pickInTier(endpoints, tried, nowMs);
  }

  /** The rare way: some endpoints are ejected or tried, so choose two among the best tier only. */
  #pickInTier(endpoints: readonly Candidate[], tried: readonly string[], nowMs: number): number {
    const { random } = this.#env;
    const tier = bestTier(endpoints, tried, nowMs);
    const count = countTier(endpoints, tried, nowMs, tier);
    const first = Math.floor(random() * count);
    const a = nthOfTier(endpoints, tried, nowMs, tier, first);
    if (count === 1) return a;
    const b = nthOfTier(endpoints, tried, nowMs, tier, other(first, count, random()));
    return endpoints[b]!.stats.load(nowMs) < endpoints[a]!.stats.load(nowMs) ? b : a;
  }
}

/** A uniform index below `n` that is not `a`. */
function other(a: number, n: number, random: number): number {
  const b = Math.floor(random * (n - 1));
  return b >= a ? b + 1 : b;
}
