/** What is derived from a module: ABI, hooks, capabilities, memory, what it asks for in vain. */
import assert from "node:assert/strict";
import { inspect } from "./inspect.ts";
import { ModuleError } from "./reader.ts";
import { compileWat } from "./wat.ts";
import { proxyWasmWat } from "./testing/harness.ts";

Deno.test("inspect derives hooks from exports and capabilities from imports", async () => {
  const found = inspect(
    await compileWat(proxyWasmWat(
      `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
         (call $proxy_add_header_map_value (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 0)))
       (func (export "proxy_on_log") (param i32))`,
      {
        abi: "0_2_0",
        memory: '(memory (export "memory") 2 8)',
        imports: `(import "env" "proxy_http_call" (func (param i32) (result i32)))
          (import "env" "proxy_redis_call" (func (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "fd_write" (func (param i32) (result i32)))
          (import "wasi_snapshot_preview1" "sock_send" (func (param i32) (result i32)))`,
      },
    )),
  );
  assert.equal(found.kind, "core");
  assert.equal(found.abi, "proxy-wasm 0.2.0");
  assert.deepEqual(found.hooks, ["request-headers", "log"]);
  assert.deepEqual(found.capabilities, ["headers-write", "http-call"]);
  assert.equal(found.touches.length, 2);
  assert.deepEqual(found.memory, { minBytes: 131_072, maxBytes: 524_288 });
  assert.deepEqual(found.unknownImports, [
    "env.proxy_redis_call",
    "wasi_snapshot_preview1.sock_send",
  ]);
});

Deno.test("inspect counts bodies as touched only when the module hooks them", async () => {
  const imports = `(import "env" "proxy_get_buffer_bytes" (func (param i32) (result i32)))`;
  const without = inspect(await compileWat(proxyWasmWat("", { imports })));
  assert.deepEqual(without.capabilities, []);
  const hook =
    `(func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (i32.const 0))`;
  const with_ = inspect(await compileWat(proxyWasmWat(hook, { imports })));
  assert.deepEqual(with_.capabilities, ["body-read"]);
  assert.deepEqual(with_.hooks, ["response-body"]);
});

Deno.test("inspect says unknown for a module of no known ABI", async () => {
  assert.equal(inspect(await compileWat("(module)")).abi, "unknown");
});

/** A component with the given names, written by hand. */
function component(imports: string[], exports: string[], nested: Uint8Array): Uint8Array {
  const name = (text: string): number[] => [0, text.length, ...new TextEncoder().encode(text)];
  const section = (id: number, body: number[]): number[] => [id, ...leb(body.length), ...body];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0],
    ...section(1, [...nested]),
    ...section(10, [imports.length, ...imports.flatMap((i) => [...name(i), 5, 0])]),
    ...section(11, [exports.length, ...exports.flatMap((e) => [...name(e), 5, 0, 0])]),
  ]);
}

function leb(value: number): number[] {
  return value < 128 ? [value] : [value & 127 | 128, value >> 7];
}

Deno.test("inspect reads a component's imports, exports and the memory of its core modules", async () => {
  const nested = await compileWat(`(module (memory 3 9))`);
  const found = inspect(component(
    ["denim:filter/host@0.1.0", "denim:filter/http@0.1.0", "wasi:clocks/wall-clock@0.2.0", "a:b/c"],
    ["denim:filter/filter@0.1.0"],
    nested,
  ));
  assert.equal(found.kind, "component");
  assert.equal(found.abi, "denim:filter@0.1.0");
  assert.ok(found.capabilities.includes("http-call"));
  assert.ok(!found.capabilities.includes("shared-data"));
  assert.deepEqual(found.unknownImports, ["a:b/c"]);
  assert.deepEqual(found.memory, { minBytes: 3 * 65536, maxBytes: 9 * 65536 });
});

Deno.test("inspect refuses what is no WebAssembly, with a code", () => {
  assert.throws(() => inspect(new TextEncoder().encode("#!/bin/sh\n")), (error: unknown) => {
    assert.ok(error instanceof ModuleError);
    assert.equal(error.code, "wasm.not_wasm");
    return true;
  });
});

Deno.test("inspect never throws anything but ModuleError on damaged input", async () => {
  const core = await compileWat(proxyWasmWat(`(data (i32.const 0) "abc")`));
  const outer = component(["denim:filter/host@0.1.0"], ["denim:filter/filter@0.1.0"], core);
  for (const whole of [core, outer]) {
    for (let at = 0; at < whole.length; at++) {
      for (const damaged of [whole.subarray(0, at), whole.with(at, 0xff), whole.with(at, 0x80)]) {
        try {
          inspect(damaged);
        } catch (error) {
          assert.ok(error instanceof ModuleError, `byte ${at}: ${error}`);
        }
      }
    }
  }
});
