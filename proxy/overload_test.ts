import assert from "node:assert/strict";
import { Buffered } from "../core/buffered.ts";
import { silentLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { CALM_LOOKS, Overload, type OverloadLimits, type Sample } from "./overload.ts";

const CALM: Sample = { loopLagMs: 1, heapPercent: 30, rssBytes: 50e6 };

function rig(limits: Partial<OverloadLimits> = {}) {
  const buffered = new Buffered(), metrics = new Metrics();
  const overload = new Overload(limits, buffered, metrics, silentLog);
  const looks = (n: number, over: Partial<Sample> = {}): void => {
    for (let i = 0; i < n; i++) overload.look({ ...CALM, ...over });
  };
  return { overload, buffered, metrics, looks };
}

Deno.test("Overload refuses the exchange above the limit at once, and goes on until it is clearly below", () => {
  const { overload, looks } = rig({ maxInFlight: 10 });
  for (let i = 0; i < 10; i++) assert.equal(overload.began(), true);
  assert.equal(overload.began(), false);
  overload.ended();
  overload.ended(); // 9 in flight: below the limit, but not clearly
  assert.equal(overload.began(), false);
  overload.ended();
  looks(CALM_LOOKS + 1);
  assert.match(overload.reason ?? "", /exchanges in flight/);
  overload.ended();
  overload.ended(); // 7
  looks(CALM_LOOKS - 1);
  assert.notEqual(overload.reason, null);
  looks(1);
  assert.equal(overload.reason, null);
  assert.equal(overload.began(), true);
});

Deno.test("Overload sheds when the loop lags for several looks, not at one stall", () => {
  const { overload, looks } = rig({ maxLoopLagMs: 500 });
  looks(1, { loopLagMs: 900 });
  looks(2);
  assert.equal(overload.reason, null);
  looks(6, { loopLagMs: 900 });
  assert.match(overload.reason ?? "", /event loop lag/);
  assert.equal(overload.began(), false);
});

Deno.test("Overload sheds at the heap's limit and at the process's, where there is one", () => {
  const heap = rig();
  heap.looks(3, { heapPercent: 95 });
  assert.match(heap.overload.reason ?? "", /heap/);
  const unlimited = rig();
  unlimited.looks(5, { rssBytes: 1e12 });
  assert.equal(unlimited.overload.reason, null);
  const limited = rig({ maxRssBytes: 100e6 });
  limited.looks(3, { rssBytes: 120e6 });
  assert.match(limited.overload.reason ?? "", /memory/);
  assert.match(limited.metrics.render(), /^denim_overload_percent\{signal="rss"\} 120$/m);
  assert.doesNotMatch(unlimited.metrics.render(), /signal="rss"/);
});

Deno.test("Overload holds less from half of the limit on buffered bytes, and sheds at all of it", () => {
  const { overload, buffered, looks } = rig({ maxBufferedBytes: 1000 });
  buffered.add(499);
  looks(1);
  assert.equal(buffered.tight, false);
  buffered.add(1);
  looks(1);
  assert.equal(buffered.tight, true);
  assert.equal(overload.reason, null);
  buffered.add(500);
  looks(1);
  assert.match(overload.reason ?? "", /buffered/);
  buffered.remove(900);
  looks(CALM_LOOKS);
  assert.equal(overload.reason, null);
  assert.equal(buffered.tight, false);
});

Deno.test("Overload that comes and goes around its limit does not flap", () => {
  const { overload, metrics, looks } = rig({ maxHeapPercent: 90 });
  looks(3, { heapPercent: 91 });
  for (let i = 0; i < 20; i++) looks(1, { heapPercent: i % 2 === 0 ? 89 : 91 });
  assert.notEqual(overload.reason, null);
  assert.match(metrics.render(), /denim_overloaded 1/);
});
