import assert from "node:assert/strict";
import { CONTINUE, DONE, type Filter } from "../../core/filter.ts";
import { FakeContext, FakeEnv, outcome } from "../fakes.ts";
import { createBreakerFilter } from "./filter.ts";

const CONFIG = { maxRequests: 0, consecutiveFailures: 2, openMs: 1000 };
const STATE = 'denim_breaker_state{backend="default/catalog:80"}';
const IN_FLIGHT = 'denim_breaker_in_flight{backend="default/catalog:80"}';

function make(changes: Record<string, unknown> = {}, env = new FakeEnv()): Filter {
  return createBreakerFilter({ ...CONFIG, ...changes }, env);
}

/** One exchange with one attempt; what onAttempt said. */
function exchange(filter: Filter, result: Parameters<typeof outcome>[1]): number {
  const ctx = new FakeContext();
  const verdict = filter.onAttempt!(ctx, 1);
  if (verdict === CONTINUE) filter.onOutcome!(ctx, outcome(1, result));
  filter.onEnd!(ctx);
  return verdict;
}

function open(filter: Filter): void {
  exchange(filter, 503);
  exchange(filter, 503);
}

Deno.test("Breaker refuses more requests than maxRequests in flight and takes them again later", () => {
  const env = new FakeEnv();
  const filter = make({ maxRequests: 2 }, env);
  const [a, b, c] = [new FakeContext(), new FakeContext(), new FakeContext()];
  assert.equal(filter.onAttempt!(a, 1), CONTINUE);
  assert.equal(filter.onAttempt!(b, 1), CONTINUE);
  assert.equal(env.metric(IN_FLIGHT), 2);
  assert.equal(filter.onAttempt!(c, 1), DONE);
  assert.deepEqual(c.failed, ["breaker.overflow"]);
  filter.onEnd!(c); // a refused one must not free a place
  assert.equal(filter.onAttempt!(new FakeContext(), 1), DONE);
  filter.onEnd!(a);
  assert.equal(filter.onAttempt!(new FakeContext(), 1), CONTINUE);
});

Deno.test("Breaker counts an exchange once however often it is tried", () => {
  const env = new FakeEnv();
  const filter = make({ maxRequests: 1, consecutiveFailures: 0 }, env);
  const ctx = new FakeContext();
  for (let attempt = 1; attempt <= 3; attempt++) {
    assert.equal(filter.onAttempt!(ctx, attempt), CONTINUE);
    filter.onOutcome!(ctx, outcome(attempt, 503));
  }
  filter.onEnd!(ctx);
  assert.equal(env.metric(IN_FLIGHT), 0);
});

Deno.test("Breaker opens, half-opens and closes", () => {
  const env = new FakeEnv();
  const filter = make({}, env);
  open(filter);
  assert.equal(env.metric(STATE), 2);
  const refused = new FakeContext();
  assert.equal(filter.onAttempt!(refused, 1), DONE);
  assert.deepEqual(refused.failed, ["breaker.open"]);
  env.pass(1001);
  const probe = new FakeContext();
  assert.equal(filter.onAttempt!(probe, 1), CONTINUE);
  assert.equal(env.metric(STATE), 1);
  assert.equal(exchange(filter, 200), DONE); // one probe only
  filter.onOutcome!(probe, outcome(1, 200));
  assert.equal(env.metric(STATE), 0);
  assert.equal(exchange(filter, 200), CONTINUE);
});

Deno.test("Breaker refuses the retry of an exchange whose failure opened it", () => {
  const filter = make({ consecutiveFailures: 1 });
  const ctx = new FakeContext();
  filter.onAttempt!(ctx, 1);
  filter.onOutcome!(ctx, outcome(1, 503));
  assert.equal(filter.onAttempt!(ctx, 2), DONE);
});

Deno.test("Breaker lets a probe that met a stale connection try again", () => {
  const env = new FakeEnv();
  const filter = make({}, env);
  open(filter);
  env.pass(1001);
  const probe = new FakeContext();
  filter.onAttempt!(probe, 1);
  filter.onOutcome!(probe, outcome(1, "upstream.stale"));
  assert.equal(filter.onAttempt!(probe, 2), CONTINUE);
  filter.onOutcome!(probe, outcome(2, 200));
  assert.equal(env.metric(STATE), 0);
});

Deno.test("Breaker probes with the next request when the probe's client left", () => {
  const env = new FakeEnv();
  const filter = make({}, env);
  open(filter);
  env.pass(1001);
  const probe = new FakeContext();
  filter.onAttempt!(probe, 1);
  filter.onEnd!(probe);
  assert.equal(exchange(filter, 200), CONTINUE);
  assert.equal(env.metric(STATE), 0);
});

Deno.test("Breaker counts upstream faults and time-outs, and not what the client did", () => {
  const opens = (code: Parameters<typeof outcome>[1]): boolean => {
    const env = new FakeEnv();
    const filter = make({}, env);
    exchange(filter, code);
    exchange(filter, code);
    return env.metric(STATE) === 2;
  };
  for (const code of ["upstream.connect", "upstream.reset", "timeout.backend", 500, 503] as const) {
    assert.equal(opens(code), true, String(code));
  }
  for (const code of ["downstream.gone", "upstream.stale", "proxy.stopped", 404, 200] as const) {
    assert.equal(opens(code), false, String(code));
  }
});

Deno.test("Breaker stays open over a snapshot, and closes when the new one never opens", () => {
  const env = new FakeEnv();
  open(make({}, env));
  assert.equal(exchange(make({ openMs: 2000 }, env), 200), DONE);
  assert.equal(exchange(make({ consecutiveFailures: 0 }, env), 200), CONTINUE);
  assert.equal(env.metric(STATE), 0);
});

Deno.test("Breaker refuses a configuration and names field, value and what it wants", () => {
  assert.throws(() => make({ maxRequests: -1 }), /breaker\.maxRequests: it is -1, want a whole/);
  assert.throws(() => make({ openMs: "30s" }), /breaker\.openMs: it is "30s"/);
});
