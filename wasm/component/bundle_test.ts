import assert from "node:assert/strict";
import { ModuleError } from "../reader.ts";
import { decodeBundle, encodeBundle, isBundle } from "./bundle.ts";

const BUNDLE = encodeBundle({
  imports: ["denim:filter/host"],
  instrumenter: "1",
  glue: "export function instantiate() {}",
  cores: [
    { name: "a.wasm", bytes: new Uint8Array([1, 2, 3]) },
    { name: "b.wasm", bytes: new Uint8Array(0) },
  ],
});

Deno.test("a bundle comes back as it went in", () => {
  assert.equal(isBundle(BUNDLE), true);
  const { header, glue, cores } = decodeBundle(BUNDLE);
  assert.equal(header.world, "denim:filter@0.1.0");
  assert.equal(glue, "export function instantiate() {}");
  assert.deepEqual([...cores], [
    ["a.wasm", new Uint8Array([1, 2, 3])],
    ["b.wasm", new Uint8Array(0)],
  ]);
});

Deno.test("a bundle cut anywhere is refused", () => {
  for (let length = 0; length < BUNDLE.length; length++) {
    assert.throws(() => decodeBundle(BUNDLE.subarray(0, length)), ModuleError, `${length} bytes`);
  }
});

Deno.test("a bundle with any byte changed is read or refused, and nothing else happens", () => {
  for (let at = 0; at < BUNDLE.length; at++) {
    for (const bits of [1, 0x80, 0xff]) {
      const changed = BUNDLE.slice();
      changed[at]! ^= bits;
      try {
        decodeBundle(changed);
      } catch (error) {
        assert.ok(error instanceof ModuleError, `byte ${at}: ${error}`);
      }
    }
  }
});
