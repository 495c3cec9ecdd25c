/** What a plugin offers its module besides the exchange: configuration, shared data, metrics, properties, time, WASI. */
import assert from "node:assert/strict";
import { WASM_LIMITS } from "../limits.ts";
import { metered, proxyWasmWat, setUp, setUpWat } from "../testing/harness.ts";
import { FakeCalls } from "../testing/fake_calls.ts";
import { pairsWat } from "../testing/wat_data.ts";
import { SharedData } from "./shared_data.ts";

const onRequest = (code: string): string =>
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${code} (i32.const 0))`;
const SAY = `(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))`;

Deno.test("A module reads its configuration while it is configured, through the buffer and the old call", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_configure") (param i32 i32) (result i32)
       (call $note (local.get 1))
       (call $ok (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 100)
         (i32.const 16) (i32.const 20))) ${SAY}
       (call $ok (call $proxy_get_configuration (i32.const 16) (i32.const 20))) ${SAY}
       (i32.const 1))`,
    { config: '{"ä":1}', wat: { abi: "0_1_0" } },
  );
  assert.deepEqual(s.notes(), ["8", '{"ä":1}', '{"ä":1}']);
});

Deno.test("Configuration cannot be written", async () => {
  const s = await setUpWat(`(func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $note (call $proxy_set_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 1))) (i32.const 1))`);
  assert.deepEqual(s.notes(), ["2"]);
});

Deno.test("Shared data compares and sets, and outlives the instance", async () => {
  const set = (value: number, cas: string): string =>
    `(call $proxy_set_shared_data (i32.const 256) (i32.const 1) (i32.const ${value}) (i32.const 1) ${cas})`;
  const get =
    `(call $proxy_get_shared_data (i32.const 256) (i32.const 1) (i32.const 16) (i32.const 20)
    (i32.const 24))`;
  const s = await setUpWat(
    `(data (i32.const 256) "k") (data (i32.const 260) "1") (data (i32.const 264) "2")
    ${
      onRequest(`(if (call $proxy_get_shared_data (i32.const 256) (i32.const 1) (i32.const 16)
        (i32.const 20) (i32.const 24))
      (then
        (call $note ${get})
        (call $ok ${set(260, "(i32.const 0)")})
        (call $ok ${get}) ${SAY}
        (call $note ${set(264, "(i32.const 99)")})
        (call $note ${set(264, "(i32.load (i32.const 24))")})
        unreachable)
      (else ${SAY}))`)
    }`,
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["1", "1", "8", "0"]);
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["2"], "seen by the next instance");
});

Deno.test("Shared data is bounded in keys and in bytes", () => {
  const data = new SharedData();
  for (let i = 0; i < WASM_LIMITS.sharedKeys; i++) {
    assert.equal(data.set(`k${i}`, new Uint8Array(1), 0), 0);
  }
  assert.equal(data.set("one too many", new Uint8Array(1), 0), 10);
  assert.equal(data.set("k0", new Uint8Array(WASM_LIMITS.sharedBytes), 0), 10);
  assert.equal(data.set("k0", new Uint8Array(2), 0), 0);
});

Deno.test("Metrics are defined once, counted as Envoy counts them, and shown with the filter's name", async () => {
  const define = (type: number, name: number): string =>
    `(call $proxy_define_metric (i32.const ${type}) (i32.const ${name}) (i32.const 4) (i32.const 16))`;
  const id = "(i32.load (i32.const 16))";
  const s = await setUpWat(
    `(data (i32.const 256) "hits") (data (i32.const 260) "size") ${
      onRequest(`
      (call $ok ${define(0, 256)})
      (call $ok (call $proxy_increment_metric ${id} (i64.const 3)))
      (call $note (call $proxy_increment_metric ${id} (i64.const -1)))
      (call $ok (call $proxy_get_metric ${id} (i32.const 32))) (call $note (i32.load (i32.const 32)))
      (call $ok ${define(1, 260)})
      (call $ok (call $proxy_record_metric ${id} (i64.const 7)))
      (call $ok (call $proxy_increment_metric ${id} (i64.const -2)))
      (call $ok ${define(2, 260)})
      (call $ok (call $proxy_record_metric ${id} (i64.const 7)))
      (call $note (call $proxy_get_metric ${id} (i32.const 32)))
      (call $note (call $proxy_get_metric (i32.const 99) (i32.const 32)))
      (call $note ${define(9, 256)})`)
    }`,
  );
  s.exchange().requestHead();
  s.exchange().requestHead();
  assert.deepEqual(s.notes().slice(-5), ["2", "6", "2", "1", "2"]);
  const text = s.metrics.render();
  assert.ok(text.includes('denim_wasm_custom_total{filter="default/test",name="hits"} 6'));
  assert.ok(text.includes('denim_wasm_custom{filter="default/test",name="size"} 5'));
  assert.ok(
    text.includes('denim_wasm_custom_histogram_count{filter="default/test",name="size"} 2'),
  );
});

Deno.test("A filter can define only so many metrics", async () => {
  const s = await setUpWat(
    onRequest(`(local $i i32) (loop $l
      (i32.store8 (i32.const 300) (i32.add (i32.const 65) (i32.shr_u (local.get $i) (i32.const 4))))
      (i32.store8 (i32.const 301) (i32.add (i32.const 65) (i32.and (local.get $i) (i32.const 15))))
      (if (call $proxy_define_metric (i32.const 0) (i32.const 300) (i32.const 2) (i32.const 16))
        (then (if (i32.eq (local.get $i) (i32.const ${WASM_LIMITS.metrics}))
            (then (call $note (i32.const 1)))) (return (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1))) (br $l))`),
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["1"]);
});

Deno.test("Properties have Envoy's names and encodings", async () => {
  const paths: Readonly<Record<string, string>> = {
    "request\\00path\\00": "/a?b=c",
    "request\\00url_path": "/a",
    "request\\00query": "b=c",
    "request\\00host": "app.default",
    "request\\00method": "GET",
    "request\\00headers\\00user-agent": "test",
    "source\\00address": "127.0.0.1:4711",
    "connection\\00uri_san_peer_certificate": "spiffe://mesh.local/ns/default/sa/web",
    "route_name": "default/route/0",
    "cluster_name": "default/app:80",
    "plugin_name": "default/test",
  };
  for (const [path, wanted] of Object.entries(paths)) {
    const size = path.replaceAll("\\00", "0").length;
    const s = await setUpWat(`(data (i32.const 256) "${path}")
      ${
      onRequest(`(call $ok (call $proxy_get_property (i32.const 256) (i32.const ${size})
        (i32.const 16) (i32.const 20))) ${SAY}`)
    }`);
    s.exchange().requestHead();
    assert.deepEqual(s.notes(), [wanted], path);
  }
});

Deno.test("Numbers are eight bytes and truths one; what is not known is not found", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "source\\00port") (data (i32.const 270) "connection\\00mtls")
     (data (i32.const 290) "constructor") ${
      onRequest(`
      (call $ok (call $proxy_get_property (i32.const 256) (i32.const 11) (i32.const 16) (i32.const 20)))
      (call $note (i32.load (i32.const 20)))
      (call $note (i32.eq (i32.load (i32.load (i32.const 16))) (i32.const 4711)))
      (call $ok (call $proxy_get_property (i32.const 270) (i32.const 15) (i32.const 16) (i32.const 20)))
      (call $note (i32.load (i32.const 20)))
      (call $note (call $proxy_get_property (i32.const 290) (i32.const 11) (i32.const 16) (i32.const 20)))`)
    }`,
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["8", "1", "1", "1"]);
});

Deno.test("Times are nanoseconds: when the exchange began, and how long ago", async () => {
  const read = (path: number, size: number): string =>
    `(call $ok (call $proxy_get_property (i32.const ${path}) (i32.const ${size}) (i32.const 16)
       (i32.const 20)))`;
  const s = await setUpWat(
    `(data (i32.const 256) "request\\00time") (data (i32.const 280) "request\\00duration")
     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
     (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
       ${read(256, 12)}
       (call $note (i64.eq (i64.load (i32.load (i32.const 16))) (i64.const 1700000001000000000)))
       ${read(280, 16)}
       (call $note (i64.eq (i64.load (i32.load (i32.const 16))) (i64.const 30000000)))
       (i32.const 0))`,
  );
  const x = s.exchange();
  x.requestHead();
  s.clock.ms += 30;
  x.responseHead();
  assert.deepEqual(s.notes(), ["1", "1"]);
});

Deno.test("A property that a filter set is there for its exchange only, and cannot hide the proxy's own", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "mine") (data (i32.const 260) "route_name")
     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
       (call $note (call $proxy_get_property (i32.const 256) (i32.const 4) (i32.const 16) (i32.const 20)))
       (call $ok (call $proxy_set_property (i32.const 256) (i32.const 4) (i32.const 260) (i32.const 5)))
       (call $ok (call $proxy_set_property (i32.const 260) (i32.const 10) (i32.const 260) (i32.const 5)))
       (i32.const 0))
     (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
       (call $ok (call $proxy_get_property (i32.const 256) (i32.const 4) (i32.const 16) (i32.const 20))) ${SAY}
       (call $ok (call $proxy_get_property (i32.const 260) (i32.const 10) (i32.const 16) (i32.const 20))) ${SAY}
       (i32.const 0))`,
  );
  for (let i = 0; i < 2; i++) {
    const x = s.exchange();
    x.requestHead();
    x.responseHead();
    assert.deepEqual(s.notes(), ["1", "route", "default/route/0"]);
  }
});

const WASI = (name: string, signature: string): string =>
  `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${signature} (result i32)))`;

Deno.test("WASI writes to the log, by line and from several parts", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "hello ") (data (i32.const 264) "world\\0a") ${
      onRequest(`
      (i32.store (i32.const 32) (i32.const 256)) (i32.store (i32.const 36) (i32.const 6))
      (i32.store (i32.const 40) (i32.const 264)) (i32.store (i32.const 44) (i32.const 6))
      (call $ok (call $fd_write (i32.const 1) (i32.const 32) (i32.const 2) (i32.const 48)))
      (call $note (i32.load (i32.const 48)))
      (call $note (call $fd_write (i32.const 5) (i32.const 32) (i32.const 2) (i32.const 48)))
      (call $note (call $fd_write (i32.const 1) (i32.const -8) (i32.const 2) (i32.const 48)))`)
    }`,
    { wat: { imports: WASI("fd_write", "(param i32 i32 i32 i32)") } },
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["hello world", "12", "8", "21"]);
});

Deno.test("WASI gives time, randomness up to its limit, and no events", async () => {
  const s = await setUpWat(
    onRequest(`
      (call $note (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 32)))
      (call $note (i64.eq (i64.load (i32.const 32)) (i64.const 1700000001000000000)))
      (call $note (call $clock_time_get (i32.const 7) (i64.const 1) (i32.const 32)))
      (call $note (call $random_get (i32.const 64) (i32.const 32)))
      (call $note (i64.eqz (i64.or (i64.load (i32.const 64)) (i64.load (i32.const 72)))))
      (call $note (call $random_get (i32.const 64) (i32.const ${WASM_LIMITS.randomBytes + 1})))
      (call $note (call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 80)))
      (call $note (i32.load (i32.const 80)))`),
    {
      wat: {
        memory: '(memory (export "memory") 2)',
        imports: WASI("clock_time_get", "(param i32 i64 i32)") +
          WASI("random_get", "(param i32 i32)") + WASI("poll_oneoff", "(param i32 i32 i32 i32)"),
      },
    },
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["0", "1", "28", "0", "0", "28", "0", "0"]);
});

Deno.test("A call logs only so many lines, and only so much of each", async () => {
  const s = await setUpWat(
    onRequest(`(local $i i32) (loop $l
      (call $say (i32.const 1024) (i32.const 8000))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))`),
  );
  s.exchange().requestHead();
  const lines = s.notes();
  assert.equal(lines.length, WASM_LIMITS.logLinesPerCall);
  assert.equal(lines[0]!.length, WASM_LIMITS.logBytes);
});

Deno.test("A filter has only its share of the log, and what it lost is said later", async () => {
  const s = await setUpWat(onRequest(`(call $note (i32.const 1))`));
  for (let i = 0; i < WASM_LIMITS.logLinesBurst + 7; i++) s.exchange().requestHead();
  assert.equal(s.notes().length, WASM_LIMITS.logLinesBurst);
  s.clock.ms += 1000;
  for (let i = 0; i < WASM_LIMITS.logLinesPerSecond + 1; i++) s.exchange().requestHead();
  assert.equal(s.logs.find((l) => l["msg"] === "wasm.log_dropped")!["lines"], 7);
  assert.equal(s.notes().length, WASM_LIMITS.logLinesPerSecond);
});

Deno.test("A module that starts with more memory than its binding allows does not start", async () => {
  const bytes = await metered(proxyWasmWat("", { memory: '(memory (export "memory") 3)' }));
  await assert.rejects(
    setUp(bytes, { memoryBytes: 2 * 65536 }),
    /starts with 196608 bytes of memory; its limit is 131072/,
  );
});

Deno.test("A tick comes at its period, not more often than the least, and can be stopped", async () => {
  const s = await setUpWat(
    `(global $n (mut i32) (i32.const 0))
     (func (export "proxy_on_configure") (param i32 i32) (result i32)
       (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 1))) (i32.const 1))
     (func (export "proxy_on_tick") (param i32)
       (call $note (local.get 0))
       (global.set $n (i32.add (global.get $n) (i32.const 1)))
       (if (i32.eq (global.get $n) (i32.const 2))
         (then (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 0))))))`,
  );
  for (let i = 0; i < 5; i++) {
    s.clock.ms += 30;
    s.wheel.advance();
  }
  assert.deepEqual(s.notes(), ["1", "1"]);
  assert.equal(s.wheel.armed, 0);
});

Deno.test("A module whose root context has a name finds it by its listing's name", async () => {
  // Exits as AssemblyScript's SDK does unless plugin_root_id is "test".
  const body = `(data (i32.const 256) "plugin_root_id")
    (func (export "proxy_on_context_create") (param i32 i32)
      (call $ok (call $proxy_get_property (i32.const 256) (i32.const 14) (i32.const 16) (i32.const 20)))
      (if (i32.ne (i32.load (i32.const 20)) (i32.const 4)) (then (call $exit (i32.const 255)))))`;
  const wat = {
    imports: `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))`,
  };
  await setUpWat(body, { wat });
  await setUpWat(body, { wat, rootId: "four" });
  await assert.rejects(setUpWat(body, { wat, rootId: "other" }), /proc_exit\(255\)/);
});

/** Notes each farewell of the root, and is done when it has been asked `$times` times. */
const FAREWELL = `(data (i32.const 256) "done") (data (i32.const 262) "delete")
  (func (export "proxy_on_done") (param i32) (result i32) (call $say (i32.const 256) (i32.const 4))
    (i32.const 0))
  (func (export "proxy_on_delete") (param i32) (call $say (i32.const 262) (i32.const 6)))`;

Deno.test("A plugin that is done later is deleted when it says so", async () => {
  const s = await setUpWat(
    FAREWELL + `(func (export "proxy_on_queue_ready") (param i32 i32))
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (call $note (call $proxy_done)) (i32.const 1))`,
  );
  assert.deepEqual(s.notes(), ["1"], "nobody has asked yet");
  s.filter.close!();
  assert.deepEqual(s.notes(), ["done"]);
  s.clock.ms += WASM_LIMITS.doneMs + 20;
  s.wheel.advance();
  assert.deepEqual(s.notes(), ["delete"], "nobody waits for ever");
});

Deno.test("A plugin may finish what it has under way before it is deleted", async () => {
  const calls = new FakeCalls();
  const head = pairsWat([":method", "GET", ":path", "/", ":authority", "a"]);
  const s = await setUpWat(
    `(data (i32.const 300) "${head.wat}") (data (i32.const 290) "up")
     (data (i32.const 256) "done") (data (i32.const 262) "delete")
     (func (export "proxy_on_done") (param i32) (result i32) (call $say (i32.const 256) (i32.const 4))
       (call $ok (call $proxy_http_call (i32.const 290) (i32.const 2) (i32.const 300)
         (i32.const ${head.size}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
         (i32.const 0) (i32.const 32)))
       (i32.const 0))
     (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
       (call $ok (call $proxy_done)))
     (func (export "proxy_on_delete") (param i32) (call $say (i32.const 262) (i32.const 6)))`,
    { calls, upstreams: [{ names: ["up"], backend: "b", fields: [] }] },
  );
  s.filter.close!();
  assert.deepEqual(s.notes(), ["done"]);
  calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), ["delete"]);
  assert.equal(s.wheel.armed, 0);
});
