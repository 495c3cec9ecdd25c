/** A Proxy-Wasm filter and the heads of an exchange: maps, versions of the ABI, local responses, pauses, capabilities. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import { setUpWat } from "../testing/harness.ts";

/** on_request_headers around some code; it goes on unless the code says otherwise. */
const onRequest = (code: string): string =>
  `(func (export "proxy_on_request_headers") (param $id i32) (param $n i32) (param $end i32) (result i32)
     ${code} (i32.const 0))`;

const DATA =
  `(data (i32.const 256) "x-one") (data (i32.const 264) "value") (data (i32.const 272) "X-Twice")
  (data (i32.const 280) "missing") (data (i32.const 288) ":path") (data (i32.const 296) "/new")
  (data (i32.const 304) "bad name")`;

const get = (key: number, size: number): string =>
  `(call $proxy_get_header_map_value (i32.const 0) (i32.const ${key}) (i32.const ${size})
     (i32.const 16) (i32.const 20))`;
const SAY_VALUE = `(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))`;
const change = (how: string, key: number, size: number, value = 264, valueSize = 5): string =>
  `(call $proxy_${how}_header_map_value (i32.const 0) (i32.const ${key}) (i32.const ${size})
     (i32.const ${value}) (i32.const ${valueSize}))`;

Deno.test("A filter has just the hooks its module exports", async () => {
  const { filter } = await setUpWat(onRequest(""));
  assert.deepEqual(Object.keys(filter).sort(), ["close", "onEnd", "onRequestHead"]);
});

Deno.test("A filter adds, replaces and removes request headers", async () => {
  const s = await setUpWat(`${DATA} ${
    onRequest(`
      (call $ok ${change("add", 256, 5)})
      (call $ok ${change("replace", 272, 7)})
      (call $ok ${change("replace", 288, 5, 296, 4)})
      (call $ok (call $proxy_remove_header_map_value (i32.const 0) (i32.const 280) (i32.const 7)))`)
  }`);
  const x = s.exchange({ fields: new Fields(["x-twice", "1", "missing", "m", "x-twice", "2"]) });
  assert.equal(x.requestHead(), CONTINUE);
  assert.deepEqual(x.request.fields.lines, ["x-twice", "value", "x-one", "value"]);
  assert.equal(x.request.path, "/new");
});

Deno.test("A filter reads the first of repeated values, whatever the case of the name", async () => {
  const s = await setUpWat(`${DATA} ${onRequest(`(call $ok ${get(272, 7)}) ${SAY_VALUE}`)}`);
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["1"]);
});

Deno.test("A missing value is not found in 0.2.x and empty in 0.1.0", async () => {
  const body = `${DATA} ${onRequest(`(call $note ${get(280, 7)})`)}`;
  for (const [abi, status] of [["0_2_1", "1"], ["0_2_0", "1"], ["0_1_0", "0"]] as const) {
    const s = await setUpWat(body, { wat: { abi } });
    s.exchange().requestHead();
    assert.deepEqual(s.notes(), [status], abi);
  }
});

Deno.test("A callback of 0.1.0 with two parameters is called all the same", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param $id i32) (param $n i32) (result i32)
       (call $note (local.get $n)) (i32.const 0))`,
    { wat: { abi: "0_1_0" } },
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["7"]); // four pseudo headers and three lines
});

Deno.test("A refused header, a map that is not there and a bad pointer each have their status", async () => {
  const s = await setUpWat(`${DATA} ${
    onRequest(`
      (call $note ${change("add", 304, 8)})
      (call $note (call $proxy_get_header_map_value (i32.const 9) (i32.const 256) (i32.const 5)
        (i32.const 16) (i32.const 20)))
      (call $note (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 5)
        (i32.const 264) (i32.const 5)))
      (call $note ${change("add", 0x7fff0000, 5)})
      (call $note (call $proxy_get_header_map_value (i32.const 0) (i32.const 272) (i32.const 7)
        (i32.const -1) (i32.const 20)))`)
  }`);
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["2", "2", "2", "6", "6"]);
});

Deno.test("An allocator that gives nothing is an error the guest hears of, not a trap", async () => {
  const s = await setUpWat(`${DATA} ${onRequest(`(call $note ${get(272, 7)})`)}`, {
    wat: {
      allocator: `(func (export "malloc") (param i32) (result i32) (i32.const 0))`,
    },
  });
  assert.equal(s.exchange().requestHead(), CONTINUE);
  assert.deepEqual(s.notes(), ["6"]);
  assert.equal(s.reports.list()[0]!.traps, 0);
});

Deno.test("A module without an allocator can still read what needs none", async () => {
  const s = await setUpWat(
    onRequest(`(call $note (call $proxy_get_header_map_size (i32.const 0) (i32.const 16)))
      (call $note ${get(272, 7)})`) + DATA,
    { wat: { allocator: "" } },
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["0", "6"]);
});

Deno.test("A whole map goes out to the guest and comes back", async () => {
  const s = await setUpWat(onRequest(`
    (call $ok (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 16) (i32.const 20)))
    (call $note (i32.load (i32.load (i32.const 16))))
    (call $ok (call $proxy_set_header_map_pairs (i32.const 0) (i32.load (i32.const 16))
      (i32.load (i32.const 20))))`));
  const x = s.exchange();
  x.requestHead();
  assert.deepEqual(s.notes(), ["7"]);
  assert.deepEqual(x.request.fields.lines, ["user-agent", "test", "x-twice", "1", "x-twice", "2"]);
});

Deno.test("Malformed pairs change nothing", async () => {
  const s = await setUpWat(onRequest(`(call $note (call $proxy_set_header_map_pairs (i32.const 0)
    (i32.const 0) (i32.const 3)))`));
  const x = s.exchange();
  x.requestHead();
  assert.deepEqual(s.notes(), ["2"]);
  assert.equal(x.request.fields.size, 3);
});

const RESPOND = (status: number, grpcStatus = -1): string =>
  `(call $proxy_send_local_response (i32.const ${status}) (i32.const 256) (i32.const 5)
     (i32.const 264) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const ${grpcStatus}))`;

Deno.test("A local response answers when the call has returned, and a second one is ignored", async () => {
  const s = await setUpWat(
    `${DATA} ${onRequest(`(call $ok ${RESPOND(403)}) (call $ok ${RESPOND(500)})`)}`,
  );
  const x = s.exchange();
  assert.equal(x.requestHead(), DONE);
  assert.deepEqual([x.reply!.status, x.reply!.body], [403, "value"]);
});

Deno.test("A local response brings its gRPC status to gRPC clients only", async () => {
  const given = async (type: string, grpcStatus: number): Promise<string | undefined> => {
    const s = await setUpWat(`${DATA} ${onRequest(`(call $ok ${RESPOND(403, grpcStatus)})`)}`);
    const x = s.exchange();
    x.request.fields.set("content-type", type);
    x.requestHead();
    return x.reply!.fields.get("grpc-status");
  };
  assert.equal(await given("application/grpc", 16), "16");
  assert.equal(await given("application/grpc", -1), undefined, "the proxy knows one by the status");
  assert.equal(await given("application/grpc", 0), undefined);
  assert.equal(await given("application/json", 16), undefined);
});

Deno.test("A local response of no final status is refused", async () => {
  const s = await setUpWat(`${DATA} ${onRequest(`(call $note ${RESPOND(101)})`)}`);
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  assert.deepEqual(s.notes(), ["2"]);
});

Deno.test("A response head can be changed, the request's no more", async () => {
  const s = await setUpWat(`${DATA}
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
      (call $note ${change("add", 256, 5)})
      (call $note (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 5)
        (i32.const 264) (i32.const 5)))
      (i32.const 0))`);
  const x = s.exchange();
  assert.equal(x.responseHead(), CONTINUE);
  assert.deepEqual(s.notes(), ["2", "0"]);
  assert.deepEqual(x.response!.fields.lines, ["x-one", "value"]);
});

Deno.test("A pause holds the head until the guest continues the stream from a tick", async () => {
  const s = await setUpWat(`(global $id (mut i32) (i32.const 0))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (global.set $id (local.get 0)) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
      (call $ok (call $proxy_set_effective_context (global.get $id)))
      (call $ok (call $proxy_continue_stream (i32.const 0))))`);
  const x = s.exchange();
  assert.equal(x.requestHead(), PAUSE);
  assert.equal(x.resumes, 0);
  s.clock.ms += 200;
  s.wheel.advance();
  assert.equal(x.resumes, 1);
});

Deno.test("Continuing within the callback that pauses does not pause", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (call $ok (call $proxy_continue_stream (i32.const 0))) (i32.const 1))`,
  );
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  assert.equal(x.resumes, 0);
});

Deno.test("A number of an action that nobody knows holds the stream", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 4))`,
  );
  assert.equal(s.exchange().requestHead(), PAUSE);
});

Deno.test("Closing a stream resets the exchange", async () => {
  const s = await setUpWat(onRequest(`(call $ok (call $proxy_close_stream (i32.const 0)))`));
  const x = s.exchange();
  assert.equal(x.requestHead(), DONE);
  assert.equal(x.fault!.code, "wasm.reset");
});

Deno.test("Contexts are created under the root, numbered anew, and told of their end", async () => {
  const s = await setUpWat(`
    (func (export "proxy_on_context_create") (param $id i32) (param $parent i32)
      (call $note (local.get $id)) (call $note (local.get $parent)))
    (func (export "proxy_on_done") (param i32) (result i32) (call $note (i32.const 7)) (i32.const 1))
    (func (export "proxy_on_log") (param i32) (call $note (i32.const 8)))
    (func (export "proxy_on_delete") (param i32) (call $note (local.get 0)))
    ${onRequest("")}`);
  assert.deepEqual(s.notes(), ["1", "0"]);
  for (const id of ["2", "3"]) {
    const x = s.exchange();
    x.requestHead();
    x.end();
    assert.deepEqual(s.notes(), [id, "1", "7", "8", id]);
  }
});

Deno.test("on_done that says false waits for proxy_done before on_log and on_delete", async () => {
  const s = await setUpWat(`(global $id (mut i32) (i32.const 0))
    (func (export "proxy_on_done") (param i32) (result i32) (i32.const 0))
    (func (export "proxy_on_delete") (param i32) (call $note (local.get 0)))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 50))) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
      (drop (call $proxy_set_effective_context (i32.const 2))) (call $note (call $proxy_done)))
    ${onRequest("")}`);
  const x = s.exchange();
  x.requestHead();
  x.end();
  assert.deepEqual(s.notes(), []);
  s.clock.ms += 60;
  s.wheel.advance();
  assert.deepEqual(s.notes(), ["0", "2"]);
  s.clock.ms += 60;
  s.wheel.advance();
  assert.deepEqual(s.notes(), ["1"], "the context is gone");
});

Deno.test("A filter with only on_log hears of every exchange at its end", async () => {
  const s = await setUpWat(`${DATA} (func (export "proxy_on_log") (param i32)
    (call $ok ${get(288, 5)}) ${SAY_VALUE})`);
  s.exchange({ path: "/seen" }).end();
  assert.deepEqual(s.notes(), ["/seen"]);
});

Deno.test("A host call that was not granted fails, is logged once, and links all the same", async () => {
  const s = await setUpWat(`${DATA} ${onRequest(`(call $note ${change("add", 256, 5)})`)}`, {
    capabilities: ["headers-read"],
  });
  const x = s.exchange();
  x.requestHead();
  s.exchange().requestHead();
  assert.equal(x.request.fields.has("x-one"), false);
  const denied = s.logs.filter((l) => l["msg"] === "wasm.denied");
  assert.deepEqual(denied.map((l) => l["call"]), ["proxy_add_header_map_value"]);
  assert.deepEqual(s.notes(), ["10", "10"]);
});

Deno.test("An import nobody knows is a stub of its own type", async () => {
  const s = await setUpWat(
    onRequest(`(call $note (call $redis (i32.const 1))) (drop (call $wide))
      (call $note (call $sock))`),
    {
      wat: {
        imports: `(import "env" "proxy_redis_init" (func $redis (param i32) (result i32)))
          (import "env" "wide" (func $wide (result i64)))
          (import "wasi_snapshot_preview1" "sock_recv" (func $sock (result i32)))`,
      },
    },
  );
  assert.equal(s.exchange().requestHead(), CONTINUE);
  assert.deepEqual(s.notes(), ["10", "52"]);
});
