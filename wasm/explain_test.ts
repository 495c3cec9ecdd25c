import assert from "node:assert/strict";
import { explain } from "./explain.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { HOST_CALLS } from "./proxy_wasm/catalogue.ts";
import { PHRASES } from "./proxy_wasm/phrases.ts";
import { compileWat } from "./wat.ts";

async function explained(text: string, memoryBytes?: number) {
  return explain(await compileWat(text), memoryBytes);
}

Deno.test("explain says what a module imports means, asks for and costs", async () => {
  const e = await explained(`(module
    (import "env" "proxy_http_call" (func (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2 4) (table 3 5 funcref)
    (func (export "proxy_abi_version_0_2_0"))
    (func (export "malloc") (param i32) (result i32) (i32.const 64))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))`);
  assert.equal(e.abi, "proxy-wasm 0.2.0");
  assert.deepEqual(e.hooks, ["request-headers"]);
  assert.deepEqual(e.imports.map((one) => one.means), [
    "may call other services over HTTP",
    "prints, which goes to the proxy's log",
  ]);
  assert.deepEqual(e.capabilities, [{ name: "http-call", means: CAPABILITIES["http-call"] }]);
  assert.deepEqual(e.memory, { minBytes: 131072, maxBytes: 262144 });
  assert.deepEqual(e.tables, [{ min: 3, max: 5 }]);
  assert.ok(e.metering!.bytes > e.sizeBytes);
  assert.deepEqual(e.problems, []);
});

Deno.test("explain names what keeps a module from running, and what to do", async () => {
  const program = await explained(`(module (memory (export "memory") 1) (func (export "_start")))`);
  assert.equal(program.abi, "unknown");
  assert.match(program.problems[0]!.remedy, /looks like a program/);
  assert.ok(program.problems[0]!.fatal);

  const foreign = await explained(`(module
    (import "env" "proxy_redis_call" (func (param i32) (result i32)))
    (import "env" "proxy_get_property" (func (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))`);
  assert.equal(foreign.imports[0]!.means, null);
  assert.deepEqual(foreign.problems.map((one) => [one.fatal, one.what.slice(0, 40)]), [
    [false, "it exports neither proxy_on_memory_alloc"],
    [false, "it hooks nothing"],
    [false, "it imports env.proxy_redis_call, which n"],
  ]);
  assert.match(foreign.problems[2]!.remedy, /only Higress/);

  const large = await explained(
    `(module (memory (export "memory") 100) (func (export "proxy_abi_version_0_2_1")))`,
    1024 * 1024,
  );
  assert.match(large.problems[0]!.remedy, /limits\.memoryMiB/);
  assert.equal(large.metering, null);
});

Deno.test("every host call is told in words", () => {
  assert.deepEqual(Object.keys(PHRASES).sort(), Object.keys(HOST_CALLS).sort());
});
