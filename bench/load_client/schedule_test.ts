/** Latency counts from when a request was due, whatever kept it from being sent. */
import assert from "node:assert/strict";
import { percentileUs, Schedule } from "./schedule.ts";

const OPTIONS = { firstMs: 100, perSecond: 1000, seconds: 0.004, warmUpSeconds: 0 };

Deno.test("Schedule gives each request at its time and not before", () => {
  const schedule = new Schedule(OPTIONS);
  assert.equal(schedule.total, 4);
  assert.equal(schedule.take(99.9), -1);
  assert.equal(schedule.take(100), 0);
  assert.equal(schedule.take(100.5), -1);
  assert.equal(schedule.nextDueMs, 101);
  assert.equal(schedule.take(102.5), 1);
  assert.equal(schedule.take(102.5), 2);
  assert.equal(schedule.take(102.5), -1);
});

Deno.test("Schedule counts the waiting of requests that fell due while all was stalled", () => {
  const schedule = new Schedule(OPTIONS);
  // A stall of 10 ms from the first request on; all are answered 0.1 ms after it.
  for (let request = 0; request < 4; request++) assert.equal(schedule.take(110), request);
  for (let request = 0; request < 4; request++) schedule.answered(request, 110.1, true);
  assert.ok(schedule.finished);
  const report = schedule.report();
  assert.equal(report.maxUs, 10_100);
  assert.equal(report.p50Us, 8_100);
  assert.equal(report.lateP99Us, 10_000);
  assert.equal(report.failures, 0);
});

Deno.test("Schedule leaves the warm-up out and counts what failed or never came", () => {
  const schedule = new Schedule({ ...OPTIONS, warmUpSeconds: 0.002 });
  assert.equal(schedule.total, 6);
  for (let request = 0; request < 6; request++) schedule.take(200);
  schedule.answered(0, 900, true);
  schedule.answered(1, 900, true);
  schedule.answered(2, 102.5, true);
  schedule.answered(3, 103.5, false);
  const report = schedule.report();
  assert.equal(report.requests, 4);
  assert.equal(report.failures, 3);
  assert.equal(report.maxUs, 500);
});

Deno.test("percentileUs takes the nearest rank", () => {
  const values = Float64Array.from({ length: 1000 }, (_, index) => index + 1);
  assert.equal(percentileUs(values, 50), 500_000);
  assert.equal(percentileUs(values, 99), 990_000);
  assert.equal(percentileUs(values, 99.9), 999_000);
  assert.equal(percentileUs(values, 100), 1_000_000);
});
