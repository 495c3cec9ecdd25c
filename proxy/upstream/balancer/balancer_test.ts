/** What every balancer must do: one suite, run against each of them. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Balancer, BalancerEnv, Candidate } from "./balancer.ts";
import { createBalancer } from "./create.ts";
import { candidates, NOW_MS, testEnv } from "./fakes.ts";

/** How often each of `endpoints` is picked in `picks` picks, each request ending before the next. */
function tally(
  balancer: Balancer,
  endpoints: readonly Candidate[],
  picks: number,
): number[] {
  const counts: number[] = new Array(endpoints.length).fill(0);
  for (let i = 0; i < picks; i++) {
    const at = balancer.pick(endpoints, []);
    counts[at]!++;
    endpoints[at]!.stats.started(NOW_MS);
    endpoints[at]!.stats.finished(NOW_MS, 5, true);
  }
  return counts;
}

/** Registers the suite for one implementation. */
function balancerSuite(name: string, make: (env: BalancerEnv) => Balancer): void {
  Deno.test(`${name} picks nothing from nothing and the one from one`, () => {
    const balancer = make(testEnv());
    assert.equal(balancer.pick([], []), -1);
    const one = candidates(1);
    assert.equal(balancer.pick(one, []), 0);
    assert.equal(balancer.pick(one, [one[0]!.stats.address]), 0, "tried, but there is no other");
    one[0]!.stats.ejectedUntilMs = NOW_MS + 1;
    assert.equal(balancer.pick(one, []), 0, "ejected, but there is no other");
  });

  Deno.test(`${name} shares equal endpoints about equally`, () => {
    const counts = tally(make(testEnv(7)), candidates(5), 5000);
    for (const count of counts) {
      assert.ok(count > 600 && count < 1400, `shares ${counts.join(" ")} of 5000`);
    }
  });

  Deno.test(`${name} shares the healthy ones about equally while others are ejected`, () => {
    const endpoints = candidates(6);
    for (const i of [1, 2, 5]) endpoints[i]!.stats.ejectedUntilMs = NOW_MS + 1;
    const counts = tally(make(testEnv(8)), endpoints, 3000);
    for (const i of [1, 2, 5]) assert.equal(counts[i], 0);
    for (const i of [0, 3, 4]) {
      assert.ok(counts[i]! > 600 && counts[i]! < 1400, `shares ${counts.join(" ")} of 3000`);
    }
  });

  Deno.test(`${name} picks an endpoint again whose ejection is over`, () => {
    let nowMs = NOW_MS;
    const endpoints = candidates(2);
    endpoints[1]!.stats.ejectedUntilMs = NOW_MS + 1000;
    const balancer = make(testEnv(9, () => nowMs));
    const picked = () => new Set(Array.from({ length: 50 }, () => balancer.pick(endpoints, [])));
    assert.deepEqual(picked(), new Set([0]));
    nowMs += 1000;
    assert.deepEqual(picked(), new Set([0, 1]));
  });

  Deno.test(`${name} follows the order of preference in every state`, () => {
    const state = fc.record({
      ejected: fc.boolean(),
      tried: fc.boolean(),
      inFlight: fc.integer({ min: 0, max: 5 }),
      latencyMs: fc.option(fc.integer({ min: 0, max: 500 }), { nil: null }),
    });
    fc.assert(
      fc.property(
        fc.array(state, { minLength: 1, maxLength: 12 }),
        fc.integer(),
        fc.option(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { nil: undefined }),
        (states, seed, hash) => {
          const endpoints = candidates(states.length);
          const tried: string[] = [];
          const tiers = states.map((s, i) => {
            const { stats } = endpoints[i]!;
            if (s.latencyMs !== null) stats.finished(NOW_MS, s.latencyMs, true);
            stats.inFlight = s.inFlight;
            if (s.ejected) stats.ejectedUntilMs = NOW_MS + 1;
            if (s.tried) tried.push(stats.address);
            return (s.ejected ? 2 : 0) + (s.tried ? 1 : 0);
          });
          const balancer = make(testEnv(seed));
          for (let i = 0; i < 3; i++) {
            const at = balancer.pick(endpoints, tried, hash);
            assert.equal(tiers[at], Math.min(...tiers));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
}

for (const algorithm of ["p2c", "round_robin", "least_request", "ring_hash"] as const) {
  balancerSuite(algorithm, (env) => createBalancer(algorithm, env));
}
