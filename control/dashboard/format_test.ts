/** Figures read as people expect, at the borders of each unit. */
import assert from "node:assert/strict";
import {
  ago,
  bytes,
  count,
  duration,
  micros,
  millis,
  percent,
  rate,
  until,
  webLink,
} from "./format.ts";

Deno.test("percent never rounds a failure away", () => {
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0.99999), "99.99 %");
  assert.equal(percent(0.5), "50.0 %");
  assert.equal(percent(null), "–");
});

Deno.test("figures change unit when they grow", () => {
  assert.deepEqual([rate(0), rate(0.25), rate(42.4)], ["0", "0.3", "42"]);
  assert.deepEqual([count(9_999), count(12_345), count(2_500_000)], ["9999", "12 k", "2.5 M"]);
  assert.deepEqual([millis(0.42), millis(3), millis(3.14), millis(15_000)], [
    "0.42 ms",
    "3 ms",
    "3.1 ms",
    "15 s",
  ]);
  assert.deepEqual([micros(3.6), micros(1500)], ["3.6 µs", "1.5 ms"]);
  assert.deepEqual([bytes(1023), bytes(70 * 1024 * 1024)], ["1023 B", "70 MiB"]);
});

Deno.test("times are told from now", () => {
  assert.equal(duration(90_000), "1 min");
  assert.equal(ago(1_000, 1_200), "just now");
  assert.equal(ago(0, 3_600_000), "1 h ago");
  assert.equal(until(0, 5), "expired");
  assert.equal(until(86_400_000, 0), "in 24 h");
});

Deno.test("webLink refuses what is not the web", () => {
  assert.equal(webLink("javascript:alert(1)"), null);
  assert.equal(webLink("data:text/html,x"), null);
  assert.equal(webLink("not a url"), null);
  assert.equal(webLink("https://example.com/x"), "https://example.com/x");
});
