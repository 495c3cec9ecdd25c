/** What HTTP/2 peers do wrong: counted by kind, and each connection we end for it logged with its reason. */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Counter, Metrics } from "../core/metrics.ts";
import type { H2Events } from "./h2/connection.ts";
import { ERROR_NAMES } from "./h2/frame.ts";
import type { Glitch } from "./h2/glitches.ts";
import { RefusalLog } from "./refusal_log.ts";

export interface H2ReportDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** One for each listener, and one for all upstreams. */
export class H2Report {
  #where: string;
  readonly #metrics: Metrics;
  readonly #log: RefusalLog;
  readonly #glitches = new Map<Glitch, Counter>();

  /** `where`: the listener's name. */
  constructor(where: string, { clock, log, metrics }: H2ReportDeps) {
    this.#where = where;
    this.#metrics = metrics;
    this.#log = new RefusalLog(log, clock, "h2.connection_error");
  }

  rename(where: string): void {
    this.#where = where;
    this.#glitches.clear();
  }

  /** The events of one connection with `remote`, who has proved to be `peer`. */
  of(remote: string, peer: string): H2Events {
    return {
      glitch: (what) => this.#glitch(what).add(),
      failed: (code, about, glitches) => {
        const error = ERROR_NAMES[code] ?? String(code);
        this.#metrics.counter(
          "denim_h2_connection_errors_total",
          "HTTP/2 connections ended for an error of the peer",
          { listener: this.#where, error },
        ).add();
        this.#log.write({
          listener: this.#where,
          remote,
          ...(peer === "" ? {} : { peer }),
          error,
          reason: about,
          glitches: [...glitches].map(([what, n]) => `${what} ${n}`).join(", "),
        });
      },
    };
  }

  #glitch(what: Glitch): Counter {
    const known = this.#glitches.get(what);
    if (known !== undefined) return known;
    const counter = this.#metrics.counter(
      "denim_h2_glitches_total",
      "HTTP/2 frames that are legal alone and an attack in numbers",
      { listener: this.#where, glitch: what },
    );
    this.#glitches.set(what, counter);
    return counter;
  }
}
