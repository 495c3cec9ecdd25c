/** Waits between tries that grow and differ from proxy to proxy, so that a mesh does not come back all at once. */
import type { Random } from "../../core/clock.ts";

export const BACKOFF_FIRST_MS = 200, BACKOFF_MAX_MS = 5000;

export class Backoff {
  readonly #random: Random;
  #failures = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How long to wait now: between half and all of 0.2, 0.4, 0.8 … 5 s. */
  next(): number {
    const ms = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    return ms * (0.5 + this.#random() / 2);
  }

  /** It worked: the next failure is the first again. */
  reset(): void {
    this.#failures = 0;
  }
}
