/** What is written is what the functions of reader.ts would make, and reads back. */
import assert from "node:assert/strict";
import { leb, Reader, signedLeb } from "./reader.ts";
import { Writer } from "./writer.ts";

const NUMBERS = [0, 1, 63, 64, 127, 128, 8191, 8192, 16383, 16384, 2 ** 28, 2 ** 31 - 1];

Deno.test("Writer writes numbers as LEB128 and grows as needed", () => {
  for (const number of [...NUMBERS, 2 ** 32 - 1]) {
    const writer = new Writer(0);
    for (let n = 0; n < 50; n++) writer.leb(number);
    assert.deepEqual([...writer.written], Array.from({ length: 50 }, () => leb(number)).flat());
    assert.equal(new Reader(writer.written).u32(), number);
  }
  for (const number of [...NUMBERS, 2 ** 31, 2 ** 40]) {
    const writer = new Writer(0);
    writer.signedLeb(number);
    assert.deepEqual([...writer.written], signedLeb(number));
  }
});

Deno.test("Writer copies short and long pieces", () => {
  const from = Uint8Array.from({ length: 500 }, (_, i) => i & 0xff);
  const writer = new Writer(0);
  writer.put([9, 8, 7]);
  writer.copy(from, 10, 20);
  writer.copy(from, 100, 400);
  writer.copy(from, 5, 5);
  const want = [9, 8, 7, ...from.subarray(10, 20), ...from.subarray(100, 400)];
  assert.deepEqual([...writer.written], want);
  assert.equal(writer.length, want.length);
  writer.clear();
  assert.equal(writer.length, 0);
});
