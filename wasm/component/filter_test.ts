import assert from "node:assert/strict";
import { COLLECT, CONTINUE, DONE } from "../../core/filter.ts";
import { startProbe } from "../testing/probe.ts";

Deno.test("a component has just the hooks it asked for", async () => {
  const { filter, plugin } = await startProbe();
  assert.deepEqual(plugin.capabilities.phases, [
    "request-headers",
    "request-body",
    "response-headers",
  ]);
  assert.equal(filter.onResponseData, undefined);
  assert.notEqual(filter.onRequestData, undefined);
});

Deno.test("a component edits the head of a request", async () => {
  const call = (await startProbe()).exchange("edit");
  call.request.fields.append("x-multi", "1");
  call.request.fields.append("x-multi", "2");
  call.request.fields.append("x-gone", "1");
  assert.equal(call.requestHead(), CONTINUE);
  const { method, path, authority, fields } = call.request;
  assert.deepEqual([method, path, authority], ["POST", "/edited?x=1", "other.example"]);
  assert.deepEqual(fields.all("x-multi"), ["1", "2", "3"]);
  assert.equal(fields.get("x-set"), "1");
  assert.equal(fields.has("x-gone"), false);
});

Deno.test("a component cannot frame, inject or impersonate", async () => {
  const { exchange, logs } = await startProbe();
  const call = exchange("smuggle");
  call.request.fields.append("x-denim-peer", "spiffe://mesh.local/ns/default/sa/web");
  call.requestHead();
  const { fields } = call.request;
  assert.equal(fields.has("transfer-encoding"), false);
  assert.equal(fields.has("content-length"), false);
  assert.equal(fields.get("x-denim-peer"), "spiffe://mesh.local/ns/default/sa/web");
  assert.equal(fields.has("x-bad"), false);
  assert.equal(fields.has("bad name"), false);
  assert.equal(fields.has("x-wide"), false);
  assert.ok(logs.some((line) => line.msg === "wasm.bad_header" && line.header === "x-bad"));
});

Deno.test("a component answers itself", async () => {
  const { exchange } = await startProbe();
  const call = exchange("respond");
  assert.equal(call.requestHead(), DONE);
  assert.equal(call.reply?.status, 451);
  assert.equal(call.reply?.body, "not here\n");
  assert.deepEqual(call.reply?.fields.lines, ["x-why", "probe"]);
  call.end();
  const bytes = exchange("respond-bytes");
  bytes.requestHead();
  assert.equal(bytes.reply?.status, 200);
});

Deno.test("an answer that cannot be sent fails the exchange", async () => {
  const call = (await startProbe()).exchange("respond-badly");
  assert.equal(call.requestHead(), DONE);
  assert.equal(call.reply, null);
  assert.equal(call.fault?.status, 503);
});

Deno.test("a component cuts an exchange", async () => {
  const call = (await startProbe()).exchange("reset");
  assert.equal(call.requestHead(), DONE);
  assert.equal(call.fault?.code, "wasm.reset");
});

Deno.test("a component knows peer, route, revision and its configuration", async () => {
  const { exchange } = await startProbe({ config: '{"word": "x", "mode": "b", "size": 2.5}' });
  const call = exchange("inspect");
  call.requestHead();
  const seen = (name: string) => call.request.fields.get(name);
  assert.equal(seen("x-peer"), call.peer);
  assert.equal(seen("x-route"), "default/route/0");
  assert.equal(seen("x-revision"), "v1");
  assert.equal(seen("x-query"), "c");
  assert.equal(seen("x-word"), "xb2.5");
  assert.equal(seen("x-at-build"), "9", "text coding works before there is a host");
  assert.equal(seen("x-now"), "true");
  assert.equal(seen("x-fuel"), "true");
});

Deno.test("a body is held until it is whole, then replaced with its length", async () => {
  const { exchange } = await startProbe();
  const call = exchange();
  call.request.fields.append("content-length", "8");
  assert.equal(call.requestHead(false), COLLECT);
  assert.equal(call.requestData("up:gr", false), "");
  assert.equal(call.requestData("ün", true), "GRÜN");
  assert.equal(call.request.fields.get("content-length"), "5");
  assert.equal(call.request.fields.get("x-body"), "8 true");
});

Deno.test("a body of bytes, and an empty one, replace too", async () => {
  const { exchange } = await startProbe();
  const bytes = exchange();
  bytes.requestHead(false);
  assert.equal(bytes.requestData("bytes", true), "ü");
  const empty = exchange();
  empty.requestHead(false);
  assert.equal(empty.requestData("empty", true), "");
  assert.equal(empty.request.fields.get("content-length"), "0");
});

Deno.test("a body goes on before trailers, without a length", async () => {
  const { exchange } = await startProbe();
  const call = exchange();
  call.requestHead(false);
  assert.equal(call.requestData("up:ab", false), "");
  // An empty piece that is not the last: trailers follow.
  assert.equal(call.requestData("", false), "AB");
  assert.equal(call.request.fields.has("content-length"), false);
  assert.equal(call.requestTrailers("x-sum", "1"), CONTINUE);
});

Deno.test("a body over the filter's limit is refused with 413", async () => {
  const { exchange, plugin } = await startProbe();
  const call = exchange();
  call.requestHead(false);
  assert.equal(call.requestData("x".repeat(999), false), "");
  const { calls } = plugin.cost;
  assert.equal(call.requestData("xx", true), "");
  assert.equal(call.fault?.code, "proxy.buffer_full");
  assert.equal(plugin.cost.calls, calls, "the filter was not called");
});

Deno.test("a component changes the status of a response and remembers its request", async () => {
  const call = (await startProbe()).exchange();
  call.requestHead();
  assert.equal(call.responseHead(true, 200, ["x-teapot", "1"]), CONTINUE);
  assert.equal(call.response?.status, 418);
  assert.equal(call.response?.fields.get("x-path"), "/a?b=c");
});

Deno.test("an exchange that ends early is forgotten by the guest", async () => {
  const { exchange, plugin } = await startProbe();
  const call = exchange();
  call.requestHead();
  const { calls } = plugin.cost;
  call.end(); // no response came
  assert.equal(plugin.cost.calls, calls + 1, "the guest is told");
  const whole = exchange();
  whole.requestHead();
  whole.responseHead(true);
  const after = plugin.cost.calls;
  whole.end();
  assert.equal(plugin.cost.calls, after, "after its last phase it knows by itself");
});

Deno.test("memory stays flat over many exchanges, whole and cut short", async () => {
  const { exchange, plugin } = await startProbe();
  const round = (): void => {
    for (let i = 0; i < 300; i++) {
      const call = exchange();
      call.requestHead();
      if (i % 3 !== 0) call.responseHead(true);
      call.end();
    }
  };
  round();
  const before = plugin.memoryBytes;
  for (let i = 0; i < 4; i++) round();
  assert.ok(plugin.memoryBytes <= before, `${before} grew to ${plugin.memoryBytes}`);
  assert.equal(plugin.traps, 0);
});
