/** A filter's share of the proxy's log: a line costs as much as many calls, so a chatty filter must not cost everyone. */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { WASM_LIMITS } from "../limits.ts";

export class LogShare {
  readonly #clock: Clock;
  readonly #log: Log;
  #left: number = WASM_LIMITS.logLinesBurst;
  #sinceMs: number;
  #dropped = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
    this.#sinceMs = clock.monotonicMs();
  }

  /** Takes one line; says once there is room again how many were dropped. */
  take(): boolean {
    const now = this.#clock.monotonicMs();
    const earned = ((now - this.#sinceMs) / 1000) * WASM_LIMITS.logLinesPerSecond;
    this.#sinceMs = now;
    this.#left = Math.min(this.#left + earned, WASM_LIMITS.logLinesBurst);
    if (this.#left < 1) {
      this.#dropped++;
      return false;
    }
    this.#left--;
    if (this.#dropped > 0) {
      this.#log.warn("wasm.log_dropped", { lines: this.#dropped });
      this.#dropped = 0;
    }
    return true;
  }
}
