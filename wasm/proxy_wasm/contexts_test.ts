/** Numbers of contexts: never those of a live one, however many live. */
import assert from "node:assert/strict";
import { Contexts } from "./contexts.ts";

Deno.test("Contexts gives every stream another number and finds it by that", () => {
  const contexts = new Contexts<{ readonly id: number }>();
  const root = contexts.newId();
  assert.equal(root, 1);
  const streams = Array.from({ length: 1000 }, () => {
    const stream = { id: contexts.newId() };
    contexts.add(stream);
    return stream;
  });
  assert.equal(new Set(streams.map((one) => one.id)).size, 1000);
  assert.equal(contexts.size, 1000);
  for (const one of streams) assert.equal(contexts.get(one.id), one);
  for (const one of streams.slice(0, 999)) contexts.delete(one.id);
  contexts.delete(streams[0]!.id);
  assert.deepEqual(contexts.values(), [streams[999]]);
  assert.equal(contexts.get(streams[0]!.id), undefined);
  assert.equal(contexts.get(root), undefined);
  contexts.clear();
  assert.equal(contexts.size, 0);
});

Deno.test("Contexts steps over the number of one that lives long", () => {
  const contexts = new Contexts<{ readonly id: number }>();
  const old = { id: contexts.newId() };
  contexts.add(old);
  const seen = new Set<number>();
  for (let n = 0; n < 200; n++) {
    const stream = { id: contexts.newId() };
    assert.notEqual(stream.id, old.id);
    assert.ok(!seen.has(stream.id));
    seen.add(stream.id);
    contexts.add(stream);
    assert.equal(contexts.get(old.id), old);
    contexts.delete(stream.id);
  }
});

Deno.test("Contexts begins again behind the numbers of roots when 31 bits are used up", () => {
  const contexts = new Contexts<{ readonly id: number }>(0x7fff_ffff);
  assert.equal(contexts.newId(), 0x7fff_ffff);
  assert.equal(contexts.newId(), 1024);
});
