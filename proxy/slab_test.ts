import assert from "node:assert/strict";
import { room } from "./slab.ts";

Deno.test("room() gives pieces that do not overlap, whatever their sizes", () => {
  const pieces = Array.from({ length: 400 }, (_, i) => room((i * 379) % 20_000).fill(i & 0xff));
  pieces.forEach((piece, i) => {
    assert.equal(piece.length, (i * 379) % 20_000);
    assert.ok(piece.every((byte) => byte === (i & 0xff)), `piece ${i} was written over`);
  });
});

Deno.test("room() shares one slab among small pieces and gives large ones their own", () => {
  const small = Array.from({ length: 60 }, () => room(1000).buffer);
  assert.ok(new Set(small).size <= 2);
  const large = room(20_000);
  assert.equal(large.buffer.byteLength, 20_000);
});
