/** Wasm filters in a real exchange: verdicts of the guest against the flow's queues, between fake sockets. */
import assert from "node:assert/strict";
import { Fields } from "../core/fields.ts";
import { rig } from "../proxy/testing.ts";
import { setUpWat } from "./testing/harness.ts";

const ACTION = "(param $id i32) (param $size i32) (param $end i32) (result i32)";
const WAIT = `(i32.eqz (local.get $end))`;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function post(...lines: string[]) {
  return {
    method: "POST",
    scheme: "http",
    authority: "a",
    path: "/",
    fields: new Fields(lines),
  };
}

Deno.test("A body that a filter collects reaches the upstream whole, and trailers do not overtake it", async () => {
  const s = await setUpWat(`(func (export "proxy_on_request_body") ${ACTION} ${WAIT})`);
  const { x, tries } = rig([s.filter]);
  x.head(post(), false);
  x.data(encode("ab"), false);
  x.data(encode("cd"), false);
  assert.deepEqual(tries[0]!.up.log, ["head POST"]);
  x.trailers(new Fields(["x", "1"]));
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data abcd", "trailers x,1"]);
});

Deno.test("A head held for its body goes on with it and with trailers", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") ${ACTION} (i32.const 1))
     (func (export "proxy_on_request_body") ${ACTION} ${WAIT})`,
  );
  const { x, tries } = rig([s.filter]);
  x.head(post("content-length", "4"), false);
  x.data(encode("ab"), false);
  assert.equal(tries.length, 0);
  x.data(encode("cd"), true);
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data abcd end"]);
  assert.equal(tries[0]!.up.last!.fields.get("content-length"), "4");

  const other = rig([s.filter]);
  other.x.head(post(), false);
  other.x.data(encode("ab"), false);
  other.x.trailers(new Fields(["x", "1"]));
  assert.deepEqual(other.tries[0]!.up.log, ["head POST", "data ab", "trailers x,1"]);
});

Deno.test("Two filters that collect see each other's result, trailers last", async () => {
  const first = await setUpWat(
    `(data (i32.const 256) "<")
     (func (export "proxy_on_request_body") ${ACTION}
       (call $ok (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0)
         (i32.const 256) (i32.const 1))) (i32.const 0))`,
  );
  const second = await setUpWat(`(func (export "proxy_on_request_body") ${ACTION} ${WAIT})`, {
    slot: 1,
  });
  const { x, tries } = rig([first.filter, second.filter]);
  x.head(post(), false);
  x.data(encode("a"), false);
  x.data(encode("b"), false);
  x.trailers(new Fields(["x", "1"]));
  assert.deepEqual(tries[0]!.up.log, ["head POST", "data <a<b", "trailers x,1"]);
});

Deno.test("A local response from a request callback passes the response callbacks of the same filter", async () => {
  const s = await setUpWat(`(data (i32.const 256) "x-one")
    (func (export "proxy_on_request_headers") ${ACTION}
      (call $ok (call $proxy_send_local_response (i32.const 403) (i32.const 0) (i32.const 0)
        (i32.const 256) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1))
    (func (export "proxy_on_response_headers") ${ACTION}
      (call $ok (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 5)
        (i32.const 256) (i32.const 5))) (i32.const 0))`);
  const { x, down, tries } = rig([s.filter]);
  x.head(post(), true);
  assert.equal(tries.length, 0);
  assert.deepEqual(down.log, ["head 403", "data x-one end"]);
  assert.equal(down.last!.fields.get("x-one"), "x-one");
});

Deno.test("A response callback that answers replaces the response", async () => {
  const s = await setUpWat(`(data (i32.const 256) "other")
    (func (export "proxy_on_response_headers") ${ACTION}
      (call $ok (call $proxy_send_local_response (i32.const 502) (i32.const 0) (i32.const 0)
        (i32.const 256) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1))`);
  const { x, down, tries } = rig([s.filter]);
  x.head(post(), true);
  tries[0]!.into.head({ status: 200, fields: new Fields(["content-length", "9"]) }, false);
  assert.deepEqual(down.log, ["head 502", "data other end"]);
  assert.equal(down.last!.fields.get("content-length"), "5");
});

Deno.test("A trap answers 503 with its fault; with fail mode open nobody notices", async () => {
  const body = `(func (export "proxy_on_request_headers") ${ACTION} unreachable)`;
  const closed = await setUpWat(body);
  const refused = rig([closed.filter]);
  refused.x.head(post(), true);
  assert.equal(refused.down.log[0], "head 503");
  assert.equal(refused.down.last!.fields.get("denim-fault"), "wasm.trapped");
  const open = rig([(await setUpWat(body, { failMode: "open" })).filter]);
  open.x.head(post(), true);
  assert.deepEqual(open.tries[0]!.up.log, ["head POST end"]);
});

Deno.test("A trap after the response has begun cuts it", async () => {
  const s = await setUpWat(`(func (export "proxy_on_response_body") ${ACTION} unreachable)`);
  const { x, down, tries } = rig([s.filter]);
  x.head(post(), true);
  tries[0]!.into.head({ status: 200, fields: new Fields() }, false);
  tries[0]!.into.data(encode("abc"), false);
  assert.deepEqual(down.log.slice(0, 2), ["head 200", "abort wasm.trapped"]);
});
