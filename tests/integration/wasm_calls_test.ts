/** Wasm filters that send requests of their own, in a proxy of its own process. */
import assert from "node:assert/strict";
import { proxyWasmWat } from "../../wasm/testing/harness.ts";
import { pairsWat } from "../../wasm/testing/wat_data.ts";
import { gateway, route, service, StandaloneProxy } from "../support/standalone.ts";

const ASKED = pairsWat([":method", "GET", ":path", "/may-i", ":authority", "auth.test"]);

/** Lets a request pass when "auth" answers 200; else the client gets that status. */
const GUARD = proxyWasmWat(`
  (data (i32.const 256) "auth") (data (i32.const 300) "${ASKED.wat}") (data (i32.const 800) ":status")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (call $proxy_http_call (i32.const 256) (i32.const 4) (i32.const 300) (i32.const ${ASKED.size})
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 2000) (i32.const 32))
      (then (return (i32.const 0))))
    ;; the stream's number by the call's
    (i32.store (i32.add (i32.const 1024) (i32.shl (i32.and (i32.load (i32.const 32)) (i32.const 511))
      (i32.const 2))) (local.get 0))
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (global.set $heap (i32.const 4096))
    (call $ok (call $proxy_set_effective_context (i32.load (i32.add (i32.const 1024)
      (i32.shl (i32.and (local.get 1) (i32.const 511)) (i32.const 2))))))
    (call $ok (call $proxy_get_header_map_value (i32.const 6) (i32.const 800) (i32.const 7)
      (i32.const 16) (i32.const 20)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 50)) ;; "2"
      (then (call $ok (call $proxy_continue_stream (i32.const 0))))
      (else (call $ok (call $proxy_send_local_response (i32.const 403) (i32.const 0) (i32.const 0)
        (i32.const 256) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const -1))))))`);

Deno.test("A module asks a Service of its binding about every request", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "denim-wasm-calls-" });
  let status = 200, asked = 0;
  const auth = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    asked++;
    assert.equal(new URL(request.url).pathname, "/may-i");
    return new Response("said", { status });
  });
  const app = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => new Response(`app ${await request.text()}`),
  );
  try {
    await Deno.writeTextFile(`${dir}/guard.wat`, GUARD);
    const binding = {
      apiVersion: "denim.dev/v1",
      kind: "FilterBinding",
      metadata: { name: "guard" },
      spec: {
        targetRefs: [{ kind: "Gateway", name: "edge" }],
        module: { file: `${dir}/guard.wat` },
        capabilities: ["headers-read", "http-call", "local-reply", "stream-control"],
        upstreams: [{ name: "auth", service: "auth", port: 80 }],
      },
    };
    await using proxy = await StandaloneProxy.start([
      gateway(),
      service("app", `127.0.0.1:${app.addr.port}`),
      service("auth", `127.0.0.1:${auth.addr.port}`),
      route("app", { backendRefs: [{ name: "app", port: 80 }] }),
      binding,
    ]);
    await t.step("and lets it pass, body and all", async () => {
      const response = await fetch(`${proxy.url()}/x`, { method: "POST", body: "hello" });
      assert.deepEqual([response.status, await response.text()], [200, "app hello"]);
      assert.equal(asked, 1);
    });
    await t.step("many at the same time", async () => {
      const bodies = await Promise.all(
        Array.from({ length: 100 }, async () => await (await fetch(proxy.url())).text()),
      );
      assert.deepEqual(new Set(bodies), new Set(["app "]));
      assert.equal(asked, 101);
    });
    await t.step("or answers itself", async () => {
      status = 401;
      const response = await fetch(proxy.url());
      assert.deepEqual([response.status, await response.text()], [403, "auth"]);
    });
  } finally {
    await Promise.all([auth.shutdown(), app.shutdown()]);
    await Deno.remove(dir, { recursive: true });
  }
});
