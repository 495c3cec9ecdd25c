/** gRPC calls and streams of a module's own. */
import assert from "node:assert/strict";
import { PAUSE } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { FakeCalls } from "../testing/fake_calls.ts";
import { type Settings, setUpWat } from "../testing/harness.ts";
import { bytesWat, pairsWat } from "../testing/wat_data.ts";

const METADATA = pairsWat(["x-key", "k", "te", "no", "x-denim-peer", "forged"]);
/** GrpcService{envoy_grpc{cluster_name: "up"}} */
const SERVICE = bytesWat(new Uint8Array([0x0a, 0x04, 0x0a, 0x02, 0x75, 0x70]));
const SAY = `(call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))`;

const BASE =
  `(data (i32.const 256) "up") (data (i32.const 260) "pkg.Svc") (data (i32.const 270) "Do")
  (data (i32.const 280) "${METADATA.wat}") (data (i32.const 400) "hi")
  (data (i32.const 410) "${SERVICE.wat}") (data (i32.const 420) "nobody") (data (i32.const 430) "x-i")
  (func $call (param $name i32) (param $size i32) (result i32) (call $proxy_grpc_call
    (local.get $name) (local.get $size) (i32.const 260) (i32.const 7) (i32.const 270) (i32.const 2)
    (i32.const 280) (i32.const ${METADATA.size}) (i32.const 400) (i32.const 2) (i32.const 250)
    (i32.const 32)))
  (func $stream (result i32) (call $proxy_grpc_stream
    (i32.const 256) (i32.const 2) (i32.const 260) (i32.const 7) (i32.const 270) (i32.const 2)
    (i32.const 280) (i32.const 0) (i32.const 32)))
  (func $send (param $end i32) (result i32) (call $proxy_grpc_send (i32.load (i32.const 32))
    (i32.const 400) (i32.const 2) (local.get $end)))
  (func (export "proxy_on_grpc_receive") (param i32 i32 i32)
    (call $ok (call $proxy_get_buffer_bytes (i32.const 5) (i32.const 0) (i32.const 99) (i32.const 16)
      (i32.const 20)))
    (call $note (local.get 1)) (call $note (local.get 2)) ${SAY})
  (func (export "proxy_on_grpc_close") (param i32 i32 i32)
    (call $ok (call $proxy_get_status (i32.const 40) (i32.const 16) (i32.const 20)))
    (call $note (local.get 1)) (call $note (local.get 2)) (call $note (i32.load (i32.const 40))) ${SAY})`;
const onRequest = (code: string): string =>
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) ${code} (i32.const 0))`;
const CALL = `(call $call (i32.const 256) (i32.const 2))`;

async function rig(body: string, settings: Settings = {}) {
  const calls = new FakeCalls();
  const upstreams = [{ names: ["up"], backend: "default/rpc:90", fields: ["x-denim-port", "p"] }];
  const s = await setUpWat(BASE + body, { calls, upstreams, ...settings });
  return { ...s, calls, talk: (at = 0) => calls.talks[at]! };
}

Deno.test("A gRPC call sends its framed message, and the response comes as proxy_on_grpc_receive", async () => {
  const s = await rig(onRequest(`(call $ok ${CALL}) (call $note (i32.load (i32.const 32)))`));
  s.exchange().requestHead();
  const { request, said, sink } = s.talk();
  const { method, path, authority, fields } = request.head;
  assert.deepEqual([method, path, authority], ["POST", "/pkg.Svc/Do", "rpc.default:90"]);
  assert.deepEqual([request.backend, request.timeoutMs], ["default/rpc:90", 250]);
  assert.deepEqual(fields.lines, [
    ...["x-key", "k", "content-type", "application/grpc", "te", "trailers"],
    ...["grpc-timeout", "250m", "x-denim-port", "p"],
  ]);
  assert.deepEqual(said, ["00000000026869 end"]);
  sink.head(200, new Fields());
  s.talk().data(0, 0, 0, 0, 3, 97);
  s.talk().data(98, 99);
  assert.deepEqual(s.notes(), ["1"], "not before its status says that it is a response");
  sink.ended(null, new Fields(["grpc-status", "0"]));
  assert.deepEqual(s.notes(), ["1", "3", "abc"]);
});

const FAILED:
  readonly (readonly [string, string[], (t: ReturnType<FakeCalls["talks"]["at"]>) => void])[] = [
    ["a status", ["7", "7", "no%21".replace("%21", "!")], (t) => {
      t!.sink.head(200, new Fields());
      t!.sink.ended(null, new Fields(["grpc-status", "7", "grpc-message", "no%21"]));
    }],
    ["an HTTP error", ["14", "14", "HTTP 503"], (t) => {
      t!.sink.head(503, new Fields());
      t!.sink.ended(null, null);
    }],
    ["a response without a status", ["2", "2", "the response has no grpc-status"], (t) => {
      t!.sink.head(200, new Fields());
      t!.sink.ended(null, null);
    }],
    ["a response without a message", ["13", "13", "the response holds no message"], (t) => {
      t!.sink.head(200, new Fields());
      t!.sink.ended(null, new Fields(["grpc-status", "0"]));
    }],
    ["half a message", ["13", "13", "a message was cut off"], (t) => {
      t!.sink.head(200, new Fields());
      t!.data(0, 0, 0);
      t!.sink.ended(null, new Fields(["grpc-status", "0"]));
    }],
    [
      "a compressed message",
      ["8", "8", "a message is too large or compressed, or too many wait"],
      (t) => {
        t!.sink.head(200, new Fields());
        t!.data(1, 0, 0, 0, 1, 1);
        assert.equal(t!.cancelled, true);
      },
    ],
    [
      "no answer in time",
      ["4", "4", FAULTS["call.timeout"].detail],
      (t) => t!.sink.ended(FAULTS["call.timeout"], null),
    ],
  ];

for (const [what, wanted, answer] of FAILED) {
  Deno.test(`A gRPC call that gets ${what} ends with proxy_on_grpc_close`, async () => {
    const s = await rig(onRequest(`(call $ok ${CALL})`));
    s.exchange().requestHead();
    answer(s.calls.talks[0]);
    assert.deepEqual(s.notes(), ["1", ...wanted]);
  });
}

Deno.test("A gRPC stream brings metadata, messages, trailers and its end, in order", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $stream)) (call $ok (call $send (i32.const 0)))
      (call $ok (call $send (i32.const 1)))`) +
      `(func (export "proxy_on_grpc_receive_initial_metadata") (param i32 i32 i32)
         (call $ok (call $proxy_get_header_map_value (i32.const 4) (i32.const 430) (i32.const 3)
           (i32.const 16) (i32.const 20))) (call $note (local.get 2)) ${SAY})
       (func (export "proxy_on_grpc_receive_trailing_metadata") (param i32 i32 i32)
         (call $ok (call $proxy_get_header_map_value (i32.const 5) (i32.const 430) (i32.const 3)
           (i32.const 16) (i32.const 20))) (call $note (local.get 2)) ${SAY})`,
  );
  s.exchange().requestHead();
  const { sink, said, request } = s.talk();
  assert.equal(request.timeoutMs, 0);
  assert.deepEqual(said, ["00000000026869", "00000000026869 end"]);
  sink.head(200, new Fields(["x-i", "first"]));
  s.talk().data(...[0, 0, 0, 0, 1, 97], ...[0, 0, 0, 0, 1, 98]);
  sink.ended(null, new Fields(["x-i", "last", "grpc-status", "0"]));
  assert.deepEqual(s.notes(), [
    ...["1", "first", "1", "1", "a", "1", "1", "b", "2", "last", "1", "0", "0", ""],
  ]);
});

Deno.test("A stream can be closed by halves, cancelled, and is then unknown", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $stream))
      (call $ok (call $proxy_grpc_close (i32.load (i32.const 32))))`) +
      `(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
         (call $ok (call $proxy_grpc_cancel (i32.load (i32.const 32))))
         (call $note (call $proxy_grpc_cancel (i32.load (i32.const 32))))
         (call $note (call $proxy_grpc_close (i32.load (i32.const 32))))
         (call $note (call $send (i32.const 0))) (i32.const 0))`,
  );
  s.exchange().requestHead();
  assert.deepEqual(s.talk().said, [" end"]);
  s.talk().sink.head(200, new Fields());
  s.talk().data(...[0, 0, 0, 0, 1, 97]);
  assert.deepEqual(s.notes(), ["1", "1", "a"], "what the other side still says arrives");
  s.exchange().responseHead(true);
  assert.deepEqual(s.notes(), ["1", "1", "1"]);
  assert.equal(s.talk().cancelled, true);
  s.talk().sink.ended(null, null);
  assert.deepEqual(s.notes(), []);
});

Deno.test("An upstream may be named as Envoy's GrpcService message", async () => {
  const s = await rig(
    onRequest(`(call $ok (call $call (i32.const 410) (i32.const ${SERVICE.size})))`),
  );
  s.exchange().requestHead();
  assert.equal(s.talk().request.backend, "default/rpc:90");
});

Deno.test("A gRPC call that cannot be made says so as a status SDKs know, or as a later event", async () => {
  const s = await rig(onRequest(`
    (call $note (call $call (i32.const 420) (i32.const 6)))
    (call $note (call $call (i32.const -1) (i32.const 6)))
    (call $ok ${CALL}) (call $note (call $send (i32.const 0)))`));
  s.calls.down = true;
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["10", "6", "2"]);
  await Promise.resolve();
  assert.deepEqual(s.notes(), ["1", "14", "14", FAULTS["backend.no_endpoint"].detail]);
});

Deno.test("gRPC wants its capability, and a stream whose other side reads slowly takes no more", async () => {
  const denied = await rig(onRequest(`(call $note ${CALL})`), { capabilities: [] });
  denied.exchange().requestHead();
  assert.deepEqual(denied.notes(), ["10"]);
  const s = await rig(
    onRequest(`(if (i32.load (i32.const 32)) (then (call $note (call $send (i32.const 0))))
      (else (call $ok (call $stream))))`),
  );
  s.exchange().requestHead();
  s.talk().full = true;
  s.exchange().requestHead();
  assert.deepEqual(s.notes(), ["10"]);
});

Deno.test("When the instance dies or the binding goes, its streams end", async () => {
  const s = await rig(onRequest(`(if (i32.load (i32.const 32)) (then unreachable))
    (call $ok (call $stream))`));
  s.exchange().requestHead();
  s.exchange().requestHead();
  assert.equal(s.talk().cancelled, true);
  s.exchange().requestHead();
  s.filter.close!();
  assert.equal(s.talk(1).cancelled, true);
});

Deno.test("When the client that waits has left, its gRPC call is cancelled and the guest is told", async () => {
  const s = await rig(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
       (call $ok ${CALL}) (call $ok (call $stream)) (i32.const 1))`,
  );
  const x = s.exchange();
  x.requestHead();
  x.end();
  assert.deepEqual(s.calls.talks.map((talk) => talk.cancelled), [true, false]);
  await Promise.resolve();
  assert.deepEqual(s.notes().slice(0, 3), ["1", "1", "1"]);
});

Deno.test("A stream that pauses for a gRPC call with a body to come does not go on with the body", async () => {
  const s = await rig(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
       (call $ok ${CALL}) (i32.const 1))
     (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (i32.const 0))`,
  );
  assert.equal(s.exchange().requestHead(false), PAUSE);
});
