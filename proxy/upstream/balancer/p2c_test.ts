import assert from "node:assert/strict";
import { P2cBalancer } from "./p2c.ts";
import { seededRandom } from "../../../core/clock.ts";
import { candidates, testEnv } from "./fakes.ts";

Deno.test("P2C never picks the most loaded of several", () => {
  const endpoints = candidates(4);
  for (const { stats } of endpoints) stats.finished(100_000, 5, true);
  endpoints[2]!.stats.inFlight = 50;
  const balancer = new P2cBalancer(testEnv(3));
  for (let i = 0; i < 1000; i++) assert.notEqual(balancer.pick(endpoints, []), 2);
});

Deno.test("P2C picks the best of n with probability 2/n, not always: no herd", () => {
  const endpoints = candidates(10);
  endpoints.forEach(({ stats }, i) => stats.finished(100_000, 10 + i, true));
  const balancer = new P2cBalancer(testEnv(4));
  const counts: number[] = new Array(10).fill(0);
  for (let i = 0; i < 10_000; i++) counts[balancer.pick(endpoints, [])]!++;
  // Rank r (from 0) wins every pair with one of the n − 1 − r behind it, of n(n − 1)/2 pairs.
  for (let rank = 0; rank < 10; rank++) {
    const expected = 10_000 * 2 * (9 - rank) / 90;
    assert.ok(Math.abs(counts[rank]! - expected) < 200, `rank ${rank}: ${counts[rank]}`);
  }
});

/** Open-loop requests, one every `everyMs`, to endpoints that each serve one at a time. */
function simulate(serviceMs: readonly number[], everyMs: number, total: number): number[] {
  let nowMs = 0;
  const endpoints = candidates(serviceMs.length);
  const balancer = new P2cBalancer({
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    random: seededRandom(11),
  });
  const freeAtMs: number[] = serviceMs.map(() => 0);
  const counts: number[] = serviceMs.map(() => 0);
  const running: { endsMs: number; beganMs: number; at: number }[] = [];
  for (let i = 0; i < total; i++) {
    nowMs = i * everyMs;
    for (const done of running.filter((request) => request.endsMs <= nowMs)) {
      endpoints[done.at]!.stats.finished(done.endsMs, done.endsMs - done.beganMs, true);
      running.splice(running.indexOf(done), 1);
    }
    const at = balancer.pick(endpoints, []);
    counts[at]!++;
    endpoints[at]!.stats.started(nowMs);
    freeAtMs[at] = Math.max(freeAtMs[at]!, nowMs) + serviceMs[at]!;
    running.push({ endsMs: freeAtMs[at]!, beganMs: nowMs, at });
  }
  return counts;
}

Deno.test("P2C sends little to an endpoint that is twenty times slower", () => {
  const counts = simulate([5, 5, 5, 100], 3, 5000);
  assert.ok(counts[3]! < 5000 * 0.05, `shares ${counts.join(" ")}`);
  assert.ok(counts[3]! > 0, "it must be tried now and then, or its recovery goes unseen");
});

Deno.test("P2C spreads a load near capacity evenly over equal endpoints", () => {
  const counts = simulate([10, 10, 10, 10], 3, 8000);
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 300, `shares ${counts.join(" ")}`);
});
