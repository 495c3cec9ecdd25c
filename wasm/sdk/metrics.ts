/** Metrics of the proxy, from inside a filter. Using it needs the capability `metrics`. */
import { counter, gauge, histogram } from "denim:filter/metrics@0.1.0";

export type Labels = Readonly<Record<string, string>>;

/** Appear on the proxy's `/metrics` as `denim_filter_<name>`, with the filter's name as a label. */
export const metrics = {
  count: (name: string, labels: Labels = {}, delta = 1): void =>
    counter(name, Object.entries(labels), delta),
  gauge: (name: string, value: number, labels: Labels = {}): void =>
    gauge(name, Object.entries(labels), value),
  record: (name: string, value: number, labels: Labels = {}): void =>
    histogram(name, Object.entries(labels), value),
};
