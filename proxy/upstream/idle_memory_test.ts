import assert from "node:assert/strict";
import { FORGET_MS, FRESH_ENOUGH_MS, IdleMemory } from "./idle_memory.ts";

Deno.test("IdleMemory trusts half a second of a peer it knows nothing of", () => {
  assert.equal(new IdleMemory().trustedMs(0), FRESH_ENOUGH_MS);
});

Deno.test("IdleMemory trusts half of the shortest time a peer left a connection open", () => {
  const memory = new IdleMemory();
  memory.closed(60_000, 0);
  assert.equal(memory.trustedMs(0), FRESH_ENOUGH_MS);
  memory.closed(40, 0);
  memory.closed(300, 0);
  assert.equal(memory.trustedMs(0), 20);
});

Deno.test("IdleMemory never trusts a peer that closes after its responses", () => {
  const memory = new IdleMemory();
  memory.closed(0.2, 0);
  assert.equal(memory.trustedMs(0), -1);
});

Deno.test("IdleMemory trusts a peer again step by step when it stays quiet", () => {
  const memory = new IdleMemory();
  memory.closed(0, 0);
  assert.equal(memory.trustedMs(2 * FORGET_MS), -1);
  assert.equal(memory.trustedMs(3 * FORGET_MS), 4);
  assert.equal(memory.trustedMs(30 * FORGET_MS), FRESH_ENOUGH_MS);
});
