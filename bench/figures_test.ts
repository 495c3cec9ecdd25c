/** The summary of a comparison: medians, not means, and ratios of medians. */
import assert from "node:assert/strict";
import { alternate, compare, MAX_OTHERS_PERCENT, median } from "./figures.ts";

const figures = (cpuUsPerRequest: number, requestsPerSecond: number, othersPercent = 0) => ({
  cpuUsPerRequest,
  requestsPerSecond,
  othersPercent,
});

Deno.test("compare takes medians when one round was disturbed, and divides by each rival", () => {
  const result = compare([
    { denim: figures(20, 50_000), haproxy: figures(10, 100_000), nginx: figures(20, 50_000) },
    { denim: figures(90, 1_000), haproxy: figures(12, 90_000), nginx: figures(20, 50_000) },
    { denim: figures(22, 48_000), haproxy: figures(11, 96_000), nginx: figures(20, 50_000) },
  ]);
  assert.equal(result.medians["denim"]?.cpuUsPerRequest, 22);
  assert.deepEqual(result.ratio, {
    haproxy: { cpuUsPerRequest: 2, requestsPerSecond: 0.5 },
    nginx: { cpuUsPerRequest: 1.1, requestsPerSecond: 0.96 },
  });
});

Deno.test("compare refuses rounds without denim", () => {
  assert.throws(() => compare([{ haproxy: figures(1, 1) }]), /no round of denim/);
});

Deno.test("median takes the middle of two when their number is even", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

Deno.test("alternate lets another go first in every round", async () => {
  const order: string[] = [];
  await alternate(3, ["a", "b", "c"], (name) => {
    order.push(name);
    return Promise.resolve(figures(1, 1));
  }, () => {});
  assert.equal(order.join(""), "abcbcacab");
});

Deno.test("alternate measures again when others were busy, and not for ever", async () => {
  const busy = MAX_OTHERS_PERCENT + 1;
  const shares = [busy, 0, busy, busy, busy];
  let calls = 0;
  const each = await alternate(2, ["denim"], () => {
    calls++;
    return Promise.resolve(figures(calls, 1, shares.shift()));
  }, () => {});
  assert.deepEqual(each.map((round) => round["denim"]?.cpuUsPerRequest), [2, 4]);
});
