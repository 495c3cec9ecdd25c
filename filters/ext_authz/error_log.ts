/** Says why a provider gave no answer: one line a second, since a provider that is down fails every request. */
import type { Clock } from "../../core/clock.ts";
import type { Log, LogFields } from "../../core/log.ts";

export class ErrorLog {
  readonly #log: Log;
  readonly #clock: Clock;
  #nextMs = 0;
  #suppressed = 0;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  write(fields: LogFields): void {
    const now = this.#clock.monotonicMs();
    if (now < this.#nextMs) return void this.#suppressed++;
    this.#nextMs = now + 1000;
    const suppressed = this.#suppressed === 0 ? undefined : this.#suppressed;
    this.#suppressed = 0;
    this.#log.warn("ext_authz.no_answer", { ...fields, suppressed });
  }
}
