import assert from "node:assert/strict";
import { CALL_ATTEMPTS, type CallAnswer, type CallRequest } from "../core/calls.ts";
import { FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import type { Outcome } from "../core/filter.ts";
import type { ResponseHead } from "../core/message.ts";
import type { StreamSink } from "../core/stream.ts";
import { FakeEnv } from "../filters/fakes.ts";
import { BackendCalls } from "./calls.ts";
import { bytes, FakeStream, request, response } from "./testing.ts";
import type { RequestHead } from "../core/message.ts";
import type { Backend } from "./snapshot.ts";

function rig(endpoints = 5) {
  const env = new FakeEnv();
  const tries: { up: FakeStream<RequestHead>; into: StreamSink<ResponseHead> }[] = [];
  const outcomes: Outcome[] = [];
  const backend: Backend = {
    name: "authz",
    pick: (tried) =>
      tried.length >= endpoints ? null : {
        address: `e${tried.length}`,
        open(into) {
          const up = new FakeStream<RequestHead>();
          tries.push({ up, into });
          return up;
        },
        started: () => 0,
        finished: (outcome) => void outcomes.push({ ...outcome }),
      },
  };
  const calls = new BackendCalls(
    new Map([["authz", backend]]),
    env.wheel,
    () => env.clock.monotonicMs(),
  );
  const answers: CallAnswer[] = [];
  const call = (over: Partial<CallRequest> = {}) =>
    calls.call({
      backend: "authz",
      head: request("POST", "/check"),
      body: bytes("ask"),
      timeoutMs: 100,
      maxBytes: 8,
      ...over,
    }, { called: (answer) => void answers.push(answer) });
  return { env, tries, outcomes, answers, call };
}

Deno.test("A call gives its whole answer, once, and keeps the bytes it was brought", () => {
  const { env, tries, answers, outcomes, call } = rig();
  call();
  const { up, into } = tries[0]!;
  assert.deepEqual(up.log, ["head POST", "data ask end"]);
  into.head(response(200), false);
  const chunk = bytes("abcd");
  into.data(chunk, false);
  chunk.fill(0);
  into.data(bytes("ef"), false);
  into.trailers(new Fields(["grpc-status", "0"]));
  into.closed();
  assert.equal(answers.length, 1);
  const { status, body, trailers, fault } = answers[0]!;
  assert.deepEqual([status, new TextDecoder().decode(body), fault], [200, "abcdef", null]);
  assert.equal(trailers?.get("grpc-status"), "0");
  assert.equal(env.wheel.armed, 0);
  assert.deepEqual(outcomes.map((one) => [one.status, one.grpcStatus]), [[200, 0]]);
  assert.equal(up.log.length, 2, "a whole answer is not cancelled, so that the connection stays");
});

Deno.test("A call is tried elsewhere while nobody can have seen it, so many times", () => {
  const { tries, answers, call } = rig();
  call();
  for (let n = 0; n < CALL_ATTEMPTS; n++) {
    assert.equal(tries.length, n + 1);
    tries[n]!.into.abort(FAULTS["upstream.connect"]);
  }
  assert.equal(tries.length, CALL_ATTEMPTS);
  assert.deepEqual(answers.map(({ fault }) => fault?.code), ["upstream.connect"]);
});

Deno.test("A call that may have been seen is not sent again", () => {
  const { tries, answers, call } = rig();
  call();
  tries[0]!.into.abort(FAULTS["upstream.reset"]);
  assert.deepEqual([tries.length, answers[0]!.fault?.code], [1, "upstream.reset"]);
});

Deno.test("A call ends when its time is over, and its endpoint is blamed", () => {
  const { env, tries, answers, outcomes, call } = rig();
  call();
  env.pass(102);
  assert.equal(answers[0]!.fault?.code, "call.timeout");
  assert.deepEqual(tries[0]!.up.log.at(-1), "cancel call.timeout");
  tries[0]!.into.head(response(200), true); // too late
  tries[0]!.into.closed();
  assert.equal(answers.length, 1);
  assert.equal(outcomes[0]!.fault?.code, "call.timeout");
});

Deno.test("A call takes so much of an answer and no more", () => {
  const { tries, answers, call } = rig();
  call();
  tries[0]!.into.head(response(200), false);
  tries[0]!.into.data(bytes("123456789"), true);
  assert.equal(answers[0]!.fault?.code, "call.too_large");
  assert.equal(tries[0]!.up.log.at(-1), "cancel call.too_large");
});

Deno.test("A call that is cancelled says nothing more and holds nothing", () => {
  const { env, tries, answers, call } = rig();
  const running = call();
  running.cancel();
  running.cancel();
  assert.equal(tries[0]!.up.log.at(-1), "cancel proxy.stopped");
  tries[0]!.into.abort(FAULTS["upstream.reset"]);
  env.pass(200);
  assert.deepEqual([answers.length, env.wheel.armed], [0, 0]);
});

Deno.test("A call to nobody says so at once", () => {
  const { env, answers, call } = rig(0);
  call();
  call({ backend: "missing" });
  assert.deepEqual(answers.map(({ fault }) => fault?.code), [
    "backend.no_endpoint",
    "route.no_backend",
  ]);
  assert.equal(env.wheel.armed, 0);
});
