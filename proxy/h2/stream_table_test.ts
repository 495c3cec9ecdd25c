import assert from "node:assert/strict";
import type { H2Stream } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";

/** The table looks at nothing else of a stream. */
function stream(id: number): H2Stream {
  return { id, chained: null } as unknown as H2Stream;
}

Deno.test("StreamTable finds what a Map would, over any additions and deletions", () => {
  const table = new StreamTable(), map = new Map<number, H2Stream>();
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 48271) % 0x7fffffff) % below;
  for (let id = 1; id < 4000; id += 2) {
    const one = stream(id);
    table.add(one);
    map.set(id, one);
    for (let i = random(3); i > 0; i--) {
      const some = id - 2 * random(200);
      table.delete(some);
      map.delete(some);
    }
    for (let back = 0; back < 400; back += 2 + 2 * random(20)) {
      assert.equal(table.get(id - back), map.get(id - back));
    }
    assert.equal(table.size, map.size);
  }
  assert.ok(map.size > 32, "too few to have made the table grow");
  assert.deepEqual(table.all().map(({ id }) => id), [...map.keys()]);
});

Deno.test("A stream that has left a StreamTable points at no other", () => {
  const table = new StreamTable();
  const all = Array.from({ length: 100 }, (_, i) => stream(2 * i + 1));
  for (const one of all) table.add(one);
  for (const one of all) table.delete(one.id);
  assert.equal(table.size, 0);
  assert.ok(all.every(({ chained }) => chained === null));
});
