/** A Proxy-Wasm filter and bodies: reading, changing, holding, limits, and the length a head has promised. */
import assert from "node:assert/strict";
import { COLLECT, CONTINUE, DONE, PAUSE } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import { WASM_LIMITS } from "../limits.ts";
import { setUpWat } from "../testing/harness.ts";

const DATA = `(data (i32.const 256) "<new>")`;

/** on_request_body around some code with `$size` and `$end`; its last expression is the action. */
const onBody = (code: string, which = "request"): string =>
  `(func (export "proxy_on_${which}_body") (param $id i32) (param $size i32) (param $end i32) (result i32)
     ${code})`;

const set = (start: string, size: string): string =>
  `(call $proxy_set_buffer_bytes (i32.const 0) ${start} ${size} (i32.const 256) (i32.const 5))`;

const WAIT_FOR_END = `(i32.eqz (local.get $end))`;

Deno.test("A body hook that changes nothing passes the very same bytes", async () => {
  const { filter, exchange } = await setUpWat(onBody("(i32.const 0)"));
  const bytes = new Uint8Array([1, 2, 3]);
  assert.equal(filter.onRequestData!(exchange(), bytes, false), bytes);
});

Deno.test("A body can be prepended to, appended to, replaced and patched", async () => {
  const cases: Readonly<Record<string, readonly [string, string]>> = {
    "<new>hello": ["(i32.const 0)", "(i32.const 0)"],
    "hello<new>": ["(local.get $size)", "(i32.const 0)"],
    "<new>": ["(i32.const 0)", "(i32.const -1)"],
    "h<new>o": ["(i32.const 1)", "(i32.const 3)"],
  };
  for (const [wanted, [start, size]] of Object.entries(cases)) {
    const s = await setUpWat(`${DATA} ${onBody(`(call $ok ${set(start, size)}) (i32.const 0)`)}`);
    assert.equal(s.exchange().requestData("hello", true), wanted);
  }
});

Deno.test("A body start beyond the end reads as nothing, an overflow is refused", async () => {
  const read = (start: number, max: number): string =>
    `(call $note (call $proxy_get_buffer_bytes (i32.const 0) (i32.const ${start}) (i32.const ${max})
       (i32.const 16) (i32.const 20))) (call $note (i32.load (i32.const 20)))`;
  const s = await setUpWat(onBody(`${read(9, 5)} ${read(1, 99)} ${read(-1, 2)} (i32.const 0)`));
  s.exchange().requestData("hello", true);
  assert.deepEqual(s.notes(), ["0", "0", "0", "4", "2", "4"]);
});

Deno.test("A body that is not there is not found; the status of one that is gives its length", async () => {
  const status = (buffer: number): string =>
    `(call $note (call $proxy_get_buffer_status (i32.const ${buffer}) (i32.const 16) (i32.const 20)))`;
  const s = await setUpWat(
    onBody(`${status(0)} (call $note (i32.load (i32.const 16))) ${status(1)} ${status(4)}
      ${status(9)} (i32.const 0)`),
  );
  s.exchange().requestData("hello", true);
  assert.deepEqual(s.notes(), ["0", "5", "1", "1", "2"]);
});

Deno.test("A pause collects chunks; the guest sees them all each time and lets them go together", async () => {
  const s = await setUpWat(onBody(`(call $note (local.get $size)) ${WAIT_FOR_END}`));
  const x = s.exchange();
  assert.equal(x.requestData("abc"), "");
  assert.equal(x.requestData("de"), "");
  assert.equal(x.requestData("f", true), "abcdef");
  assert.deepEqual(s.notes(), ["3", "5", "6"]);
});

Deno.test("A collected body can be replaced whole", async () => {
  const s = await setUpWat(
    `${DATA} ${
      onBody(`(if (local.get $end) (then (call $ok ${set("(i32.const 0)", "(local.get $size)")})))
      ${WAIT_FOR_END}`)
    }`,
  );
  const x = s.exchange();
  x.requestData("abc");
  assert.equal(x.requestData("def", true), "<new>");
});

Deno.test("A pause at the last chunk holds the flow until the stream is continued", async () => {
  const s = await setUpWat(`(global $id (mut i32) (i32.const 0))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 50))) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
      (drop (call $proxy_set_effective_context (global.get $id)))
      (drop (call $proxy_continue_stream (i32.const 0))))
    ${onBody(`(global.set $id (local.get $id)) (call $note (i32.const 1)) (i32.const 1)`)}`);
  const x = s.exchange();
  assert.equal(x.requestData("ab"), "");
  assert.equal(x.requestData("cd", true), null);
  assert.equal(x.requestData("cd", true), null, "somebody else resumed the exchange");
  s.clock.ms += 60;
  s.wheel.advance();
  assert.equal(x.resumes, 1);
  assert.equal(x.requestData("cd", true), "abcd");
  assert.deepEqual(s.notes(), ["1", "1"]);
});

Deno.test("A body let go between two chunks leaves with the next", async () => {
  const s = await setUpWat(`(global $id (mut i32) (i32.const 0))
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 50))) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
      (drop (call $proxy_set_effective_context (global.get $id)))
      (drop (call $proxy_continue_stream (i32.const 0))))
    ${onBody(`(global.set $id (local.get $id)) (call $note (local.get $size)) ${WAIT_FOR_END}`)}`);
  const x = s.exchange();
  assert.equal(x.requestData("ab"), "");
  s.clock.ms += 60;
  s.wheel.advance();
  assert.equal(x.requestData("c", true), "abc");
  assert.deepEqual(s.notes(), ["2", "1"]);
});

Deno.test("A body held above its limit fails the exchange", async () => {
  const s = await setUpWat(onBody(WAIT_FOR_END));
  const x = s.exchange();
  const half = "x".repeat(WASM_LIMITS.bodyBytes / 2);
  assert.equal(x.requestData(half), "");
  assert.equal(x.requestData(half), "");
  assert.equal(x.fault, null);
  assert.equal(x.requestData("y"), "");
  assert.equal(x.fault!.code, "proxy.buffer_full");
  assert.equal(x.fault!.status, 413);
});

Deno.test("A response body held above its limit is the proxy's own 502", async () => {
  const s = await setUpWat(onBody(WAIT_FOR_END, "response"));
  const x = s.exchange();
  x.response = { status: 200, fields: new Fields() };
  x.responseData("x".repeat(WASM_LIMITS.bodyBytes));
  x.responseData("y");
  assert.equal(x.fault!.status, 502);
});

Deno.test("A filter cannot make a body larger than the limit", async () => {
  const s = await setUpWat(
    `${DATA} ${onBody(`(call $note ${set("(i32.const 0)", "(i32.const 0)")}) (i32.const 0)`)}`,
  );
  const body = "x".repeat(WASM_LIMITS.bodyBytes);
  assert.equal(s.exchange().requestData(body, true), body);
  assert.deepEqual(s.notes(), ["2"]);
});

const HEAD =
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`;

Deno.test("A changed length is refused when the head has promised another", async () => {
  const s = await setUpWat(
    `${DATA} ${HEAD} ${
      onBody(`(call $ok ${set("(i32.const 0)", "(i32.const 0)")}) (i32.const 0)`)
    }`,
  );
  const x = s.exchange({ fields: new Fields(["content-length", "5"]) });
  assert.equal(x.requestHead(false), CONTINUE);
  assert.equal(x.requestData("hello", true), "");
  assert.equal(x.fault!.code, "wasm.body_length");
});

Deno.test("A kept length passes, in one chunk and in several", async () => {
  const s = await setUpWat(`${HEAD} ${onBody("(i32.const 0)")}`);
  const x = s.exchange({ fields: new Fields(["content-length", "5"]) });
  x.requestHead(false);
  assert.equal(x.requestData("hel"), "hel");
  assert.equal(x.requestData("lo", true), "lo");
  assert.equal(x.fault, null);
});

Deno.test("A changed length passes when the filter has removed content-length", async () => {
  const s = await setUpWat(`${DATA} (data (i32.const 300) "content-length")
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (call $ok (call $proxy_remove_header_map_value (i32.const 0) (i32.const 300) (i32.const 14)))
      (i32.const 0))
    ${onBody(`(call $ok ${set("(i32.const 0)", "(i32.const 0)")}) (i32.const 0)`)}`);
  const x = s.exchange({ fields: new Fields(["content-length", "5"]) });
  x.requestHead(false);
  assert.equal(x.requestData("hello", true), "<new>hello");
  assert.equal(x.fault, null);
});

Deno.test("A head paused with nothing to wake it waits for the body, and gets its length right", async () => {
  const s = await setUpWat(`${DATA} (data (i32.const 300) "x-seen")
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
    ${
    onBody(`(if (local.get $end) (then
        (call $ok ${set("(i32.const 0)", "(i32.const 0)")})
        (call $ok (call $proxy_add_header_map_value (i32.const 0) (i32.const 300) (i32.const 6)
          (i32.const 256) (i32.const 5)))))
      ${WAIT_FOR_END}`)
  }`);
  const x = s.exchange({ fields: new Fields(["content-length", "5"]) });
  assert.equal(x.requestHead(false), COLLECT);
  assert.equal(x.requestData("hel"), "");
  assert.equal(x.requestData("lo", true), "<new>hello");
  assert.deepEqual(x.request.fields.lines, ["content-length", "10", "x-seen", "<new>"]);
});

Deno.test("A head without a body is paused, not collected", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1))
     ${onBody("(i32.const 0)")}`,
  );
  assert.equal(s.exchange().requestHead(true), PAUSE);
});

Deno.test("A local response from a body callback swallows the body", async () => {
  const s = await setUpWat(
    `${DATA} ${
      onBody(`(call $ok (call $proxy_send_local_response (i32.const 413) (i32.const 0) (i32.const 0)
      (i32.const 256) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const -1))) (i32.const 1)`)
    }`,
  );
  const x = s.exchange();
  assert.equal(x.requestData("hello"), "");
  assert.deepEqual([x.reply!.status, x.reply!.body], [413, "<new>"]);
});

Deno.test("A body that was not granted cannot be read or changed, but configuration can be read", async () => {
  const read = (buffer: number): string =>
    `(call $note (call $proxy_get_buffer_bytes (i32.const ${buffer}) (i32.const 0) (i32.const 9)
       (i32.const 16) (i32.const 20)))`;
  const s = await setUpWat(
    `${DATA} ${
      onBody(`${read(0)} (call $note ${set("(i32.const 0)", "(i32.const 0)")}) ${read(7)}
        (i32.const 0)`)
    }`,
    { capabilities: [], config: "abc" },
  );
  assert.equal(s.exchange().requestData("hello", true), "hello");
  assert.deepEqual(s.notes(), ["10", "10", "0"]);
});

Deno.test("Trailers do not overtake a body the guest still holds", async () => {
  const s = await setUpWat(onBody("(i32.const 1)"));
  const x = s.exchange();
  x.requestData("abc");
  assert.equal(x.requestTrailers("x", "1"), DONE);
  assert.equal(x.fault!.code, "wasm.body_length");
});

const ON_TRAILERS = `(func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
  (call $note (local.get 1)) (i32.const 0))`;

Deno.test("Who holds a body until it is whole sees all of it before trailers, as its end", async () => {
  const s = await setUpWat(
    DATA + ON_TRAILERS + onBody(`(call $note (local.get $size)) (call $note (local.get $end))
      (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
      (call $ok (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256)
        (i32.const 5)))
      (i32.const 0)`),
  );
  const x = s.exchange();
  assert.equal(x.requestData("ab"), "");
  assert.equal(x.requestData("c"), "");
  assert.equal(x.requestData(""), "<new>abc");
  assert.equal(x.requestTrailers("x", "1", "y", "2"), CONTINUE);
  assert.deepEqual(s.notes(), ["2", "0", "3", "0", "3", "1", "2"]);
});

Deno.test("A body held at its end before trailers waits for continue_stream, and trailers wait for it", async () => {
  const s = await setUpWat(
    ON_TRAILERS + onBody(`(i32.store (i32.const 36) (local.get $id)) (i32.const 1)`) +
      `(func (export "proxy_on_configure") (param i32 i32) (result i32)
         (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
       (func (export "proxy_on_tick") (param i32)
         (call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
         (call $ok (call $proxy_continue_stream (i32.const 0))))`,
  );
  const x = s.exchange();
  assert.equal(x.requestData("abc"), "");
  assert.equal(x.requestData(""), null);
  s.clock.ms += 130;
  s.wheel.advance();
  assert.equal(x.resumes, 1);
  assert.equal(x.requestData(""), "abc");
  assert.equal(x.requestTrailers("x", "1"), CONTINUE);
  assert.deepEqual(s.notes(), ["1"]);
});

Deno.test("An empty chunk before trailers is not shown to a guest that holds nothing", async () => {
  const s = await setUpWat(onBody(`(call $note (local.get $size)) (i32.const 0)`));
  const x = s.exchange();
  assert.equal(x.requestData("abc"), "abc");
  assert.equal(x.requestData(""), "");
  assert.deepEqual(s.notes(), ["3"]);
});

for (const [action, follows] of [[1, true], [2, true], [3, false], [4, false]] as const) {
  Deno.test(`With compat higress, ${action} from a headers callback ${follows ? "goes on to the body" : "stops everything"}`, async () => {
    const s = await setUpWat(
      `(func (export "proxy_on_configure") (param i32 i32) (result i32)
         (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
       (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const ${action}))
       (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))`,
      { compat: "higress" },
    );
    assert.equal(s.exchange().requestHead(false), follows ? COLLECT : PAUSE);
    assert.equal(s.exchange().requestHead(true), PAUSE, "there is no body to go on to");
  });
}
