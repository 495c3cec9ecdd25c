import assert from "node:assert/strict";
import { collect } from "./bytes.ts";

Deno.test("collect reads up to its limit, and of more no part further than that", async () => {
  let given = 0;
  const parts = async function* (): AsyncGenerator<Uint8Array> {
    for (; given < 10; given++) yield await Promise.resolve(new Uint8Array([given, given]));
  };
  assert.equal(await collect(parts(), 5), null);
  assert.equal(given, 2, "the third part was one too many, and the last one asked for");
  given = 7;
  assert.deepEqual([...(await collect(parts(), 6))!], [7, 7, 8, 8, 9, 9]);
  assert.equal((await collect([], 0))?.length, 0);
});
