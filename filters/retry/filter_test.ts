import assert from "node:assert/strict";
import { CONTINUE, type Filter, PAUSE, RETRY } from "../../core/filter.ts";
import { FakeContext, FakeEnv, outcome } from "../fakes.ts";
import { backoffMs, createRetryFilter, STALE_LIMIT } from "./filter.ts";

const CONFIG = {
  attempts: 2,
  codes: [502, 503, 504],
  on: ["connect-failure", "reset", "status", "timeout"],
  backoffMs: 0,
  backoffMaxMs: 0,
  budgetPercent: 20,
  budgetIntervalMs: 10_000,
  minRetriesPerSecond: 10,
};

function retries(result: string): string {
  return `denim_retries_total{backend="default/catalog:80",result="${result}"}`;
}

function make(changes: Record<string, unknown> = {}, env = new FakeEnv()): Filter {
  return createRetryFilter({ ...CONFIG, ...changes }, env);
}

Deno.test("Retry tries again on a status in codes and not on another", () => {
  const filter = make();
  assert.equal(filter.onOutcome!(new FakeContext(), outcome(1, 503)), RETRY);
  assert.equal(filter.onOutcome!(new FakeContext(), outcome(1, 500)), CONTINUE);
  assert.equal(filter.onOutcome!(new FakeContext(), outcome(1, 200)), CONTINUE);
});

Deno.test("Retry gives up after as many retries as attempts says", () => {
  const env = new FakeEnv();
  const filter = make({}, env);
  const ctx = new FakeContext();
  assert.equal(filter.onOutcome!(ctx, outcome(1, 503)), RETRY);
  assert.equal(filter.onOutcome!(ctx, outcome(2, 503)), RETRY);
  assert.equal(filter.onOutcome!(ctx, outcome(3, 503)), CONTINUE);
  assert.equal(env.metric(retries("retried")), 2);
  assert.equal(env.metric(retries("exhausted")), 1);
});

Deno.test("Retry repeats a POST only when the peer cannot have seen it", () => {
  const filter = make();
  const post = () => new FakeContext("POST");
  assert.equal(filter.onOutcome!(post(), outcome(1, 503)), CONTINUE);
  assert.equal(filter.onOutcome!(post(), outcome(1, "upstream.reset")), CONTINUE);
  assert.equal(filter.onOutcome!(post(), outcome(1, "upstream.stale")), CONTINUE);
  assert.equal(filter.onOutcome!(post(), outcome(1, "timeout.backend")), CONTINUE);
  assert.equal(filter.onOutcome!(post(), outcome(1, "upstream.connect")), RETRY);
});

Deno.test("Retry repeats a POST when the operator says it is safe", () => {
  const filter = make({ on: [...CONFIG.on, "non-idempotent"] });
  assert.equal(filter.onOutcome!(new FakeContext("POST"), outcome(1, 503)), RETRY);
  assert.equal(filter.onOutcome!(new FakeContext("POST"), outcome(1, "upstream.reset")), RETRY);
});

Deno.test("Retry acts only on the conditions it was given", () => {
  const cases = [
    ["connect-failure", "upstream.connect"],
    ["reset", "upstream.reset"],
    ["timeout", "timeout.backend"],
    ["status", 503],
  ] as const;
  for (const [condition] of cases) {
    const filter = make({ on: [condition] });
    for (const [other, result] of cases) {
      const expected = other === condition ? RETRY : CONTINUE;
      const verdict = filter.onOutcome!(new FakeContext(), outcome(1, result));
      assert.equal(verdict, expected, `${condition} on ${result}`);
    }
  }
});

Deno.test("Retry acts on the gRPC statuses it names, though every call is a POST", () => {
  const filter = make({ on: ["unavailable", "resource-exhausted"] });
  const verdict = (grpcStatus: number) =>
    filter.onOutcome!(new FakeContext("POST"), { ...outcome(1, 200), grpcStatus });
  assert.deepEqual([14, 8].map(verdict), [RETRY, RETRY]);
  assert.deepEqual([-1, 0, 1, 4, 13].map(verdict), [
    CONTINUE,
    CONTINUE,
    CONTINUE,
    CONTINUE,
    CONTINUE,
  ]);
  const all = make({
    on: ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"],
  });
  for (const grpcStatus of [1, 4, 8, 13, 14]) {
    const ctx = new FakeContext("POST");
    assert.equal(all.onOutcome!(ctx, { ...outcome(1, 200), grpcStatus }), RETRY);
  }
});

Deno.test("Retry takes a filter's refusal and a client's leaving for an answer", () => {
  const filter = make();
  for (
    const code of ["breaker.open", "downstream.gone", "wasm.trapped", "timeout.request"] as const
  ) {
    assert.equal(filter.onOutcome!(new FakeContext(), outcome(1, code)), CONTINUE, code);
  }
});

Deno.test("Retry stops when the budget of the backend is used up and counts it", () => {
  const env = new FakeEnv();
  const filter = make({ minRetriesPerSecond: 2 }, env);
  const verdicts = Array.from({ length: 5 }, () => {
    const ctx = new FakeContext();
    filter.onAttempt!(ctx, 1);
    return filter.onOutcome!(ctx, outcome(1, 503));
  });
  assert.deepEqual(verdicts, [RETRY, RETRY, CONTINUE, CONTINUE, CONTINUE]);
  assert.equal(env.metric(retries("over_budget")), 3);
});

Deno.test("Retry budget outlives a snapshot and is shared by the backend's routes", () => {
  const env = new FakeEnv();
  const before = make({ minRetriesPerSecond: 1, budgetPercent: 0 }, env);
  assert.equal(before.onOutcome!(new FakeContext(), outcome(1, 503)), RETRY);
  const after = make({ minRetriesPerSecond: 1, budgetPercent: 0, attempts: 5 }, env);
  assert.equal(after.onOutcome!(new FakeContext(), outcome(1, 503)), CONTINUE);
  assert.equal(env.kept.size, 1);
});

Deno.test("Retry waits before another attempt and goes on by itself", () => {
  const env = new FakeEnv();
  env.randoms = [0.5];
  const filter = make({ backoffMs: 20, backoffMaxMs: 1000 }, env);
  const ctx = new FakeContext();
  assert.equal(filter.onAttempt!(ctx, 1), CONTINUE);
  filter.onOutcome!(ctx, outcome(1, 503));
  assert.equal(filter.onAttempt!(ctx, 2), PAUSE); // 20 + 0.5 × (40 − 20)
  env.pass(29);
  assert.equal(ctx.resumed, 0);
  env.pass(3);
  assert.equal(ctx.resumed, 1);
});

Deno.test("Retry forgets its wait when the exchange ends", () => {
  const env = new FakeEnv();
  const filter = make({ backoffMs: 20, backoffMaxMs: 20 }, env);
  const ctx = new FakeContext();
  filter.onOutcome!(ctx, outcome(1, 503));
  filter.onAttempt!(ctx, 2);
  filter.onEnd!(ctx);
  assert.equal(env.wheel.armed, 0);
});

Deno.test("Retry after a stale connection is immediate, free and does not count as an attempt", () => {
  const env = new FakeEnv();
  const changes = { attempts: 1, backoffMs: 20, budgetPercent: 0, minRetriesPerSecond: 1 };
  const filter = make(changes, env);
  const ctx = new FakeContext();
  for (let i = 1; i <= STALE_LIMIT; i++) {
    assert.equal(filter.onOutcome!(ctx, outcome(i, "upstream.stale")), RETRY);
    assert.equal(filter.onAttempt!(ctx, i + 1), CONTINUE);
  }
  assert.equal(filter.onOutcome!(ctx, outcome(STALE_LIMIT + 1, 503)), RETRY);
  assert.equal(filter.onAttempt!(ctx, STALE_LIMIT + 2), PAUSE);
  assert.equal(filter.onOutcome!(ctx, outcome(STALE_LIMIT + 2, 503)), CONTINUE);
});

Deno.test("Retry repeats a POST that a GOAWAY passed over, free as well", () => {
  const filter = make({ attempts: 0, on: [], budgetPercent: 0, minRetriesPerSecond: 0 });
  const ctx = new FakeContext("POST");
  assert.equal(filter.onOutcome!(ctx, outcome(1, "h2.goaway")), RETRY);
  assert.equal(filter.onAttempt!(ctx, 2), CONTINUE);
  assert.equal(filter.onOutcome!(ctx, outcome(2, "upstream.stale")), CONTINUE);
});

Deno.test("Retry gives up when it meets only stale connections", () => {
  const filter = make();
  const ctx = new FakeContext();
  for (let i = 1; i <= STALE_LIMIT; i++) filter.onOutcome!(ctx, outcome(i, "upstream.stale"));
  assert.equal(filter.onOutcome!(ctx, outcome(STALE_LIMIT + 1, "upstream.stale")), CONTINUE);
});

Deno.test("backoffMs spreads between the base and a doubling bound below the maximum", () => {
  const config = { backoffMs: 10, backoffMaxMs: 100 };
  const range = (
    retry: number,
  ) => [backoffMs(config, retry, () => 0), backoffMs(config, retry, () => 1)];
  assert.deepEqual(range(1), [10, 20]);
  assert.deepEqual(range(3), [10, 80]);
  assert.deepEqual(range(4), [10, 100]);
  assert.deepEqual(range(1000), [10, 100]);
  assert.equal(backoffMs({ backoffMs: 0, backoffMaxMs: 0 }, 1, () => 1), 0);
});

Deno.test("Retry refuses a configuration and names field, value and what it wants", () => {
  const refuse = (changes: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => make(changes), message);
  refuse({ attempts: 1.5 }, /retry\.attempts: it is 1.5, want a whole number from 0 to 100/);
  refuse(
    { codes: [503, 200] },
    /retry\.codes\[1\]: it is 200, want a whole number from 400 to 599/,
  );
  refuse({ on: ["5xx"] }, /retry\.on\[0\]: it is "5xx", want one of connect-failure/);
  refuse({ budgetPercent: 101 }, /retry\.budgetPercent: it is 101/);
  refuse({ budget: {} }, /unknown field "budget"/);
});
