import assert from "node:assert/strict";
import { Metrics, SERIES_LIMIT } from "./metrics.ts";

Deno.test("Metrics renders counters, gauges and histograms as Prometheus text", () => {
  const metrics = new Metrics();
  metrics.counter("c_total", "Counts", { route: 'a"b\\c\nd' }).add(2);
  metrics.gauge("g", "Level").set(3);
  const histogram = metrics.histogram("h_ms", "Times", {}, [1, 10]);
  for (const value of [0.5, 5, 5, 50]) histogram.record(value);
  assert.equal(
    metrics.render(),
    [
      "# HELP c_total Counts",
      "# TYPE c_total counter",
      'c_total{route="a\\"b\\\\c\\nd"} 2',
      "# HELP g Level",
      "# TYPE g gauge",
      "g 3",
      "# HELP h_ms Times",
      "# TYPE h_ms histogram",
      'h_ms_bucket{le="1"} 1',
      'h_ms_bucket{le="10"} 3',
      'h_ms_bucket{le="+Inf"} 4',
      "h_ms_sum 60.5",
      "h_ms_count 4",
      "",
    ].join("\n"),
  );
});

Deno.test("Metrics gives the same series for the same labels", () => {
  const metrics = new Metrics();
  metrics.counter("c", "x", { a: "1" }).add();
  metrics.counter("c", "x", { a: "1" }).add();
  assert.match(metrics.render(), /c\{a="1"\} 2/);
});

Deno.test("Metrics bounds the series of a family and counts the rest together", () => {
  const metrics = new Metrics();
  for (let i = 0; i < SERIES_LIMIT + 50; i++) metrics.counter("c", "x", { id: String(i) }).add();
  const text = metrics.render();
  assert.equal(text.split("\n").filter((line) => line.startsWith("c{")).length, SERIES_LIMIT + 1);
  assert.match(text, /c\{id="other"\} 50/);
});

Deno.test("Histogram quantile names the bucket that holds it", () => {
  const histogram = new Metrics().histogram("h", "x", {}, [1, 10, 100]);
  assert.equal(histogram.quantile(0.5), 0);
  for (let i = 0; i < 99; i++) histogram.record(5);
  histogram.record(50);
  assert.equal(histogram.quantile(0.5), 10);
  assert.equal(histogram.quantile(0.999), 100);
});
