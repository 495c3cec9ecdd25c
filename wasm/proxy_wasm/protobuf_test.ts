import assert from "node:assert/strict";
import fc from "fast-check";
import { readFields } from "./protobuf.ts";

Deno.test("readFields finds length-delimited fields and passes over the others", () => {
  const bytes = new Uint8Array([
    ...[0x08, 0x96, 0x01], // 1: varint 150
    ...[0x12, 0x02, 0x68, 0x69], // 2: "hi"
    ...[0x1d, 1, 2, 3, 4], // 3: fixed32
    ...[0x21, 1, 2, 3, 4, 5, 6, 7, 8], // 4: fixed64
    ...[0x82, 0x01, 0x01, 0x7a], // 16: "z"
  ]);
  const fields = readFields(bytes)!;
  assert.deepEqual([...fields.keys()], [2, 16]);
  assert.equal(new TextDecoder().decode(fields.get(2)), "hi");
});

Deno.test("readFields refuses what is cut off and never throws", () => {
  assert.equal(readFields(new Uint8Array([0x12, 0x05, 0x68])), null);
  assert.equal(readFields(new Uint8Array([0x1d, 1])), null);
  assert.equal(readFields(new Uint8Array([0x0b])), null, "groups are of the past");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void readFields(bytes)));
});
