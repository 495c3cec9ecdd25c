import assert from "node:assert/strict";
import { decodeHere, encodeHere } from "./utf8.ts";

Deno.test("UTF-8 is coded in JavaScript as the platform codes it", () => {
  for (
    const text of [
      "",
      "plain",
      "grün ✓ 𝄞",
      "\u0000\u007f\u0080\u07ff\u0800\uffff",
      "half \ud834 pair",
    ]
  ) {
    const bytes = new TextEncoder().encode(text);
    assert.deepEqual(encodeHere(text), bytes);
    assert.equal(decodeHere(bytes), new TextDecoder().decode(bytes));
  }
});

Deno.test("bytes that are no UTF-8 become replacement characters, never other text", () => {
  const cases: readonly (readonly [number[], string])[] = [
    [[0x61, 0xff, 0x62], "a\ufffdb"],
    [[0xc0, 0xaf], "\ufffd\ufffd"], // an overlong slash
    [[0xe2, 0x82], "\ufffd\ufffd"],
    [[0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"], // half of a pair
  ];
  for (const [bytes, text] of cases) assert.equal(decodeHere(new Uint8Array(bytes)), text);
});
