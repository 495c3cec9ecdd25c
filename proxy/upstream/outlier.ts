/**
 * Passive outlier detection: an endpoint that keeps failing real traffic gets none for a while.
 *
 *   in rotation ──consecutive5xx failures in a row──▶ ejected for base × ejections (≤ 10 × base)
 *        ▲                                                            │
 *        └──────────────────── the time is over ──────────────────────┘
 *
 * State lives in EndpointStats, so it outlasts a snapshot; the balancers do the avoiding.
 */
import type { Clock } from "../../core/clock.ts";
import { GOOD, type Judgement, NEUTRAL } from "../../core/judge.ts";
import type { Candidate } from "./balancer/balancer.ts";
import type { EndpointStats } from "./stats.ts";

/** How an endpoint is judged; equal to OutlierSpec of the snapshot. */
export interface OutlierConfig {
  readonly consecutive5xx: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionPercent: number;
}

/** An ejection lasts at most this many times the base, however often the endpoint failed before. */
export const LONGEST_EJECTION = 10;

export class OutlierDetector {
  readonly #config: OutlierConfig;
  readonly #clock: Clock;

  constructor(config: OutlierConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** Takes note of one attempt at an endpoint of `endpoints`; true when it ejected the endpoint. */
  record(stats: EndpointStats, judgement: Judgement, endpoints: readonly Candidate[]): boolean {
    if (judgement === NEUTRAL) return false;
    if (judgement === GOOD) {
      stats.failuresInRow = 0;
      return false;
    }
    stats.failuresInRow++;
    if (stats.failuresInRow < this.#config.consecutive5xx) return false;
    const nowMs = this.#clock.monotonicMs();
    // Already out: traffic of a panic, or requests that were under way, must not lengthen it.
    if (stats.ejected(nowMs) || !this.#mayEject(endpoints, nowMs)) return false;
    this.#eject(stats, nowMs);
    return true;
  }

  /** At most the given share, but always one of several: a share of few endpoints rounds to none. */
  #mayEject(endpoints: readonly Candidate[], nowMs: number): boolean {
    const { maxEjectionPercent } = this.#config;
    if (maxEjectionPercent <= 0 || endpoints.length < 2) return false;
    let ejected = 0;
    for (const { stats } of endpoints) if (stats.ejected(nowMs)) ejected++;
    const most = Math.max(1, Math.floor((endpoints.length * maxEjectionPercent) / 100));
    return ejected < most;
  }

  #eject(stats: EndpointStats, nowMs: number): void {
    const { baseEjectionMs } = this.#config;
    // Each base time in rotation since the last ejection forgives one.
    const forgiven = stats.ejections === 0
      ? 0
      : Math.floor((nowMs - stats.ejectedUntilMs) / baseEjectionMs);
    stats.ejections = Math.min(LONGEST_EJECTION, Math.max(0, stats.ejections - forgiven) + 1);
    stats.eject(nowMs + baseEjectionMs * stats.ejections);
  }
}
