/** What is counted of the exchanges of one route: looked up once at compile time, three adds per exchange. */
import type { RouteReport } from "../control/schema/protocol.ts";
import { type Counter, type Histogram, type Metrics, MS_BOUNDS } from "../core/metrics.ts";

const CLASSES = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

export class RouteStats {
  readonly listener: string;
  readonly route: string;
  readonly backend: string;
  readonly #byClass: readonly Counter[];
  readonly #duration: Histogram;

  constructor(metrics: Metrics, listener: string, route: string, backend: string) {
    this.listener = listener;
    this.route = route;
    this.backend = backend;
    const labels = { listener, route, backend };
    const help = "Exchanges ended, by class of the status sent to the client";
    this.#byClass = CLASSES.map((code) =>
      metrics.counter("denim_requests_total", help, { ...labels, code })
    );
    this.#duration = metrics.histogram(
      "denim_request_duration_ms",
      "From the request's head to the response's last byte, in milliseconds",
      labels,
      MS_BOUNDS,
    );
  }

  /** `status` 0: the client left before there was one. */
  record(status: number, durationMs: number): void {
    this.#byClass[status >= 100 && status < 600 ? (status / 100) | 0 : 0]!.add();
    this.#duration.record(durationMs);
  }

  report(): RouteReport {
    let requests = 0;
    for (const counter of this.#byClass) requests += counter.value;
    return {
      listener: this.listener,
      route: this.route,
      backend: this.backend,
      requests,
      errors: this.#byClass[5]!.value,
      p50Ms: this.#duration.quantile(0.5),
      p99Ms: this.#duration.quantile(0.99),
    };
  }
}
