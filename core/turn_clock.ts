/**
 * A clock that stands still while what one read brought is worked off, as the event loops of other proxies
 * have it: asking the system costs 0.1 µs, and an exchange asks ten times. Durations are off by the length
 * of such a turn at most, some tens of microseconds. What is measured within a turn asks the clock below.
 */
import type { Clock } from "./clock.ts";

let turn = 0;
let working = false;

/** From here to {@link turnEnds} it is one moment. */
export function turnBegins(): void {
  turn++;
  working = true;
}

export function turnEnds(): void {
  working = false;
}

export class TurnClock implements Clock {
  readonly #clock: Clock;
  #turn = -1;
  #ms = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nowMs(): number {
    return this.#clock.nowMs();
  }
  monotonicMs(): number {
    if (!working) return this.#clock.monotonicMs();
    if (this.#turn !== turn) {
      this.#turn = turn;
      this.#ms = this.#clock.monotonicMs();
    }
    return this.#ms;
  }
}
