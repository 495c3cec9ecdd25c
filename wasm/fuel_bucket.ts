/**
 * Fuel per second of one filter in one proxy, as a token bucket. The clock is read only when it has run dry,
 * so a filter within its limit pays nothing; one that was idle may use up to two seconds' worth at once.
 */
import type { Clock } from "../core/clock.ts";

export class FuelBucket {
  readonly #clock: Clock;
  readonly #perSecond: number;
  #left: number;
  #sinceMs: number;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#sinceMs = clock.monotonicMs();
  }

  take(fuel: number): void {
    this.#left -= fuel;
  }

  /** Whether the filter is over its limit now. */
  get empty(): boolean {
    if (this.#left > 0) return false;
    const now = this.#clock.monotonicMs();
    const earned = ((now - this.#sinceMs) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#left + earned, this.#perSecond);
    this.#sinceMs = now;
    return this.#left <= 0;
  }
}
