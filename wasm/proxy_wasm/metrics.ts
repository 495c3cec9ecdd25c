/** Metrics a filter defines for itself; they show under fixed family names with the filter's and the metric's name as labels. */
import {
  type Counter,
  type Gauge,
  Histogram,
  type Metrics,
  US_BOUNDS,
} from "../../core/metrics.ts";
import { WASM_LIMITS } from "../limits.ts";
import { METRIC, STATUS } from "./abi.ts";

type Series = { readonly type: number; readonly metric: Counter | Gauge | Histogram };

export class PluginMetrics {
  readonly #metrics: Metrics;
  readonly #filter: string;
  readonly #ids = new Map<string, number>();
  readonly #series: Series[] = [];

  constructor(metrics: Metrics, filter: string) {
    this.#metrics = metrics;
    this.#filter = filter;
  }

  /** The id of a metric, the same for the same name; 0 when it cannot be defined. */
  define(type: number, name: string): number {
    if (type !== METRIC.counter && type !== METRIC.gauge && type !== METRIC.histogram) return 0;
    if (name.length === 0 || name.length > WASM_LIMITS.metricNameChars) return 0;
    const key = `${type} ${name}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#series.length >= WASM_LIMITS.metrics) return 0;
    this.#series.push({ type, metric: this.#make(type, { filter: this.#filter, name }) });
    this.#ids.set(key, this.#series.length);
    return this.#series.length;
  }

  increment(id: number, delta: number): number {
    const series = this.#series[id - 1];
    if (series === undefined) return STATUS.notFound;
    if (series.metric instanceof Histogram) return STATUS.badArgument;
    if (series.type === METRIC.counter && delta <= 0) return STATUS.badArgument;
    series.metric.add(delta);
    return STATUS.ok;
  }

  /** As Envoy does: a counter adds, a gauge sets, a histogram records. */
  record(id: number, value: number): number {
    const series = this.#series[id - 1];
    if (series === undefined) return STATUS.notFound;
    if (series.metric instanceof Histogram) series.metric.record(value);
    else if (series.type === METRIC.gauge) (series.metric as Gauge).set(value);
    else if (value < 0) return STATUS.badArgument;
    else series.metric.add(value);
    return STATUS.ok;
  }

  /** The value, or a status when there is none. */
  read(id: number): { readonly value: number } | number {
    const series = this.#series[id - 1];
    if (series === undefined) return STATUS.notFound;
    if (series.metric instanceof Histogram) return STATUS.badArgument;
    return { value: series.metric.value };
  }

  #make(type: number, labels: Readonly<Record<string, string>>): Series["metric"] {
    if (type === METRIC.counter) {
      return this.#metrics.counter("denim_wasm_custom_total", "Counters filters define", labels);
    }
    if (type === METRIC.gauge) {
      return this.#metrics.gauge("denim_wasm_custom", "Gauges filters define", labels);
    }
    const help = "Histograms filters define";
    return this.#metrics.histogram("denim_wasm_custom_histogram", help, labels, US_BOUNDS);
  }
}
