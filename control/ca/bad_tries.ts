/**
 * Bad tries by source, so that who guesses is not heard for a while. Per source, because a lock for all
 * would let anybody keep everybody from joining.
 */

export interface TryLimits {
  /** Tries within a window after which a source is not heard until the window is over. */
  readonly most: number;
  readonly windowMs: number;
  /** Sources counted at one time; the one counted for longest is forgotten first. */
  readonly sources: number;
}

export class Tries {
  readonly #limits: TryLimits;
  readonly #bySource = new Map<string, { startMs: number; count: number }>();

  constructor(limits: TryLimits) {
    this.#limits = limits;
  }

  isOver(source: string, nowMs: number): boolean {
    const tries = this.#bySource.get(source);
    return tries !== undefined && this.#isCurrent(tries.startMs, nowMs) &&
      tries.count >= this.#limits.most;
  }

  count(source: string, nowMs: number): void {
    const tries = this.#bySource.get(source);
    if (tries !== undefined && this.#isCurrent(tries.startMs, nowMs)) {
      tries.count++;
      return;
    }
    this.#bySource.delete(source);
    for (const oldest of this.#bySource.keys()) {
      if (this.#bySource.size < this.#limits.sources) break;
      this.#bySource.delete(oldest);
    }
    this.#bySource.set(source, { startMs: nowMs, count: 1 });
  }

  /** Also after a clock was set back. */
  #isCurrent(startMs: number, nowMs: number): boolean {
    return Math.abs(nowMs - startMs) < this.#limits.windowMs;
  }
}
