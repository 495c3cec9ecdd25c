/** The wire form of header maps, both ways and damaged. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { WASM_LIMITS } from "../limits.ts";
import { decodePairs, encodePairs } from "./maps.ts";

Deno.test("encodePairs writes counts, lengths, then names and values ended by NUL", () => {
  const bytes = encodePairs(["ab", "c", "d", ""]);
  // deno-fmt-ignore
  assert.deepEqual([...bytes], [
    2, 0, 0, 0,  2, 0, 0, 0, 1, 0, 0, 0,  1, 0, 0, 0, 0, 0, 0, 0,
    0x61, 0x62, 0, 0x63, 0,  0x64, 0, 0,
  ]);
});

Deno.test("decodePairs reads no bytes, one zero byte and four zero bytes as the empty map", () => {
  for (const size of [0, 1, 4]) assert.deepEqual(decodePairs(new Uint8Array(size)), []);
});

Deno.test("decodePairs is the inverse of encodePairs for all latin-1 text without NUL", () => {
  const text = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 20 }).map((codes) =>
    String.fromCharCode(...codes)
  );
  fc.assert(fc.property(fc.array(fc.tuple(text, text), { maxLength: 8 }), (pairs) => {
    const lines = pairs.flat();
    assert.deepEqual(decodePairs(encodePairs(lines)), lines);
  }));
});

Deno.test("decodePairs refuses every truncation and a byte too many", () => {
  const whole = encodePairs(["name", "value", "x", "y"]);
  for (let cut = 2; cut < whole.length; cut++) {
    assert.equal(decodePairs(whole.subarray(0, cut)), null, `cut at ${cut}`);
  }
  assert.equal(decodePairs(new Uint8Array([...whole, 0])), null);
});

Deno.test("decodePairs refuses lengths that point outside and texts not ended by NUL", () => {
  const far = encodePairs(["a", "b"]);
  far[4] = 0xff;
  far[7] = 0xff;
  assert.equal(decodePairs(far), null);
  const unended = encodePairs(["a", "b"]);
  unended[unended.length - 1] = 1;
  assert.equal(decodePairs(unended), null);
});

Deno.test("decodePairs refuses more pairs than the limit, before making room for them", () => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, WASM_LIMITS.pairs + 1, true);
  assert.equal(decodePairs(bytes), null);
  assert.equal(decodePairs(new Uint8Array(WASM_LIMITS.pairsBytes + 1)), null);
});

Deno.test("decodePairs never throws on arbitrary bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    decodePairs(bytes);
  }));
});
