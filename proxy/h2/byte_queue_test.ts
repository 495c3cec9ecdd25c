import assert from "node:assert/strict";
import { ByteQueue } from "./byte_queue.ts";

function numbered(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) & 0xff);
}

Deno.test("ByteQueue gives back what was pushed, in order, whatever the sizes, and keeps none of the pieces", () => {
  const queue = new ByteQueue();
  let pushed = 0, taken = 0, seed = 3;
  const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below;
  for (let round = 0; round < 600; round++) {
    for (let i = random(4); i > 0; i--) {
      const piece = numbered(random(random(2) === 0 ? 300 : 70_000), pushed);
      queue.push(piece);
      pushed += piece.length;
      piece.fill(0xee);
    }
    for (let i = random(8); i > 0 && queue.length > 0; i--) {
      const bytes = queue.take(1 + random(40_000));
      for (let k = 0; k < bytes.length; k += 97) assert.equal(bytes[k], (taken + k) & 0xff);
      assert.equal(bytes.at(-1), (taken + bytes.length - 1) & 0xff);
      taken += bytes.length;
    }
    assert.equal(queue.length, pushed - taken);
  }
  assert.ok(taken > 1_000_000);
});

Deno.test("ByteQueue keeps a thousand pieces of a byte in few chunks, and a large one in no small chunk", () => {
  const queue = new ByteQueue();
  for (let i = 0; i < 1000; i++) queue.push(numbered(1, i));
  assert.equal(queue.chunks, 1);
  queue.push(numbered(60_000, 0));
  assert.equal(queue.chunks, 2);
  queue.push(numbered(60_000, 0)); // fills the large one, the rest has its own
  assert.equal(queue.chunks, 3);
});

Deno.test("What was taken stays until the next call on its queue, also when the queue is cleared", () => {
  const queue = new ByteQueue(), other = new ByteQueue();
  queue.push(numbered(20_000, 1));
  const bytes = queue.take(20_000);
  queue.clear();
  for (let i = 0; i < 40; i++) other.push(new Uint8Array(60_000));
  assert.deepEqual(bytes, numbered(20_000, 1));
});

Deno.test("Large chunks are used again, up to a limit", () => {
  const queue = new ByteQueue();
  const buffers = (): Set<ArrayBufferLike> => {
    for (let i = 0; i < 40; i++) queue.push(numbered(65_536, i));
    const seen = new Set<ArrayBufferLike>();
    while (queue.length > 0) seen.add(queue.take(65_536).buffer);
    queue.clear();
    return seen;
  };
  buffers();
  const first = buffers(), second = buffers();
  const again = [...second].filter((buffer) => first.has(buffer)).length;
  assert.ok(again >= 8 && again <= 16, `${again} of 40 used again`);
});
