/** Component filters in a real exchange: their verdicts against the flow's queues, between fake sockets. */
import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { rig } from "../../proxy/testing.ts";
import { startProbe } from "../testing/probe.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function post(what: string, ...lines: string[]): RequestHead {
  const fields = new Fields(["x-do", what, ...lines]);
  return { method: "POST", scheme: "http", authority: "a", path: "/", fields };
}

Deno.test("an answer from a request hook reaches the client and no upstream", async () => {
  const { x, down, tries } = rig([(await startProbe()).filter]);
  x.head(post("respond"), true);
  assert.equal(tries.length, 0);
  assert.deepEqual(down.log, ["head 451", "data not here\n end"]);
  assert.equal(down.last!.fields.get("x-why"), "probe");
  assert.equal(
    down.last!.fields.has("x-path"),
    false,
    "it does not pass the filter's own onResponse",
  );
});

Deno.test("an answer without a body is one head", async () => {
  const { x, down } = rig([(await startProbe()).filter]);
  x.head(post("respond-empty"), true);
  assert.deepEqual(down.log, ["head 403 end"]);
});

Deno.test("a trap answers 503 with its fault, an exception too", async () => {
  for (const [what, code] of [["spin", "wasm.out_of_fuel"], ["throw", "wasm.trapped"]] as const) {
    const { x, down } = rig([(await startProbe()).filter]);
    x.head(post(what), true);
    assert.equal(down.log[0], "head 503");
    assert.equal(down.last!.fields.get("denim-fault"), code);
  }
});

Deno.test("a filter that may run no more answers 503, or lets pass when it may fail open", async () => {
  const closed = await startProbe();
  for (let i = 0; i < 10; i++) closed.exchange("spin").requestHead();
  const refused = rig([closed.filter]);
  refused.x.head(post(""), true);
  assert.equal(refused.down.log[0], "head 503");
  const open = await startProbe({ failOpen: true });
  for (let i = 0; i < 10; i++) open.exchange("spin").requestHead();
  const passed = rig([open.filter]);
  passed.x.head(post("edit"), true);
  assert.deepEqual(passed.tries[0]!.up.log, ["head POST end"]);
});

Deno.test("a body goes to the upstream whole and replaced, with its new length", async () => {
  const { x, tries } = rig([(await startProbe()).filter]);
  x.head(post("", "content-length", "5"), false);
  x.data(encode("up:"), false);
  assert.equal(tries.length, 0, "the head waits");
  x.data(encode("ab"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data AB end"]);
  assert.equal(tries[0]!.up.last!.fields.get("content-length"), "2");
});

Deno.test("a body that is taken away leaves a head that ends", async () => {
  const { x, tries } = rig([(await startProbe()).filter]);
  x.head(post(""), false);
  x.data(encode("empty"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST end"]);
});

Deno.test("trailers follow the replaced body", async () => {
  const { x, tries } = rig([(await startProbe()).filter]);
  x.head(post("", "content-length", "5"), false);
  x.data(encode("up:ab"), false);
  x.trailers(new Fields(["x-sum", "1"]));
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data AB", "trailers x-sum,1"]);
  assert.notEqual(tries[0]!.up.last!.fields.get("content-length"), "5");
});

Deno.test("a body over the limit answers 413", async () => {
  const { x, down, tries } = rig([(await startProbe()).filter]);
  x.head(post(""), false);
  x.data(new Uint8Array(1001), false);
  assert.equal(tries.length, 0);
  assert.equal(down.log[0], "head 413");
  assert.equal(down.last!.fields.get("denim-fault"), "proxy.buffer_full");
});

Deno.test("two component filters see each other's changes, responses in reverse order", async () => {
  const first = await startProbe(), second = await startProbe({ slot: 1 });
  const { x, down, tries } = rig([first.filter, second.filter]);
  x.head(post(""), false);
  x.data(encode("up:up:a"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data UP:A end"]);
  tries[0]!.into.head({ status: 200, fields: new Fields(["x-teapot", "1"]) }, true);
  assert.deepEqual(down.log, ["head 418 end"]);
});
