/** Counts what is legal once and an attack in numbers, per connection: a leaking bucket and an allowance. */
import type { H2Limits } from "./limits.ts";

export class Glitches {
  readonly #limits: H2Limits;
  readonly #nowMs: () => number;
  readonly #counted: () => void;
  #level = 0;
  #atMs = 0;
  #allowance: number;

  constructor(limits: H2Limits, nowMs: () => number, counted: () => void) {
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#counted = counted;
    this.#allowance = limits.freeFrames;
  }

  /** One glitch; false when it was one too many. */
  add(): boolean {
    const now = this.#nowMs();
    const leaked = ((now - this.#atMs) / 1000) * this.#limits.glitchesPerSecond;
    this.#level = Math.max(0, this.#level - leaked) + 1;
    this.#atMs = now;
    this.#counted();
    return this.#level <= this.#limits.glitches;
  }

  /** Work was done that explains `frames` of the peer's control frames. */
  earn(frames: number): void {
    this.#allowance = Math.min(this.#limits.freeFrames * 100, this.#allowance + frames);
  }

  /** A control frame that the exchanges explain while there are such: a glitch beyond that. */
  spend(): boolean {
    if (this.#allowance < 1) return this.add();
    this.#allowance--;
    return true;
  }
}
