import assert from "node:assert/strict";
import { FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import type { Outcome } from "../core/filter.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { StreamSink } from "../core/stream.ts";
import { FakeEnv } from "../filters/fakes.ts";
import { BackendCalls } from "./calls.ts";
import type { Backend } from "./snapshot.ts";
import { bytes, FakeStream, request, response } from "./testing.ts";

function rig(options: { down?: boolean; timeoutMs?: number } = {}) {
  const env = new FakeEnv();
  const up = new FakeStream<RequestHead>();
  const outcomes: Outcome[] = [];
  const heard: string[] = [];
  let into: StreamSink<ResponseHead> | null = null;
  const backend: Backend = {
    name: "b",
    pick: () =>
      options.down === true ? null : {
        address: "e",
        open(sink) {
          into = sink;
          return up;
        },
        started: () => 0,
        finished: (outcome) => void outcomes.push({ ...outcome }),
      },
  };
  const calls = new BackendCalls(
    new Map([["b", backend]]),
    env.wheel,
    () => env.clock.monotonicMs(),
  );
  const talk = calls.talk(
    { backend: "b", head: request("POST", "/talk"), timeoutMs: options.timeoutMs ?? 0 },
    {
      head: (status) => void heard.push(`head ${status}`),
      data: (data) => void heard.push(`data ${new TextDecoder().decode(data)}`),
      ended: (fault, trailers) =>
        void heard.push(`ended ${fault?.code ?? ""} ${trailers?.lines.join(",") ?? "-"}`),
    },
  );
  return { env, up, outcomes, heard, talk, into: () => into! };
}

Deno.test("A conversation is written and read piece by piece, and ends once", () => {
  const { up, outcomes, heard, talk, into } = rig();
  talk.say(bytes("one"), false);
  into().head(response(200), false);
  into().data(bytes("two"), false);
  talk.say(bytes("three"), true);
  talk.say(bytes("four"), true);
  into().trailers(new Fields(["grpc-status", "0"]));
  into().closed();
  assert.deepEqual(up.log, ["head POST", "data one", "data three end"]);
  assert.deepEqual(heard, ["head 200", "data two", "ended  grpc-status,0"]);
  assert.deepEqual(outcomes.map((one) => [one.status, one.grpcStatus]), [[200, 0]]);
});

Deno.test("What an endpoint says to the end ends what we still had to say", () => {
  const { up, heard, talk, into } = rig();
  into().head(response(200), true);
  talk.say(bytes("late"), false);
  assert.deepEqual(up.log, ["head POST", "cancel proxy.stopped"]);
  assert.deepEqual(heard, ["head 200", "ended  "]);
});

Deno.test("A conversation ends with the fault that broke it, at its time limit, or when it is cancelled", () => {
  const broken = rig();
  broken.into().abort(FAULTS["upstream.reset"]);
  broken.into().closed();
  assert.deepEqual(broken.heard, ["ended upstream.reset -"]);
  assert.equal(broken.outcomes[0]!.fault?.code, "upstream.reset");

  const slow = rig({ timeoutMs: 50 });
  slow.env.pass(60);
  slow.into().head(response(200), false);
  assert.deepEqual(slow.heard, ["ended call.timeout -"]);
  assert.deepEqual(slow.up.log, ["head POST", "cancel call.timeout"]);

  const given = rig({ timeoutMs: 50 });
  given.talk.cancel();
  given.into().data(bytes("late"), false);
  assert.deepEqual([given.heard, given.env.wheel.armed], [[], 0]);
});

Deno.test("A conversation with nobody fails at once; a slow reader makes it full", () => {
  assert.deepEqual(rig({ down: true }).heard, ["ended backend.no_endpoint -"]);
  const { up, talk } = rig();
  up.feeder!.pause();
  assert.equal(talk.full, true);
  up.feeder!.resume();
  assert.equal(talk.full, false);
});
