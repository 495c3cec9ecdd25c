/**
 * The retry budget of one backend: retries may be a share of recent requests, plus a small floor.
 *
 * A retry at time t is granted when, counting itself,
 *   retries in (t − interval, t] ≤ percent % of requests in (t − interval, t], or
 *   retries in (t − 1 s, t]      ≤ minPerSecond.
 *
 * So a backend that fails altogether gets at most (1 + percent/100) × its load, not attempts × its
 * load. Events are counted in slices of a window; where a slice straddles the edge of the window,
 * requests round down and retries round up, so that both inequalities hold to the letter.
 */

/** Slices of a window; more would be more exact and cost more memory. */
const SLICES = 10;

/** Counts events of a sliding window in a ring of slices, the newest one included. */
export class SlidingCount {
  readonly #sliceMs: number;
  readonly #ring: Float64Array;
  #newest = 0;
  #total = 0;

  /** `slices` of `sliceMs` each: what total() covers. */
  constructor(sliceMs: number, slices: number) {
    this.#sliceMs = sliceMs;
    this.#ring = new Float64Array(slices);
  }

  add(nowMs: number): void {
    this.#turn(nowMs);
    const at = this.#newest % this.#ring.length;
    this.#ring[at] = this.#ring[at]! + 1;
    this.#total++;
  }

  total(nowMs: number): number {
    this.#turn(nowMs);
    return this.#total;
  }

  /** Forgets the slices that the window has left behind. */
  #turn(nowMs: number): void {
    const slice = Math.floor(nowMs / this.#sliceMs);
    if (slice <= this.#newest) return;
    const ring = this.#ring;
    if (slice - this.#newest >= ring.length) {
      ring.fill(0);
      this.#total = 0;
    } else {
      for (let i = this.#newest + 1; i <= slice; i++) {
        this.#total -= ring[i % ring.length]!;
        ring[i % ring.length] = 0;
      }
    }
    this.#newest = slice;
  }
}

/** Limits, given with each question: they may change with a snapshot while the counts stay. */
export interface BudgetLimits {
  readonly budgetPercent: number;
  readonly minRetriesPerSecond: number;
}

/** Kept per backend and interval, across snapshots; see FilterEnv.keep. Times are monotonic milliseconds. */
export class RetryBudget {
  readonly #requests: SlidingCount;
  readonly #retries: SlidingCount;
  readonly #lastSecond = new SlidingCount(1000 / SLICES, SLICES + 1);

  constructor(intervalMs: number) {
    this.#requests = new SlidingCount(intervalMs / SLICES, SLICES);
    this.#retries = new SlidingCount(intervalMs / SLICES, SLICES + 1);
  }

  /** A first attempt was made; retries do not count, or they would earn more of themselves. */
  request(nowMs: number): void {
    this.#requests.add(nowMs);
  }

  /** Takes one retry out of the budget; false, and nothing taken, when it is used up. */
  take(nowMs: number, limits: BudgetLimits): boolean {
    const share = this.#requests.total(nowMs) * limits.budgetPercent / 100;
    const granted = this.#retries.total(nowMs) + 1 <= share ||
      this.#lastSecond.total(nowMs) + 1 <= limits.minRetriesPerSecond;
    if (!granted) return false;
    this.#retries.add(nowMs);
    this.#lastSecond.add(nowMs);
    return true;
  }
}
