import assert from "node:assert/strict";
import { FakeContext, FakeEnv, outcome } from "../fakes.ts";
import { createTimeoutFilter } from "./filter.ts";

const PIECE = new Uint8Array([1]);

function setUp(config: Record<string, unknown>, timeout?: string) {
  const env = new FakeEnv();
  const filter = createTimeoutFilter(
    { requestMs: 0, backendRequestMs: 0, grpc: true, ...config },
    env,
  );
  const ctx = new FakeContext("POST", "/a.B/C");
  ctx.request.fields.append("content-type", "application/grpc");
  if (timeout !== undefined) ctx.request.fields.append("grpc-timeout", timeout);
  return { env, filter, ctx };
}

Deno.test("Timeout ends a gRPC call at the deadline its client set", () => {
  const { env, filter, ctx } = setUp({}, "100m");
  filter.onRequestHead!(ctx, ctx.request, false);
  env.pass(99);
  assert.deepEqual(ctx.failed, []);
  env.pass(3);
  assert.deepEqual(ctx.failed, ["timeout.deadline"]);
});

Deno.test("Timeout takes the smaller of the deadline and the limit of the route", () => {
  for (
    const [timeout, fault] of [["50m", "timeout.deadline"], ["1S", "timeout.request"]] as const
  ) {
    const { env, filter, ctx } = setUp({ requestMs: 100 }, timeout);
    filter.onRequestHead!(ctx, ctx.request, true);
    env.pass(110);
    assert.deepEqual(ctx.failed, [fault]);
    filter.onEnd!(ctx);
    assert.equal(env.wheel.armed, 0);
  }
});

Deno.test("Timeout limits a gRPC stream from the end of its request on", () => {
  const { env, filter, ctx } = setUp({ requestMs: 100 });
  filter.onRequestHead!(ctx, ctx.request, false);
  env.pass(500);
  assert.equal(filter.onRequestData!(ctx, PIECE, false), PIECE);
  ctx.respond(200);
  filter.onResponseHead!(ctx, ctx.response!, false);
  env.pass(500);
  assert.deepEqual(ctx.failed, []);
  filter.onRequestData!(ctx, PIECE, true);
  env.pass(102);
  assert.deepEqual(ctx.failed, ["timeout.request"]);
});

Deno.test("Timeout with untilHead leaves a silent gRPC stream alone, and its deadline in force", () => {
  const { env, filter, ctx } = setUp({ requestMs: 100, untilHead: true });
  filter.onRequestHead!(ctx, ctx.request, true);
  env.pass(5000);
  assert.deepEqual(ctx.failed, []);
  const other = setUp({ requestMs: 100, untilHead: true }, "1S");
  other.filter.onRequestHead!(other.ctx, other.ctx.request, true);
  other.ctx.respond(200);
  other.filter.onResponseHead!(other.ctx, other.ctx.response!, false);
  other.env.pass(1002);
  assert.deepEqual(other.ctx.failed, ["timeout.deadline"]);
});

Deno.test("Timeout times an attempt of a gRPC call once the request has ended", () => {
  const { env, filter, ctx } = setUp({ backendRequestMs: 100 }, "50m");
  filter.onRequestHead!(ctx, ctx.request, false);
  filter.onAttempt!(ctx, 1);
  env.pass(500);
  assert.deepEqual([ctx.failed, ctx.failedAttempts], [[], []], "the deadline is another filter's");
  filter.onRequestData!(ctx, PIECE, true);
  ctx.onFailAttempt = () => filter.onOutcome!(ctx, outcome(1, "timeout.backend"));
  env.pass(102);
  assert.deepEqual(ctx.failedAttempts, ["timeout.backend"]);
  filter.onAttempt!(ctx, 2);
  env.pass(102);
  assert.equal(ctx.failedAttempts.length, 2);
});

Deno.test("Timeout forwards the deadline as it came, and what is left of it with a retry", () => {
  const { env, filter, ctx } = setUp({}, "1S");
  filter.onRequestHead!(ctx, ctx.request, true);
  env.pass(1);
  filter.onAttempt!(ctx, 1);
  assert.equal(ctx.request.fields.get("grpc-timeout"), "1S");
  env.pass(299);
  filter.onAttempt!(ctx, 2);
  assert.equal(ctx.request.fields.get("grpc-timeout"), "700m");
});

Deno.test("Timeout ignores a malformed deadline and keeps plain rules for plain requests", () => {
  const { env, filter, ctx } = setUp({}, "soon");
  filter.onRequestHead!(ctx, ctx.request, true);
  assert.equal(env.wheel.armed, 0);
  const plain = new FakeContext("POST");
  plain.request.fields.append("grpc-timeout", "1m");
  const limited = createTimeoutFilter({ requestMs: 100, backendRequestMs: 0, grpc: true }, env);
  limited.onRequestHead!(plain, plain.request, false);
  limited.onRequestData!(plain, PIECE, false);
  env.pass(102);
  assert.deepEqual(plain.failed, ["timeout.request"]);
});
