import assert from "node:assert/strict";
import { LeastRequestBalancer } from "./least_request.ts";
import { hashText, RING_LIMIT, RingHashBalancer } from "./ring_hash.ts";
import { RoundRobinBalancer } from "./round_robin.ts";
import { candidates, testEnv } from "./fakes.ts";

Deno.test("RoundRobin takes each endpoint once a turn", () => {
  const endpoints = candidates(4);
  const balancer = new RoundRobinBalancer(testEnv());
  const turn = Array.from({ length: 8 }, () => balancer.pick(endpoints, []));
  assert.deepEqual(turn.slice(0, 4).toSorted(), [0, 1, 2, 3]);
  assert.deepEqual(turn.slice(4), turn.slice(0, 4));
});

Deno.test("RoundRobin does not favour the endpoint after an ejected one", () => {
  const endpoints = candidates(4);
  endpoints[1]!.stats.ejectedUntilMs = Infinity;
  const balancer = new RoundRobinBalancer(testEnv());
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 300; i++) counts[balancer.pick(endpoints, [])]!++;
  assert.deepEqual(counts, [100, 0, 100, 100]);
});

Deno.test("LeastRequest takes the fewest in flight, and a random one of equals", () => {
  const endpoints = candidates(4);
  [3, 1, 1, 2].forEach((inFlight, i) => endpoints[i]!.stats.inFlight = inFlight);
  const balancer = new LeastRequestBalancer(testEnv());
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 1000; i++) counts[balancer.pick(endpoints, [])]!++;
  assert.deepEqual([counts[0], counts[3]], [0, 0]);
  assert.ok(Math.abs(counts[1]! - 500) < 80, String(counts));
});

Deno.test("RingHash gives one key one endpoint, whatever the load", () => {
  const endpoints = candidates(5);
  const balancer = new RingHashBalancer(testEnv());
  const key = hashText("user-42");
  const first = balancer.pick(endpoints, [], key);
  endpoints[first]!.stats.inFlight = 100;
  for (let i = 0; i < 20; i++) assert.equal(balancer.pick(endpoints, [], key), first);
  assert.equal(new RingHashBalancer(testEnv(99)).pick(endpoints, [], key), first);
});

Deno.test("RingHash does not depend on the order of the list", () => {
  const endpoints = candidates(7), turned = endpoints.toReversed();
  const balancer = new RingHashBalancer(testEnv()), other = new RingHashBalancer(testEnv());
  for (let i = 0; i < 200; i++) {
    const key = hashText(`key ${i}`);
    const at = balancer.pick(endpoints, [], key);
    assert.equal(turned[other.pick(turned, [], key)], endpoints[at]);
  }
});

Deno.test("RingHash moves about 1/n of the keys when one of n endpoints leaves, and no others", () => {
  const endpoints = candidates(10), fewer = endpoints.slice(0, 9);
  const before = new RingHashBalancer(testEnv()), after = new RingHashBalancer(testEnv());
  let moved = 0;
  for (let i = 0; i < 2000; i++) {
    const key = hashText(`key ${i}`);
    const was = before.pick(endpoints, [], key), is = after.pick(fewer, [], key);
    if (was === 9) moved++;
    else assert.equal(is, was, "a key moved although its endpoint stayed");
  }
  assert.ok(moved > 100 && moved < 320, `${moved} of 2000 keys belonged to the one that left`);
});

Deno.test("RingHash sends the keys of an ejected endpoint elsewhere and the rest nowhere else", () => {
  const endpoints = candidates(5);
  const balancer = new RingHashBalancer(testEnv());
  const keys = Array.from({ length: 300 }, (_, i) => hashText(`key ${i}`));
  const before = keys.map((key) => balancer.pick(endpoints, [], key));
  endpoints[2]!.stats.ejectedUntilMs = Infinity;
  const after = keys.map((key) => balancer.pick(endpoints, [], key));
  before.forEach((was, i) =>
    was === 2 ? assert.notEqual(after[i], 2) : assert.equal(after[i], was)
  );
});

Deno.test("RingHash stays within its ring limit for a very large backend", () => {
  const endpoints = candidates(RING_LIMIT / 64);
  const balancer = new RingHashBalancer(testEnv());
  const began = performance.now();
  const picked = new Set<number>();
  for (let i = 0; i < 5000; i++) picked.add(balancer.pick(endpoints, []));
  assert.ok(picked.size > endpoints.length * 0.9);
  assert.ok(performance.now() - began < 2000, "building the ring must not stall the proxy");
});
