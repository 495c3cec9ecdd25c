/** The summary of a comparison: medians, not means, and ratios of medians. */
import assert from "node:assert/strict";
import { alternate, compare, median } from "./figures.ts";

const figures = (cpuUsPerRequest: number, requestsPerSecond: number) => ({
  cpuUsPerRequest,
  requestsPerSecond,
  p50Ms: 1,
  p99Ms: 2,
});

Deno.test("compare takes medians when one round was disturbed", () => {
  const result = compare([
    { denim: figures(20, 50_000), haproxy: figures(10, 100_000) },
    { denim: figures(90, 1_000), haproxy: figures(12, 90_000) },
    { denim: figures(22, 48_000), haproxy: figures(11, 96_000) },
  ]);
  assert.equal(result.denim.cpuUsPerRequest, 22);
  assert.deepEqual(result.ratio, { cpuPerRequest: 2, throughput: 0.5 });
});

Deno.test("median takes the middle of two when their number is even", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("alternate lets the other go first in every second round", async () => {
  const order: string[] = [];
  await alternate(3, (which) => {
    order.push(which);
    return Promise.resolve(figures(1, 1));
  });
  assert.deepEqual(order, ["denim", "haproxy", "haproxy", "denim", "denim", "haproxy"]);
});
