/** A Wasm module that makes gRPC calls and holds a stream, with a peer on Node's HTTP/2. */
import assert from "node:assert/strict";
import { proxyWasmWat } from "../../wasm/testing/harness.ts";
import { GrpcPeer } from "../support/grpc_peer.ts";
import { Origin } from "../support/origin.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

const node = await GrpcPeer.available();
if (!node) console.log('skipped: gRPC calls of Wasm filters: there is no "node" on the PATH');

/** Asks the peer by a call (`/call`) or a stream; what it says becomes the response. */
const MODULE = proxyWasmWat(`(data (i32.const 256) "rpc") (data (i32.const 260) "test.S")
  (data (i32.const 270) "Echo") (data (i32.const 280) "hello") (data (i32.const 290) ":path")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $heap (i32.const 4096))
    (i32.store (i32.const 36) (local.get 0))
    (call $ok (call $proxy_get_header_map_value (i32.const 0) (i32.const 290) (i32.const 5)
      (i32.const 16) (i32.const 20)))
    (if (i32.eq (i32.load (i32.const 20)) (i32.const 5)) ;; its path is "/call"
      (then (call $ok (call $proxy_grpc_call (i32.const 256) (i32.const 3) (i32.const 260) (i32.const 6)
        (i32.const 270) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 280) (i32.const 5)
        (i32.const 2000) (i32.const 32))))
      (else
        (call $ok (call $proxy_grpc_stream (i32.const 256) (i32.const 3) (i32.const 260)
          (i32.const 6) (i32.const 270) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 32)))
        (call $ok (call $proxy_grpc_send (i32.load (i32.const 32)) (i32.const 280) (i32.const 2)
          (i32.const 0)))
        (call $ok (call $proxy_grpc_send (i32.load (i32.const 32)) (i32.const 282) (i32.const 3)
          (i32.const 1)))))
    (i32.const 1))
  (func $reply (param $status i32) (param $size i32)
    (call $ok (call $proxy_set_effective_context (i32.load (i32.const 36))))
    (call $ok (call $proxy_send_local_response (local.get $status) (i32.const 0) (i32.const 0)
      (i32.load (i32.const 16)) (local.get $size) (i32.const 0) (i32.const 0) (i32.const -1))))
  (func (export "proxy_on_grpc_receive") (param i32 i32 i32)
    (call $ok (call $proxy_get_buffer_bytes (i32.const 5) (i32.const 0) (i32.const 99) (i32.const 16)
      (i32.const 20)))
    (i32.store (i32.const 44) (i32.add (i32.load (i32.const 44)) (i32.load (i32.const 20))))
    ;; the stream's two messages lie one after the other, at 8 bytes' distance
    (if (i32.eq (i32.load (i32.const 20)) (i32.const 5)) (then (call $reply (i32.const 200) (i32.const 5)))))
  (func (export "proxy_on_grpc_close") (param i32 i32 i32)
    (if (local.get 2) (then (call $reply (i32.const 502) (i32.const 0)))
      (else (call $reply (i32.const 200) (i32.load (i32.const 44))))))`);

Deno.test({ name: "A module makes a gRPC call and holds a stream", ignore: !node }, async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "denim-wasm-grpc-" });
  try {
    await Deno.writeTextFile(`${dir}/ask.wat`, MODULE);
    await using app = await Origin.start();
    await using peer = await GrpcPeer.serve();
    await using proxy = await StandaloneProxy.start([
      gateway(),
      service("app", app.address),
      {
        ...service("rpc", peer.address) as object,
        spec: { ports: [{ port: 50051, protocol: "GRPC" }], endpoints: [peer.address] },
      },
      route("app", { backendRefs: [{ name: "app", port: 80 }] }),
      {
        apiVersion: "denim.dev/v1",
        kind: "FilterBinding",
        metadata: { name: "ask" },
        spec: {
          targetRefs: [{ kind: "Gateway", name: "edge" }],
          module: { file: `${dir}/ask.wat` },
          capabilities: ["headers-read", "grpc-call", "local-reply"],
          upstreams: [{ name: "rpc", service: "rpc", port: 50051 }],
        },
      },
    ]);
    await t.step("a call is answered with its one message", async () => {
      const response = await fetch(`${proxy.url()}/call`);
      assert.deepEqual([response.status, await response.text()], [200, "hello"]);
    });
    await t.step("a stream brings as many as were sent, then its end", async () => {
      const response = await fetch(`${proxy.url()}/stream`);
      assert.equal(response.status, 200);
      assert.equal((await response.text()).length, 5 + 2 + 3, "the call's message is counted too");
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
