/** A filter over one of its limits: counted each time, and said now and then, by the limit's name. */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Counter, Metrics } from "../core/metrics.ts";
import { type LimitName, WASM_LIMITS } from "./limits.ts";

interface Seen {
  readonly counter: Counter;
  saidMs: number;
  since: number;
}

export class OverLimit {
  readonly #seen = new Map<LimitName, Seen>();
  readonly #options: {
    readonly name: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
  };

  constructor(options: {
    readonly name: string;
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: Metrics;
  }) {
    this.#options = options;
  }

  /** `allowed` is the limit's value, for the log. */
  note(limit: LimitName, allowed: number): void {
    const { name, clock, log, metrics } = this.#options;
    let seen = this.#seen.get(limit);
    if (seen === undefined) {
      const help = "What Wasm filters were refused for being over a limit";
      const counter = metrics.counter("denim_wasm_over_limit_total", help, { filter: name, limit });
      seen = { counter, saidMs: -Infinity, since: 0 };
      this.#seen.set(limit, seen);
    }
    seen.counter.add();
    seen.since++;
    const now = clock.monotonicMs();
    if (now - seen.saidMs < WASM_LIMITS.overLimitLogMs) return;
    const times = seen.since;
    seen.saidMs = now;
    seen.since = 0;
    log.warn("wasm.over_limit", {
      limit,
      allowed,
      times,
      hint: `raise spec.limits.${limit} of the FilterBinding if the filter is right`,
    });
  }
}
