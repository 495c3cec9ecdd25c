import assert from "node:assert/strict";
import { concat } from "./bytes.ts";

Deno.test("concat joins parts in their order", () => {
  assert.deepEqual([...concat([new Uint8Array([1, 2]), new Uint8Array(0), new Uint8Array([3])])], [
    1,
    2,
    3,
  ]);
});
