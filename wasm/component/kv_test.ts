import assert from "node:assert/strict";
import { WASM_LIMITS } from "../limits.ts";
import { FakeClock } from "../testing/harness.ts";
import { KeyValues } from "./kv.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("KeyValues writes only over the version it was told", () => {
  const kv = new KeyValues(new FakeClock());
  assert.equal(kv.set("a", bytes("1"), 0n, undefined), 1n);
  assert.deepEqual(kv.set("a", bytes("2"), 0n, undefined), { tag: "mismatch", val: 1n });
  assert.equal(kv.set("a", bytes("2"), 1n, undefined), 2n);
  assert.deepEqual(kv.get("a"), [bytes("2"), 2n]);
});

Deno.test("KeyValues forgets what is past its time, and a counter keeps its own", () => {
  const clock = new FakeClock(), kv = new KeyValues(clock);
  assert.equal(kv.increment("hits", 1n, 1000), 1n);
  clock.ms += 900;
  assert.equal(kv.increment("hits", 1n, 1000), 2n);
  clock.ms += 101;
  assert.equal(kv.get("hits"), undefined);
  assert.equal(kv.increment("hits", 5n, 1000), 5n);
});

Deno.test("KeyValues holds so many keys and bytes and no more", () => {
  const clock = new FakeClock(), kv = new KeyValues(clock);
  for (let i = 0; i < WASM_LIMITS.sharedKeys; i++) {
    assert.equal(typeof kv.set(`k${i}`, bytes("x"), undefined, 1000), "bigint");
  }
  assert.deepEqual(kv.set("one more", bytes("x"), undefined, undefined), { tag: "too-large" });
  assert.equal(kv.size, WASM_LIMITS.sharedKeys);
  const large = new Uint8Array(WASM_LIMITS.sharedBytes + 1);
  assert.deepEqual(kv.set("k1", large, undefined, undefined), { tag: "too-large" });
  assert.deepEqual(kv.get("k1")?.[0], bytes("x"), "a refused write changes nothing");
});

Deno.test("KeyValues counts nothing else than numbers", () => {
  const kv = new KeyValues(new FakeClock());
  kv.set("word", bytes("word"), undefined, undefined);
  assert.equal(kv.increment("word", 2n, undefined), 2n);
  assert.equal(kv.increment("word", -3n, undefined), -1n);
});
