/** Logs connections that were turned away, a bounded number a second: whoever causes it must not fill the disk. */
import type { Clock } from "../core/clock.ts";
import type { Log, LogFields } from "../core/log.ts";

/** Lines one listener may log a second; what is over is counted and told with the next line. */
export const MAX_REFUSALS_LOGGED_PER_SECOND = 50;

export class RefusalLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #message: string;
  #second = -1;
  #logged = 0;
  #suppressed = 0;

  constructor(log: Log, clock: Clock, message = "inbound.refused") {
    this.#message = message;
    this.#log = log;
    this.#clock = clock;
  }

  write(fields: LogFields): void {
    const second = Math.floor(this.#clock.monotonicMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#logged = 0;
    }
    if (this.#logged >= MAX_REFUSALS_LOGGED_PER_SECOND) return void this.#suppressed++;
    this.#logged++;
    const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed;
    this.#suppressed = 0;
    this.#log.warn(this.#message, { ...fields, suppressed });
  }
}
