import assert from "node:assert/strict";
import { TokenCache } from "./cache.ts";

Deno.test("TokenCache never holds more than its number", () => {
  const cache = new TokenCache<number>(10, 1000);
  for (let i = 0; i < 100; i++) {
    cache.set(`k${i}`, i, 1);
    assert.ok(cache.size <= 10);
    assert.equal(cache.get(`k${i}`), i);
  }
  assert.equal(cache.get("k0"), undefined);
});

Deno.test("TokenCache never holds more than its characters, and nothing larger than a half", () => {
  const cache = new TokenCache<number>(1000, 100);
  for (let i = 0; i < 100; i++) {
    cache.set(`k${i}`, i, 10);
    assert.ok(cache.size <= 10);
  }
  cache.set("large", 1, 51);
  assert.equal(cache.get("large"), undefined);
});

Deno.test("TokenCache keeps what is asked for", () => {
  const cache = new TokenCache<number>(10, 1000);
  cache.set("wanted", 1, 1);
  for (let i = 0; i < 100; i++) {
    cache.set(`k${i}`, i, 1);
    assert.equal(cache.get("wanted"), 1, `after ${i}`);
  }
});

Deno.test("TokenCache forgets what is deleted, wherever it is", () => {
  const cache = new TokenCache<number>(4, 1000);
  for (const key of ["a", "b", "c"]) cache.set(key, 1, 1); // a and b are old now
  cache.delete("a");
  cache.delete("c");
  assert.deepEqual(["a", "b", "c"].map((key) => cache.get(key)), [undefined, 1, undefined]);
});
