import assert from "node:assert/strict";
import {
  giveBack,
  lend,
  MOST_SHARED_BYTES,
  reserve,
  rewind,
  room,
  slab,
  SLAB_BYTES,
} from "./slab.ts";

Deno.test("room() gives pieces that do not overlap, whatever their sizes", () => {
  const pieces = Array.from({ length: 400 }, (_, i) => room((i * 379) % 20_000).fill(i & 0xff));
  pieces.forEach((piece, i) => {
    assert.equal(piece.length, (i * 379) % 20_000);
    assert.ok(piece.every((byte) => byte === (i & 0xff)), `piece ${i} was written over`);
  });
});

Deno.test("room() shares one slab among small pieces and gives large ones their own", () => {
  rewind();
  for (const size of [1000, MOST_SHARED_BYTES]) {
    assert.equal(room(size).buffer, slab.bytes.buffer);
  }
  assert.equal(room(MOST_SHARED_BYTES + 1).buffer.byteLength, MOST_SHARED_BYTES + 1);
});

Deno.test("A rewound slab is used again from the front, without another array", () => {
  rewind();
  const first = room(10);
  rewind();
  const again = room(10);
  assert.equal(again.buffer, first.buffer);
  assert.equal(again.byteOffset, first.byteOffset);
});

Deno.test("A slab made for one large piece is not kept", () => {
  reserve(4 * SLAB_BYTES);
  assert.equal(slab.bytes.length, 4 * SLAB_BYTES);
  rewind();
  assert.equal(slab.bytes.length, SLAB_BYTES);
});

Deno.test("What lies in a lent slab stays until it is given back, then the slab is used again", () => {
  rewind();
  const bytes = room(100).fill(7);
  const lent = lend();
  assert.equal(lent[0]?.bytes.buffer, bytes.buffer);
  rewind();
  for (let i = 0; i < 2 * SLAB_BYTES / 1000; i++) room(1000).fill(9);
  assert.ok(bytes.every((byte) => byte === 7));
  giveBack(lent);
  lend();
  assert.equal(slab, lent[0]);
});

Deno.test("Slabs that come back are kept up to a limit", () => {
  const lent = Array.from({ length: 10 }, () => lend());
  for (const one of lent) giveBack(one);
  const reused = Array.from({ length: 10 }, () => {
    lend();
    return lent.some(([one]) => one === slab);
  });
  assert.equal(reused.filter(Boolean).length, 4);
});

Deno.test("Full slabs are kept up to a limit however long nothing is rewound", () => {
  rewind();
  for (let i = 0; i < 400; i++) room(60_000);
  assert.ok(lend().length <= 5);
});

Deno.test("Full slabs are used again once all has left", () => {
  rewind();
  const first = slab;
  while (slab === first) room(60_000);
  rewind();
  lend();
  assert.equal(slab, first);
});
