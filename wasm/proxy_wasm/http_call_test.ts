/** Requests of a module's own, over HTTP. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../core/filter.ts";
import { WASM_LIMITS } from "../limits.ts";
import { FakeCalls } from "../testing/fake_calls.ts";
import { type Settings, setUpWat } from "../testing/harness.ts";
import { pairsWat } from "../testing/wat_data.ts";

const HEADERS = pairsWat([
  ":method",
  "POST",
  ":path",
  "/check?a=b",
  ":authority",
  "Auth.Example",
  "X-Token",
  "t",
  "host",
  "ignored",
  "x-denim-peer",
  "spiffe://forged",
]);
const TRAILERS = pairsWat(["x-sum", "1"]);

/** `$ask` calls the upstream "auth" and leaves the number of the call at 32. */
const ASK = `
  (data (i32.const 256) "auth") (data (i32.const 300) "${HEADERS.wat}")
  (data (i32.const 800) "body") (data (i32.const 820) "${TRAILERS.wat}")
  (data (i32.const 900) ":status") (data (i32.const 910) "x-a") (data (i32.const 920) "x-t")
  (func $ask (result i32) (call $proxy_http_call (i32.const 256) (i32.const 4)
    (i32.const 300) (i32.const ${HEADERS.size}) (i32.const 800) (i32.const 4)
    (i32.const 820) (i32.const ${TRAILERS.size}) (i32.const 250) (i32.const 32)))`;
const SAY = `(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))`;
const value = (map: number, key: number, size: number): string =>
  `(call $ok (call $proxy_get_header_map_value (i32.const ${map}) (i32.const ${key})
     (i32.const ${size}) (i32.const 16) (i32.const 20))) ${SAY}`;
/** Goes on with the stream whose number lies at 36. */
const RESUME = `(call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
  (call $ok (call $proxy_continue_stream (i32.const 0)))`;
const onAnswer = (code: string): string =>
  `(func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32) ${code})`;
const onRequest = (code: string, action = 1): string =>
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
     (i32.store (i32.const 36) (local.get 0)) ${code} (i32.const ${action}))`;

async function rig(body: string, settings: Settings = {}) {
  const calls = new FakeCalls();
  const upstreams = [{
    names: ["auth", "default/auth:80"],
    backend: "default/auth:80",
    fields: ["x-denim-port", "default/auth:80"],
  }];
  const setup = await setUpWat(`${ASK} ${body}`, { calls, upstreams, ...settings });
  return { ...setup, calls };
}

Deno.test("proxy_http_call sends the request when its call is over, and the answer lets the stream go on", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask)) (call $note (i32.load (i32.const 32)))`) +
      onAnswer(`
        (call $note (local.get 0)) (call $note (local.get 1)) (call $note (local.get 2))
        (call $note (local.get 3)) (call $note (local.get 4))
        ${value(6, 900, 7)} ${value(6, 910, 3)} ${value(7, 920, 3)}
        (call $ok (call $proxy_get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 99)
          (i32.const 16) (i32.const 20))) ${SAY}
        (call $note (call $proxy_replace_header_map_value (i32.const 6) (i32.const 910) (i32.const 3)
          (i32.const 910) (i32.const 3)))
        (call $ok (call $proxy_get_status (i32.const 40) (i32.const 16) (i32.const 20)))
        (call $note (i32.load (i32.const 40)))
        ${RESUME}`),
  );
  const x = s.exchange();
  x.request.fields.append("via", "1.1 denim-x");
  assert.equal(x.requestHead(), PAUSE);
  assert.deepEqual(s.notes(), ["1"]);
  const { request } = s.calls.made[0]!;
  assert.equal(request.backend, "default/auth:80");
  assert.equal(request.timeoutMs, 250);
  const { method, path, authority, scheme, fields } = request.head;
  assert.deepEqual([method, path, authority, scheme], [
    "POST",
    "/check?a=b",
    "auth.example",
    "http",
  ]);
  assert.deepEqual(fields.lines, [
    ...["x-token", "t", "x-denim-port", "default/auth:80", "content-length", "4"],
    ...["via", "1.1 denim-x"],
  ]);
  assert.equal(new TextDecoder().decode(request.body), "body");
  assert.deepEqual(request.trailers?.lines, ["x-sum", "1"]);

  s.calls.made[0]!.answer(201, ["x-a", "yes"], "hello", ["x-t", "last"]);
  assert.deepEqual(s.notes(), ["1", "1", "2", "5", "1", "201", "yes", "last", "hello", "2", "0"]);
  assert.equal(x.resumes, 1);
  assert.equal(x.fault, null);
});

Deno.test("A call that fails is answered without headers, and proxy_get_status says why", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) +
      onAnswer(`(call $note (local.get 2)) (call $note (local.get 3)) (call $note (local.get 4))
        (call $ok (call $proxy_get_status (i32.const 40) (i32.const 16) (i32.const 20)))
        (call $note (i32.load (i32.const 40))) ${SAY}
        (call $note (call $proxy_get_buffer_bytes (i32.const 4) (i32.const 0) (i32.const 99)
          (i32.const 16) (i32.const 20)))
        ${RESUME}`),
  );
  const x = s.exchange();
  x.requestHead();
  s.calls.made[0]!.fail();
  const said = s.notes();
  assert.deepEqual(said.slice(0, 4), ["0", "0", "0", "11"]);
  assert.match(said[4]!, /did not answer in time/);
  assert.equal(said[5], "1", "there is no body");
  assert.equal(x.resumes, 1);
});

Deno.test("A call that fails before it has left comes back as a later event", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) +
      onAnswer(`(call $note (local.get 2)) ${RESUME}`),
  );
  s.calls.down = true;
  const x = s.exchange();
  assert.equal(x.requestHead(), PAUSE, "not from within the call that asked");
  assert.deepEqual(s.notes(), []);
  await Promise.resolve();
  assert.deepEqual(s.notes(), ["0"]);
  assert.equal(x.resumes, 1);
});

Deno.test("An answer may be a local response", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) +
      onAnswer(`(call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
        (call $ok (call $proxy_send_local_response (i32.const 403) (i32.const 0) (i32.const 0)
          (i32.const 800) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const -1)))`),
  );
  const x = s.exchange();
  x.requestHead();
  s.calls.made[0]!.answer(401);
  assert.deepEqual([x.reply?.status, x.reply?.body], [403, "body"]);
});

Deno.test("Several calls may be under way, and their answers come in any order", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask)) (call $ok (call $ask))`) +
      onAnswer(`(call $note (local.get 1))
        (i32.store (i32.const 44) (i32.add (i32.load (i32.const 44)) (i32.const 1)))
        (if (i32.eq (i32.load (i32.const 44)) (i32.const 2)) (then ${RESUME}))`),
  );
  const x = s.exchange();
  x.requestHead();
  s.calls.made[1]!.answer(200);
  assert.equal(x.resumes, 0);
  s.calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), ["2", "1"]);
  assert.equal(x.resumes, 1);
});

Deno.test("A call may follow from an answer", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) +
      onAnswer(`(call $note (local.get 1))
        (if (i32.eq (local.get 1) (i32.const 1)) (then (call $ok (call $ask))) (else ${RESUME}))`),
  );
  const x = s.exchange();
  x.requestHead();
  s.calls.made[0]!.answer(200);
  s.calls.made[1]!.answer(200);
  assert.deepEqual(s.notes(), ["1", "2"]);
  assert.equal(x.resumes, 1);
});

Deno.test("When the client that waits has left, its call is cancelled and the guest is told", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) +
      onAnswer(`(call $note (local.get 2))
        (call $note (call $proxy_set_effective_context (i32.load (i32.const 36))))`),
  );
  const x = s.exchange();
  x.requestHead();
  x.end();
  assert.equal(s.calls.made[0]!.cancelled, true);
  await Promise.resolve();
  assert.deepEqual(s.notes(), ["0", "2"], "no answer, and no such context any more");
  s.calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), [], "told once");
});

Deno.test("A call nobody waits for goes on when its exchange is over", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`, 0) + onAnswer(`(call $note (local.get 2))`),
  );
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  x.end();
  assert.equal(s.calls.made[0]!.cancelled, false);
  s.calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), ["1"]);
});

Deno.test("A module may ask while it is configured and at every tick", async () => {
  const s = await rig(
    `(func (export "proxy_on_configure") (param i32 i32) (result i32) (call $ok (call $ask))
       (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
     (func (export "proxy_on_tick") (param i32) (call $ok (call $ask)))` +
      onRequest("", 0) + onAnswer(`(call $note (local.get 1))`),
  );
  assert.equal(s.calls.made.length, 1);
  s.calls.made[0]!.answer(200);
  s.clock.ms += 130;
  s.wheel.advance();
  s.calls.made[1]!.answer(200);
  assert.deepEqual(s.notes(), ["1", "2"]);
});

Deno.test("An unknown upstream, or a request without its pseudo headers, is a bad argument", async () => {
  const incomplete = pairsWat([":method", "GET", ":path", "/"]);
  const s = await rig(
    `(data (i32.const 1000) "${incomplete.wat}") (data (i32.const 1100) "evil")
     (func $with (param $name i32) (param $pairs i32) (param $size i32) (result i32)
       (call $proxy_http_call (local.get $name) (i32.const 4) (local.get $pairs) (local.get $size)
         (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 32)))` +
      onRequest(
        `
      (call $note (call $with (i32.const 1100) (i32.const 300) (i32.const ${HEADERS.size})))
      (call $note (call $with (i32.const 256) (i32.const 1000) (i32.const ${incomplete.size})))
      (call $note (call $with (i32.const 256) (i32.const 300) (i32.const 3)))
      (call $note (call $with (i32.const -1) (i32.const 300) (i32.const 3)))
      (call $ok (call $with (i32.const 256) (i32.const 300) (i32.const ${HEADERS.size})))`,
        0,
      ),
  );
  s.exchange().requestHead();
  const denied = s.logs.filter((line) => line["msg"] === "wasm.unknown_upstream");
  assert.deepEqual(denied.map((line) => line["upstream"]), ["evil"]);
  assert.deepEqual(s.notes(), ["2", "2", "2", "6"]);
  assert.equal(s.calls.made.length, 1);
  assert.equal(s.calls.made[0]!.request.timeoutMs, WASM_LIMITS.callTimeoutMs);
});

Deno.test("Without its capability a call is refused, and nobody is asked", async () => {
  const s = await rig(onRequest(`(call $note (call $ask))`, 0), { capabilities: [] });
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["10"]);
  assert.equal(s.calls.made.length, 0);
});

Deno.test("An instance may have only so many calls under way", async () => {
  const s = await rig(
    `(global $i (mut i32) (i32.const 0))` + onRequest(
      `(loop $l
        (if (i32.lt_u (global.get $i) (i32.const ${WASM_LIMITS.calls}))
          (then (call $ok (call $ask))
            (global.set $i (i32.add (global.get $i) (i32.const 1))) (br $l))))
        (call $note (call $ask))`,
      0,
    ) + onAnswer(`(call $note (call $ask))`),
    { limits: { sideCallsPerCall: 4096, sideCallsPerRequest: 4096 } },
  );
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["10"]);
  s.calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), ["0"], "an answer makes room");
});

Deno.test("A trap takes back what its call asked for; a dead instance hears of no answer", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))
      (if (i32.load (i32.const 48)) (then unreachable))
      (i32.store (i32.const 48) (i32.const 1))`) + onAnswer(`(call $note (i32.const 1))`),
  );
  const first = s.exchange(), second = s.exchange();
  assert.equal(first.requestHead(), PAUSE);
  assert.equal(second.requestHead(), DONE);
  assert.equal(s.calls.made.length, 1, "the second was never sent");
  assert.equal(s.calls.made[0]!.cancelled, true);
  assert.equal(first.fault?.code, "wasm.trapped");
  s.calls.made[0]!.answer(200);
  assert.deepEqual(s.notes(), []);
});

Deno.test("A trap in the callback fails the stream that waits", async () => {
  const s = await rig(onRequest(`(call $ok (call $ask))`) + onAnswer(`unreachable`));
  const x = s.exchange();
  x.requestHead();
  s.calls.made[0]!.answer(200);
  assert.equal(x.fault?.code, "wasm.trapped");
});

Deno.test("A stream that pauses with a body to come waits for the answer, not for the body", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $ask))`) + onAnswer(RESUME) +
      `(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))`,
  );
  const x = s.exchange();
  assert.equal(x.requestHead(false), PAUSE);
  s.calls.made[0]!.answer(200);
  assert.equal(x.resumes, 1);
  assert.equal(x.requestData("ab", true), "ab");
});

Deno.test("A response can wait for an answer too", async () => {
  const s = await rig(
    `(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
       (i32.store (i32.const 36) (local.get 0)) (call $ok (call $ask)) (i32.const 1))` +
      onAnswer(`(call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
        (call $ok (call $proxy_replace_header_map_value (i32.const 2) (i32.const 910) (i32.const 3)
          (i32.const 800) (i32.const 4)))
        (call $ok (call $proxy_continue_stream (i32.const 1)))`),
  );
  const x = s.exchange();
  assert.equal(x.responseHead(true), PAUSE);
  s.calls.made[0]!.answer(200);
  assert.equal(x.resumes, 1);
  assert.equal(x.response!.fields.get("x-a"), "body");
});

Deno.test("A stream may wait for a call that another one made, and its body does not let it pass", async () => {
  const s = await rig(
    onRequest("") +
      `(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))`,
  );
  assert.equal(s.exchange().requestHead(false), PAUSE);
});
