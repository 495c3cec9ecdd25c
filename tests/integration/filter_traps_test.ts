/** A filter that traps in a mesh: what people are told, what it cost, and a test case of it. */
import assert from "node:assert/strict";
import { denim } from "../support/denim.ts";
import { http } from "../support/http.ts";
import { meshRoute, startMesh, until } from "../support/mesh.ts";
import { proxyWasmWat } from "../../wasm/testing/harness.ts";

/** Traps on requests with the header x-boom. */
const BOOM = proxyWasmWat(`(data (i32.const 256) "x-boom")
  (func $explode (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $explode (call $proxy_get_header_map_value (i32.const 0) (i32.const 256) (i32.const 6)
      (i32.const 16) (i32.const 20))) (i32.const 0))`);

const MANIFEST = `apiVersion: denim.dev/v1
name: local/boom
version: "1.0.0"
title: Boom
summary: Traps when it is asked to.
source: boom.wat
`;

Deno.test("A trap is listed, shown without secrets, and saved as a case that traps again", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web" }],
    resources: [meshRoute("web", [{ backendRefs: [{ name: "web", port: 80 }] }])],
  });
  const cwd = await Deno.makeTempDir({ prefix: "denim-traps-" });
  const env = { DENIM_CONTROL: mesh.client.url, DENIM_TOKEN: mesh.client.token };
  const ok = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await denim(args, { cwd, env });
    assert.equal(code, 0, `denim ${args.join(" ")}: ${out}${err}`);
    return out;
  };
  try {
    await Deno.mkdir(`${cwd}/boom/tests`, { recursive: true });
    await Deno.writeTextFile(`${cwd}/boom/boom.wat`, BOOM);
    await Deno.writeTextFile(`${cwd}/boom/denim.filter.yaml`, MANIFEST);
    await ok("filter", "push", "boom");
    await ok("filter", "install", "local/boom", "--to", "Service/web");
    const headers = { "x-boom": "1", authorization: "Bearer s3cret" };
    await until(async () => {
      const answer = await http(`${mesh.gatewayUrl}/a?token=t0psecret`, { headers });
      return answer.headers["denim-fault"] === "wasm.trapped" ? answer : null;
    }, 20_000);
    const list = await until(async () => {
      const { code, out } = await denim(["filter", "traps", "boom"], { cwd, env });
      return code === 0 ? out : null;
    }, 20_000);
    assert.match(list, /Trap: unreachable in explode < proxy_on_request_headers/);
    const id = /^([0-9a-z]+-[0-9a-z]+)/m.exec(list)![1]!;
    const shown = await ok("filter", "traps", "boom", id);
    assert.match(shown, /proxy_get_header_map_value\(requestHeaders, "x-boom"\) = 0/);
    assert.match(shown, /authorization: \[redacted\]/);
    assert.ok(!shown.includes("s3cret"), shown);
    await ok("filter", "traps", "boom", id, "--save", "boom/tests/trap.yaml");
    assert.match(await ok("filter", "test", "boom"), /trap in proxy_on_request_headers/);
    assert.match(
      await ok("top", "filters", "--interval", "0"),
      /default\/boom +local\/boom@1\.0\.0/,
    );
    assert.match(await ok("get", "filters"), /all 1/);
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
