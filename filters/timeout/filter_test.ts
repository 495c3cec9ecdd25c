import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import { CONTINUE } from "../../core/filter.ts";
import { FakeContext, FakeEnv, outcome } from "../fakes.ts";
import { createTimeoutFilter } from "./filter.ts";

const EXPIRED = 'denim_timeouts_total{backend="default/catalog:80",limit="request"}';
const EXPIRED_ATTEMPT = 'denim_timeouts_total{backend="default/catalog:80",limit="backendRequest"}';

Deno.test("Timeout fails the exchange when it lasts longer than requestMs", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 100, backendRequestMs: 0 }, env);
  const ctx = new FakeContext();
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), CONTINUE);
  env.pass(99);
  assert.deepEqual(ctx.failed, []);
  env.pass(3);
  assert.deepEqual(ctx.failed, ["timeout.request"]);
  assert.equal(env.metric(EXPIRED), 1);
});

Deno.test("Timeout lets an exchange be that ends in time", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 100, backendRequestMs: 50 }, env);
  const ctx = new FakeContext();
  filter.onRequestHead!(ctx, ctx.request, true);
  filter.onAttempt!(ctx, 1);
  filter.onEnd!(ctx);
  assert.equal(env.wheel.armed, 0);
  env.pass(500);
  assert.deepEqual([ctx.failed, ctx.failedAttempts], [[], []]);
});

Deno.test("Timeout has no hook that its configuration does not need", () => {
  const hooks = (config: unknown) => Object.keys(createTimeoutFilter(config, new FakeEnv())).sort();
  assert.deepEqual(hooks({ requestMs: 5, backendRequestMs: 0 }), [
    "onEnd",
    "onRequestHead",
    "onResponseHead",
  ]);
  assert.deepEqual(hooks({ requestMs: 0, backendRequestMs: 5 }), [
    "onAttempt",
    "onEnd",
    "onOutcome",
    "onResponseHead",
  ]);
});

Deno.test("Timeout lets a tunnel be once it is open, and no response that is none", () => {
  for (const [status, failed] of [[101, []], [200, ["timeout.request"]]] as const) {
    const env = new FakeEnv();
    const filter = createTimeoutFilter({ requestMs: 100, backendRequestMs: 50 }, env);
    const ctx = new FakeContext();
    ctx.request.upgrade = "websocket";
    filter.onRequestHead!(ctx, ctx.request, true);
    filter.onAttempt!(ctx, 1);
    filter.onResponseHead!(ctx, { status, fields: new Fields() }, false);
    env.pass(500);
    assert.deepEqual(ctx.failed, failed);
  }
});

Deno.test("Timeout ends one attempt at backendRequestMs and times the next one anew", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 1000, backendRequestMs: 100 }, env);
  const ctx = new FakeContext();
  filter.onRequestHead!(ctx, ctx.request, true);
  ctx.onFailAttempt = () => filter.onOutcome!(ctx, outcome(1, "timeout.backend"));
  filter.onAttempt!(ctx, 1);
  env.pass(102);
  assert.deepEqual(ctx.failedAttempts, ["timeout.backend"]);
  filter.onAttempt!(ctx, 2);
  env.pass(98);
  assert.equal(ctx.failedAttempts.length, 1);
  env.pass(4);
  assert.equal(ctx.failedAttempts.length, 2);
  assert.deepEqual(ctx.failed, []);
  assert.equal(env.metric(EXPIRED_ATTEMPT), 2);
});

Deno.test("Timeout of an attempt waits on when it fires during a back-off", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 0, backendRequestMs: 100 }, env);
  const ctx = new FakeContext();
  filter.onAttempt!(ctx, 2); // retry, later in the chain, now pauses: no attempt runs
  env.pass(102);
  assert.equal(env.metric(EXPIRED_ATTEMPT), 0);
  ctx.onFailAttempt = () => filter.onOutcome!(ctx, outcome(2, "timeout.backend"));
  env.pass(102);
  assert.equal(env.metric(EXPIRED_ATTEMPT), 1);
  assert.equal(env.wheel.armed, 0);
});

Deno.test("Timeout of an attempt cuts a response that has begun", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 0, backendRequestMs: 100 }, env);
  const ctx = new FakeContext();
  filter.onAttempt!(ctx, 1);
  filter.onOutcome!(ctx, outcome(1, 200));
  ctx.respond(200);
  env.pass(102);
  assert.deepEqual([ctx.failed, ctx.failedAttempts], [["timeout.backend"], []]);
});

Deno.test("Timeout of an attempt is disarmed by a fault", () => {
  const env = new FakeEnv();
  const filter = createTimeoutFilter({ requestMs: 0, backendRequestMs: 100 }, env);
  const ctx = new FakeContext();
  filter.onAttempt!(ctx, 1);
  filter.onOutcome!(ctx, outcome(1, "upstream.reset"));
  assert.equal(env.wheel.armed, 0);
});

Deno.test("Timeout with untilHead lets uploads, downloads and event streams live", () => {
  const env = new FakeEnv();
  const config = { requestMs: 100, backendRequestMs: 0, untilHead: true };
  const filter = createTimeoutFilter(config, env);
  const ctx = new FakeContext("PUT");
  const piece = new Uint8Array([1]);
  filter.onRequestHead!(ctx, ctx.request, false);
  for (let i = 0; i < 5; i++) {
    env.pass(90);
    assert.equal(filter.onRequestData!(ctx, piece, i === 4), piece);
  }
  ctx.respond(200);
  filter.onResponseHead!(ctx, ctx.response!, false);
  env.pass(10_000);
  assert.deepEqual(ctx.failed, []);
});

Deno.test("Timeout with untilHead fails a request that gets no response", () => {
  const env = new FakeEnv();
  const config = { requestMs: 100, backendRequestMs: 0, untilHead: true };
  const filter = createTimeoutFilter(config, env);
  const ctx = new FakeContext("PUT");
  filter.onRequestHead!(ctx, ctx.request, false);
  filter.onRequestData!(ctx, new Uint8Array(1), true);
  env.pass(102);
  assert.deepEqual(ctx.failed, ["timeout.request"]);
});

Deno.test("Timeout refuses a configuration and names field, value and what it wants", () => {
  const refuse = (config: unknown, message: RegExp) =>
    assert.throws(() => createTimeoutFilter(config, new FakeEnv()), message);
  refuse({ requestMs: "1s", backendRequestMs: 0 }, /timeout\.requestMs: it is "1s", want a whole/);
  refuse({ requestMs: 5 }, /timeout\.backendRequestMs: it is missing/);
  refuse({ requestMs: -1, backendRequestMs: 0 }, /requestMs: it is -1/);
  refuse({ requestMs: 1, backendRequestMs: 0, request: 3 }, /unknown field "request"/);
  refuse(null, /it is null, want an object/);
});
