/** A Wasm module for connections at a TCP listener, in a proxy of its own process. */
import assert from "node:assert/strict";
import { proxyWasmWat } from "../../wasm/testing/harness.ts";
import { service, StandaloneProxy } from "../support/standalone.ts";
import { echo, TcpApp, TcpClient } from "../support/tcp.ts";

/** Greets the server before the client's first byte, marks what comes back, and cuts on "!". */
const MODULE = proxyWasmWat(`(data (i32.const 256) "via ") (data (i32.const 264) "< ")
  (global $greeted (mut i32) (i32.const 0))
  (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
    (global.set $heap (i32.const 4096))
    (if (i32.eqz (local.get 1)) (then (return (i32.const 0))))
    (call $ok (call $proxy_get_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 16)
      (i32.const 20)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 33))
      (then (call $ok (call $proxy_close_stream (i32.const 2)))))
    (call $ok (call $proxy_set_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 0)
      (i32.const 256) (i32.const 4)))
    (i32.const 0))
  (func (export "proxy_on_upstream_data") (param i32 i32 i32) (result i32)
    (if (local.get 1) (then (call $ok (call $proxy_set_buffer_bytes (i32.const 3) (i32.const 0)
      (i32.const 0) (i32.const 264) (i32.const 2)))))
    (i32.const 0))`);

Deno.test("A module of type NETWORK sees and changes what passes a TCP listener", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "denim-wasm-network-" });
  try {
    await Deno.writeTextFile(`${dir}/mark.wat`, MODULE);
    await using app = await TcpApp.start(echo);
    const port = { port: 7000, protocol: "TCP" };
    await using proxy = await StandaloneProxy.start([
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "Gateway",
        metadata: { name: "edge" },
        spec: { listeners: [{ name: "tcp", port: 0, protocol: "TCP" }] },
      },
      {
        ...service("echo", app.address) as object,
        spec: { ports: [port], endpoints: [app.address] },
      },
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "TCPRoute",
        metadata: { name: "echo" },
        spec: {
          parentRefs: [{ name: "edge" }],
          rules: [{ backendRefs: [{ name: "echo", port: 7000 }] }],
        },
      },
      {
        apiVersion: "denim.dev/v1",
        kind: "FilterBinding",
        metadata: { name: "mark" },
        spec: {
          targetRefs: [{ kind: "Gateway", name: "edge" }],
          module: { file: `${dir}/mark.wat` },
          type: "NETWORK",
          capabilities: ["body-read", "body-write", "stream-control"],
        },
      },
    ]);
    const dial = (): TcpClient => new TcpClient(proxy.ready.listeners["tcp"]!);
    await t.step("in both directions, and each ends by itself", async () => {
      using client = dial();
      client.send("one").end();
      await client.until(({ text, ended }) => text === "< via one" && ended);
    });
    await t.step("and can cut it", async () => {
      using client = dial();
      client.send("! no");
      await client.until(({ closed }) => closed !== null);
      assert.equal(client.text, "");
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
