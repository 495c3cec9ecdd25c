/** What is counted of the exchanges of one route: looked up once at compile time, three adds per exchange. */
import type { RouteReport } from "../control/schema/protocol.ts";
import { type Counter, type Histogram, type Metrics, MS_BOUNDS } from "../core/metrics.ts";

const CLASSES = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"] as const;

export class RouteStats {
  readonly listener: string;
  readonly route: string;
  readonly backend: string;
  readonly #metrics: Metrics;
  readonly #byClass: readonly Counter[];
  readonly #duration: Histogram;

  /** Most routes never carry a tunnel. */
  #up: Counter | null = null;
  #down: Counter | null = null;

  constructor(metrics: Metrics, listener: string, route: string, backend: string) {
    this.#metrics = metrics;
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

  /** Bytes of a tunnel since the last call, from the client and to it. */
  carried(up: number, down: number): void {
    this.#up ??= this.#bytes("up");
    this.#down ??= this.#bytes("down");
    this.#up.add(up);
    this.#down.add(down);
  }

  #bytes(direction: "up" | "down"): Counter {
    const { listener, route, backend } = this;
    const help = "Bytes tunnels have carried: up from the client, down to it";
    const labels = { listener, route, backend, direction };
    return this.#metrics.counter("denim_tunnel_bytes_total", help, labels);
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
