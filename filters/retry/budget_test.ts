import assert from "node:assert/strict";
import fc from "fast-check";
import { RetryBudget, SlidingCount } from "./budget.ts";

Deno.test("SlidingCount forgets what the window has left behind", () => {
  const count = new SlidingCount(100, 10);
  count.add(5_000);
  count.add(5_450);
  assert.equal(count.total(5_999), 2);
  assert.equal(count.total(6_000), 1);
  assert.equal(count.total(6_400), 0);
  count.add(99_000);
  assert.equal(count.total(99_000), 1);
});

Deno.test("RetryBudget grants a fifth of the requests at 20 %", () => {
  const budget = new RetryBudget(10_000);
  const limits = { budgetPercent: 20, minRetriesPerSecond: 0 };
  for (let i = 0; i < 100; i++) budget.request(1000 + i);
  let granted = 0;
  for (let i = 0; i < 100; i++) if (budget.take(1200, limits)) granted++;
  assert.equal(granted, 20);
});

Deno.test("RetryBudget grants its floor to a quiet backend", () => {
  const budget = new RetryBudget(10_000);
  const limits = { budgetPercent: 20, minRetriesPerSecond: 3 };
  const granted = (atMs: number): number => {
    let count = 0;
    for (let i = 0; i < 10; i++) if (budget.take(atMs, limits)) count++;
    return count;
  };
  assert.equal(granted(50_000), 3);
  assert.equal(granted(50_900), 0);
  assert.equal(granted(51_150), 3);
});

Deno.test("RetryBudget forgets requests older than its interval", () => {
  const budget = new RetryBudget(10_000);
  const limits = { budgetPercent: 20, minRetriesPerSecond: 0 };
  for (let i = 0; i < 100; i++) budget.request(1000);
  assert.equal(budget.take(10_500, limits), true);
  assert.equal(budget.take(11_001, limits), false);
});

/** Requests or wishes to retry, some milliseconds after what was before. Gaps favour window edges. */
const event = fc.record({
  afterMs: fc.oneof(
    fc.constantFrom(0, 1, 50, 899, 901, 950, 999, 1000),
    fc.integer({ min: 0, max: 400 }),
    fc.constant(7_000),
  ),
  times: fc.integer({ min: 1, max: 6 }),
  retry: fc.boolean(),
});

Deno.test("RetryBudget is never exceeded, whatever the order and pace of events", () => {
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 60 }),
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 5 }),
      fc.constantFrom(1_000, 3_333, 10_000),
      (events, budgetPercent, minRetriesPerSecond, intervalMs) => {
        const budget = new RetryBudget(intervalMs);
        const requests: number[] = [];
        const retries: number[] = [];
        const within = (times: number[], nowMs: number, windowMs: number): number =>
          times.filter((time) => time > nowMs - windowMs).length;
        let nowMs = 123_456;
        for (let i = 0; i < events.length * 6; i++) {
          const { afterMs, times, retry } = events[Math.floor(i / 6)]!;
          if (i % 6 === 0) nowMs += afterMs;
          if (i % 6 >= times) continue;
          if (!retry) {
            budget.request(nowMs);
            requests.push(nowMs);
          } else if (budget.take(nowMs, { budgetPercent, minRetriesPerSecond })) {
            retries.push(nowMs);
            const share = within(requests, nowMs, intervalMs) * budgetPercent / 100;
            assert.ok(
              within(retries, nowMs, intervalMs) <= share ||
                within(retries, nowMs, 1000) <= minRetriesPerSecond,
              `over budget at ${nowMs}`,
            );
          }
        }
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("RetryBudget is not stingy: a steady load gets its share within one part in five", () => {
  const budget = new RetryBudget(10_000);
  const limits = { budgetPercent: 20, minRetriesPerSecond: 0 };
  let granted = 0;
  for (let ms = 0; ms < 60_000; ms += 10) {
    budget.request(ms);
    if (budget.take(ms, limits)) granted++;
  }
  assert.ok(granted > 6000 * 0.2 * 0.8 && granted <= 6000 * 0.2, `granted ${granted} of 1200`);
});
