import assert from "node:assert/strict";
import { FAULTS } from "../core/fault.ts";
import {
  ATTEMPT,
  COLLECT,
  CONTINUE,
  DONE,
  type Filter,
  later,
  PAUSE,
  REQUEST,
  RESPONSE,
  RETRY,
} from "../core/filter.ts";
import type { FilterContext } from "../core/filter.ts";
import { Fields } from "../core/fields.ts";
import { bytes, request, response, rig } from "./testing.ts";

const retryOn503: Filter = {
  onOutcome: (_c, o) => (o.status === 503 || o.fault !== null) && o.attempt < 3 ? RETRY : CONTINUE,
};

Deno.test("Exchange passes a message through both ways", () => {
  const { x, down, tries } = rig([]);
  x.head(request("POST"), false);
  x.data(bytes("a"), false);
  x.data(bytes("b"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data a", "data b end"]);
  tries[0]!.into.info(response(103));
  tries[0]!.into.head(response(200), false);
  tries[0]!.into.data(bytes("ok"), false);
  tries[0]!.into.trailers(new Fields(["grpc-status", "0"]));
  assert.deepEqual(down.log, ["info 103", "head 200", "data ok", "trailers grpc-status,0"]);
});

Deno.test("Exchange holds a paused request and goes on in order", async () => {
  const seen: string[] = [];
  const auth: Filter = { onRequestHead: (c) => later(c, Promise.resolve()) };
  const tag: Filter = { onRequestHead: () => (seen.push("tag"), CONTINUE) };
  const { x, down, tries } = rig([auth, tag]);
  x.head(request(), false);
  x.data(bytes("a"), false);
  x.data(bytes("b"), true);
  assert.equal(tries.length, 0);
  assert.deepEqual(down.log, ["pause"]);
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(tries[0]!.up.log, ["head GET", "data a", "data b end"]);
  assert.deepEqual(seen, ["tag"]);
  assert.deepEqual(down.log, ["pause", "resume"]);
});

Deno.test("Exchange replays the body to the next endpoint when an outcome says retry", () => {
  const { x, down, tries } = rig([retryOn503], { replay: 100 });
  x.head(request("PUT"), false);
  x.data(bytes("abc"), true);
  tries[0]!.into.head(response(503), true);
  assert.deepEqual(tries.map((t) => t.address), ["e0", "e1"]);
  assert.deepEqual(tries[1]!.up.log, ["head PUT", "data abc end"]);
  tries[1]!.into.head(response(200), true);
  assert.deepEqual(down.log, ["head 200 end"]);
});

Deno.test("Exchange gives up retrying once the body has outgrown the replay limit", () => {
  const { x, down, tries } = rig([retryOn503], { replay: 2 });
  x.head(request("PUT"), false);
  x.data(bytes("abc"), true);
  tries[0]!.into.head(response(503), true);
  assert.equal(tries.length, 1);
  assert.deepEqual(down.log, ["head 503 end"]);
});

Deno.test("Exchange lets a small answer it gave up finish, and cuts a large one", () => {
  const { x, tries } = rig([retryOn503]);
  x.head(request(), true);
  tries[0]!.into.head(response(503), false);
  tries[0]!.into.data(bytes("small"), false);
  assert.deepEqual(tries[0]!.up.log, ["head GET end"]);
  tries[0]!.into.data(new Uint8Array(65 * 1024), false);
  assert.equal(tries[0]!.up.log.at(-1), "cancel proxy.stopped");
});

Deno.test("Exchange answers a fault with its status and code", () => {
  const { x, down, tries } = rig([]);
  x.head(request(), true);
  tries[0]!.into.abort(FAULTS["upstream.connect"]);
  assert.equal(down.log[0], "head 503");
  assert.equal(down.last!.fields.get("denim-fault"), "upstream.connect");
});

Deno.test("Exchange cuts a response that has begun when its upstream breaks", () => {
  const { x, down, tries } = rig([]);
  x.head(request(), true);
  tries[0]!.into.head(response(200), false);
  tries[0]!.into.abort(FAULTS["upstream.reset"]);
  assert.deepEqual(down.log, ["head 200", "abort upstream.reset"]);
});

Deno.test("Exchange runs the response filters on a local reply", () => {
  const block: Filter = {
    onRequestHead: (c) => c.respond(403),
    onResponseHead: (_c, head) => (head.fields.append("x-seen", "1"), CONTINUE),
  };
  const { x, down, tries } = rig([block]);
  x.head(request(), true);
  assert.equal(tries.length, 0);
  assert.deepEqual(down.log, ["head 403 end"]);
  assert.equal(down.last!.fields.get("x-seen"), "1");
});

Deno.test("Exchange replaces a response whose head is still held by a filter that fails", () => {
  const trap: Filter = { onResponseHead: (c) => c.fail(FAULTS["wasm.trapped"]) };
  const { x, down, tries } = rig([trap]);
  x.head(request(), true);
  tries[0]!.into.head(response(200), false);
  assert.equal(down.log[0], "head 503");
  tries[0]!.into.data(bytes("late"), true);
  assert.ok(!down.log.includes("data late end"));
});

Deno.test("Exchange cancels the upstream when the client leaves", () => {
  const { x, tries, ended } = rig([]);
  x.head(request(), false);
  x.abort(FAULTS["downstream.gone"]);
  assert.deepEqual(tries[0]!.up.log, ["head GET", "cancel downstream.gone"]);
  x.closed();
  assert.equal(ended.length, 1);
});

Deno.test("Exchange calls end hooks exactly once, also after a local reply", () => {
  let ends = 0;
  const { x } = rig([{ onRequestHead: (c) => c.respond(401), onEnd: () => void ends++ }]);
  x.head(request(), true);
  x.closed();
  assert.equal(ends, 1);
});

Deno.test("Exchange collects a body for a filter and lets it change the head afterwards", () => {
  const parts: string[] = [];
  const collect: Filter = {
    onRequestHead: () => COLLECT,
    onRequestData: (c, data, end) => {
      parts.push(new TextDecoder().decode(data));
      if (!end) return new Uint8Array(0);
      c.request.path = "/from-body";
      return bytes(parts.join(""));
    },
  };
  for (const split of [["abc"], ["a", "bc"], ["a", "b", "c"], ["abc", ""]]) {
    parts.length = 0;
    const { x, tries } = rig([collect]);
    x.head(request("POST"), false);
    split.forEach((part, i) => x.data(bytes(part), i === split.length - 1));
    assert.deepEqual(tries[0]!.up.log, ["head POST", "data abc end"], split.join("|"));
    assert.equal(tries[0]!.up.last!.path, "/from-body");
  }
});

Deno.test("Exchange says 100 itself when a filter wants the body before the upstream is asked", () => {
  const collect: Filter = { onRequestHead: () => COLLECT, onRequestData: (_c, b) => b };
  const { x, down } = rig([collect]);
  const head = request("POST");
  head.fields.append("expect", "100-continue");
  x.head(head, false);
  assert.deepEqual(down.log, ["info 100"]);
  assert.equal(head.fields.has("expect"), false);
});

Deno.test("Exchange calls a data hook again with the held bytes after resume", () => {
  let ctx: FilterContext | null = null;
  let calls = 0;
  const gate: Filter = {
    onRequestData: (c, data) => {
      ctx = c;
      return ++calls === 1 ? null : data;
    },
  };
  const { x, down, tries } = rig([gate]);
  x.head(request("POST"), false);
  x.data(bytes("a"), false);
  x.data(bytes("b"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST"]);
  assert.deepEqual(down.log, ["pause"]);
  ctx!.resume(REQUEST);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data a", "data b end"]);
});

Deno.test("Exchange waits between attempts while an attempt hook pauses, and keeps the body", () => {
  let ctx: FilterContext | null = null;
  const backoff: Filter = {
    onAttempt: (c, attempt) => (ctx = c, attempt === 1 ? CONTINUE : PAUSE),
    onOutcome: retryOn503.onOutcome!,
  };
  const { x, down, tries } = rig([backoff], { replay: 100 });
  x.head(request("PUT"), false);
  tries[0]!.into.abort(FAULTS["upstream.connect"]);
  x.data(bytes("late"), true);
  assert.equal(tries.length, 1);
  ctx!.resume(ATTEMPT);
  ctx!.resume(ATTEMPT);
  assert.equal(tries.length, 2);
  assert.deepEqual(tries[1]!.up.log, ["head PUT", "data late end"]);
  assert.deepEqual(down.log, []);
});

Deno.test("Exchange pauses the client while the first attempt waits and the body is large", () => {
  let ctx: FilterContext | null = null;
  const { x, down, tries } = rig([{ onAttempt: (c) => (ctx = c, PAUSE) }]);
  x.head(request("POST"), false);
  x.data(new Uint8Array(70 * 1024), false);
  assert.deepEqual(down.log, ["pause"]);
  ctx!.resume(ATTEMPT);
  assert.deepEqual(down.log, ["pause", "resume"]);
  assert.equal(tries[0]!.up.log.length, 2);
});

Deno.test("Exchange ends only the running attempt on failAttempt, so that a retry may follow", () => {
  let ctx: FilterContext | null = null;
  const keep: Filter = { onAttempt: (c) => (ctx = c, CONTINUE), ...retryOn503 };
  const { x, down, tries } = rig([keep]);
  x.head(request(), true);
  ctx!.failAttempt(FAULTS["timeout.backend"]);
  assert.equal(tries.length, 2);
  assert.equal(tries[0]!.up.log.at(-1), "cancel proxy.stopped");
  tries[0]!.into.head(response(200), true); // deaf
  assert.deepEqual(down.log, []);
  tries[1]!.into.head(response(204), true);
  ctx!.failAttempt(FAULTS["timeout.backend"]); // too late: no-op
  assert.deepEqual(down.log, ["head 204 end"]);
});

Deno.test("Exchange answers 503 when every endpoint has been tried", () => {
  const { x, down, tries } = rig([{ onOutcome: () => RETRY }], { endpoints: 2 });
  x.head(request(), true);
  tries[0]!.into.abort(FAULTS["upstream.connect"]);
  tries[1]!.into.abort(FAULTS["upstream.connect"]);
  assert.equal(down.log[0], "head 503");
  assert.equal(down.last!.fields.get("denim-fault"), "backend.no_endpoint");
});

Deno.test("Exchange stops the walk when a filter is done", () => {
  const seen: string[] = [];
  const { x, tries } = rig([
    { onRequestHead: (c) => (c.respond(403), DONE) },
    { onRequestHead: () => (seen.push("second"), CONTINUE) },
  ]);
  x.head(request("POST"), false);
  x.data(bytes("ignored"), true);
  assert.deepEqual(seen, []);
  assert.equal(tries.length, 0);
});

Deno.test("Exchange releases only what the filter that resumes was holding", () => {
  let ctx: FilterContext | null = null;
  const holdsBoth: Filter = {
    onRequestData: (c) => (ctx = c, null),
    onResponseHead: () => PAUSE,
  };
  const { x, down, tries } = rig([holdsBoth]);
  x.head(request("POST"), false);
  x.data(bytes("held"), true);
  tries[0]!.into.head(response(200), true);
  ctx!.resume(RESPONSE);
  assert.deepEqual(down.log, ["pause", "head 200 end"]);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "pause", "resume"]);
});
