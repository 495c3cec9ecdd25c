/** The built-in policies on a real exchange: what Dispatch and the filters make of each other. */
import assert from "node:assert/strict";
import { FAULTS } from "../core/fault.ts";
import type { Filter, FilterEnv } from "../core/filter.ts";
import { createBreakerFilter } from "../filters/breaker/filter.ts";
import { FakeEnv } from "../filters/fakes.ts";
import { createRetryFilter } from "../filters/retry/filter.ts";
import { createTimeoutFilter } from "../filters/timeout/filter.ts";
import { bytes, request, response, rig } from "./testing.ts";

const RETRY = {
  attempts: 2,
  codes: [503],
  on: ["connect-failure", "reset", "status", "timeout"],
  backoffMs: 0,
  backoffMaxMs: 0,
  budgetPercent: 20,
  budgetIntervalMs: 10_000,
  minRetriesPerSecond: 10,
};

/** Filters over one environment, each with its own slot, in the order of the chain. */
function chain(env: FakeEnv, ...make: ((env: FilterEnv) => Filter)[]): Filter[] {
  return make.map((create, slot) => create(Object.assign(Object.create(env), { slot })));
}

const retry = (changes = {}) => (env: FilterEnv) =>
  createRetryFilter({ ...RETRY, ...changes }, env);
const breaker = (config: Record<string, number>) => (env: FilterEnv) =>
  createBreakerFilter({ maxRequests: 0, consecutiveFailures: 0, openMs: 1000, ...config }, env);
const timeout = (requestMs: number, backendRequestMs: number) => (env: FilterEnv) =>
  createTimeoutFilter({ requestMs, backendRequestMs }, env);

Deno.test("A failed attempt is tried at another endpoint and the client sees only the second", () => {
  const { x, down, tries } = rig(chain(new FakeEnv(), retry()), { replay: 1000 });
  x.head(request("PUT"), false);
  x.data(bytes("abc"), true);
  tries[0]!.into.head(response(503), true);
  assert.deepEqual(tries.map((t) => t.address), ["e0", "e1"]);
  assert.deepEqual(tries[1]!.up.log, ["head PUT", "data abc end"]);
  tries[1]!.into.head(response(200), true);
  assert.deepEqual(down.log, ["head 200 end"]);
});

Deno.test("A back-off holds the next attempt until its time is over", () => {
  const env = new FakeEnv();
  const { x, tries } = rig(chain(env, retry({ backoffMs: 20, backoffMaxMs: 20 })));
  x.head(request(), true);
  tries[0]!.into.head(response(503), true);
  env.pass(19);
  assert.equal(tries.length, 1);
  env.pass(3);
  assert.equal(tries.length, 2);
});

Deno.test("A client that leaves during a back-off causes no further attempt", () => {
  const env = new FakeEnv();
  const { x, tries } = rig(chain(env, retry({ backoffMs: 20, backoffMaxMs: 20 })));
  x.head(request(), true);
  tries[0]!.into.head(response(503), true);
  x.abort(FAULTS["downstream.gone"]);
  x.closed();
  env.pass(100);
  assert.equal(tries.length, 1);
  assert.equal(env.wheel.armed, 0);
});

Deno.test("An attempt that runs out of time is tried again, and the request's time covers both", () => {
  const env = new FakeEnv();
  const { x, down, tries } = rig(chain(env, timeout(150, 0), retry(), timeout(0, 100)));
  x.head(request(), true);
  env.pass(102);
  assert.equal(tries.length, 2);
  assert.deepEqual(down.log, []);
  env.pass(50);
  assert.equal(down.log[0], "head 504");
  assert.equal(down.last!.fields.get("denim-fault"), "timeout.request");
  x.closed();
  assert.equal(env.wheel.armed, 0);
});

Deno.test("An attempt's time starts after its back-off when the filter stands after retry", () => {
  const env = new FakeEnv();
  const filters = chain(env, retry({ backoffMs: 80, backoffMaxMs: 80 }), timeout(0, 100));
  const { x, down, tries } = rig(filters);
  x.head(request(), true);
  tries[0]!.into.head(response(503), true);
  env.pass(82);
  assert.equal(tries.length, 2);
  env.pass(95);
  assert.deepEqual(down.log, []);
  tries[1]!.into.head(response(200), true);
  assert.deepEqual(down.log, ["head 200 end"]);
});

Deno.test("When attempts are used up the client gets the last one's outcome", () => {
  const { x, down, tries } = rig(chain(new FakeEnv(), retry()));
  x.head(request(), true);
  tries[0]!.into.abort(FAULTS["upstream.reset"]);
  tries[1]!.into.head(response(503), true);
  tries[2]!.into.head(response(503), true);
  assert.equal(tries.length, 3);
  assert.deepEqual(down.log, ["head 503 end"]);
});

for (const order of ["before", "after"] as const) {
  Deno.test(`The breaker hears of every attempt when it stands ${order} retry`, () => {
    const env = new FakeEnv();
    const links = [breaker({ consecutiveFailures: 2 }), retry()];
    const { x, down, tries } = rig(chain(env, ...(order === "before" ? links : links.reverse())));
    x.head(request(), true);
    tries[0]!.into.head(response(503), true);
    tries[1]!.into.head(response(503), true);
    // Open now: the second retry is refused.
    assert.equal(tries.length, 2);
    assert.equal(down.last!.fields.get("denim-fault"), "breaker.open");
  });
}

Deno.test("The breaker hears of gRPC calls that fail with nothing but a status", () => {
  const env = new FakeEnv();
  const filters = chain(env, breaker({ consecutiveFailures: 2 }));
  const call = () => {
    const head = request("POST", "/a.B/C");
    head.fields.append("content-type", "application/grpc");
    const { x, down, tries } = rig(filters);
    x.head(head, true);
    const failed = response(200);
    failed.fields.append("grpc-status", "14");
    tries[0]?.into.head(failed, true);
    return down.last!.fields.get("denim-fault") ?? "";
  };
  assert.deepEqual([call(), call(), call()], ["", "", "breaker.open"]);
});

Deno.test("A refused request leaves no trace in the breaker's count", () => {
  const env = new FakeEnv();
  const filters = chain(env, breaker({ maxRequests: 1 }), retry());
  const first = rig(filters), second = rig(filters), third = rig(filters);
  first.x.head(request(), true);
  second.x.head(request(), true);
  assert.equal(second.down.last!.fields.get("denim-fault"), "breaker.overflow");
  second.x.closed();
  first.tries[0]!.into.head(response(200), true);
  first.x.closed();
  third.x.head(request(), true);
  assert.equal(third.tries.length, 1);
});
