/** Counters, gauges and histograms with bounded label sets, and their Prometheus text form. */

export type Labels = Readonly<Record<string, string>>;

export class Counter {
  value = 0;
  add(n = 1): void {
    this.value += n;
  }
}

export class Gauge {
  value = 0;
  set(n: number): void {
    this.value = n;
  }
  add(n: number): void {
    this.value += n;
  }
}

/** Bucket bounds in the unit of the metric's name. */
export const MS_BOUNDS = [
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1000,
  2500,
  5000,
  10000,
] as const;
export const US_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000] as const;

export class Histogram {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  record(value: number): void {
    const { bounds } = this;
    let i = 0;
    while (i < bounds.length && value > bounds[i]!) i++;
    this.counts[i]!++;
    this.sum += value;
    this.count++;
  }

  /** The upper bound of the bucket that holds quantile `q` (0–1); 0 when empty. */
  quantile(q: number): number {
    if (this.count === 0) return 0;
    let left = q * this.count;
    for (let i = 0; i < this.counts.length; i++) {
      left -= this.counts[i]!;
      if (left <= 0) return this.bounds[i] ?? this.bounds[this.bounds.length - 1]!;
    }
    return this.bounds[this.bounds.length - 1]!;
  }
}

type Metric = Counter | Gauge | Histogram;
interface Series<M extends Metric = Metric> {
  readonly labels: Labels;
  readonly metric: M;
}
interface Family<M extends Metric = Metric> {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** By its labels as text. */
  readonly series: Map<string, Series<M>>;
}

/** Series one family may hold; more share one series with every label "other". */
export const SERIES_LIMIT = 1000;

/** A registry. Look a series up once, when configuration is compiled, and keep the object. */
export class Metrics {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string, labels: Labels = {}): Counter {
    return this.#series(name, "counter", help, labels, () => new Counter());
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    return this.#series(name, "gauge", help, labels, () => new Gauge());
  }

  histogram(
    name: string,
    help: string,
    labels: Labels = {},
    bounds: readonly number[] = MS_BOUNDS,
  ): Histogram {
    return this.#series(name, "histogram", help, labels, () => new Histogram(bounds));
  }

  /** The series of a counter or gauge; empty when nobody has asked for one yet. */
  read(name: string): { readonly labels: Labels; readonly value: number }[] {
    const series = this.#families.get(name)?.series.values() ?? [];
    return [...series].flatMap(({ labels, metric }) =>
      metric instanceof Histogram ? [] : [{ labels, value: metric.value }]
    );
  }

  /** Prometheus text exposition format 0.0.4. */
  render(): string {
    let out = "";
    for (const [name, family] of this.#families) {
      out += `# HELP ${name} ${family.help}\n# TYPE ${name} ${family.type}\n`;
      for (const [labels, { metric }] of family.series) out += renderSeries(name, labels, metric);
    }
    return out;
  }

  #series<M extends Metric>(
    name: string,
    type: Family["type"],
    help: string,
    labels: Labels,
    make: () => M,
  ): M {
    let family = this.#families.get(name) as Family<M> | undefined;
    if (family === undefined) {
      family = { type, help, series: new Map() };
      this.#families.set(name, family);
    }
    let key = labelText(labels);
    const found = family.series.get(key);
    if (found !== undefined) return found.metric;
    if (family.series.size >= SERIES_LIMIT) {
      labels = Object.fromEntries(Object.keys(labels).map((label) => [label, "other"]));
      key = labelText(labels);
      const other = family.series.get(key);
      if (other !== undefined) return other.metric;
    }
    const metric = make();
    family.series.set(key, { labels, metric });
    return metric;
  }
}

function labelText(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",");
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`));
}

function renderSeries(name: string, labels: string, metric: Metric): string {
  if (!(metric instanceof Histogram)) {
    return `${name}${labels === "" ? "" : `{${labels}}`} ${metric.value}\n`;
  }
  const with_ = labels === "" ? "" : `${labels},`;
  let out = "";
  let below = 0;
  for (let i = 0; i <= metric.bounds.length; i++) {
    below += metric.counts[i]!;
    out += `${name}_bucket{${with_}le="${metric.bounds[i] ?? "+Inf"}"} ${below}\n`;
  }
  const braces = labels === "" ? "" : `{${labels}}`;
  return `${out}${name}_sum${braces} ${metric.sum}\n${name}_count${braces} ${metric.count}\n`;
}
