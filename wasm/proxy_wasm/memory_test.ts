/** Guest memory: every pointer is checked, growth is noticed, work is accounted for. */
import assert from "node:assert/strict";
import { WASM_LIMITS } from "../limits.ts";
import { GuestMemory, HostBudgetError, latin1, latin1Bytes } from "./memory.ts";

function guest(allocate: ((size: number) => number) | null = null) {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const seen = new GuestMemory(memory, allocate);
  seen.budget = 1 << 30;
  return { memory, seen };
}

Deno.test("GuestMemory refuses what is not all inside, as unsigned numbers", () => {
  const { seen } = guest();
  assert.notEqual(seen.view(65535, 1), null);
  assert.notEqual(seen.view(65536, 0), null);
  for (const [pointer, length] of [[65536, 1], [0, 65537], [-1, 1], [-1, -1], [4, -4]] as const) {
    assert.equal(seen.view(pointer, length), null, `${pointer} + ${length}`);
    assert.equal(seen.copy(pointer, length), null);
    assert.equal(seen.text(pointer, length), null);
  }
  assert.ok(!seen.setU32(65533, 1));
  assert.ok(!seen.setU32(-4, 1));
  assert.ok(!seen.setU64(65529, 1n));
  assert.equal(seen.u32(65534), null);
});

Deno.test("GuestMemory sees memory the guest has grown", () => {
  const { memory, seen } = guest();
  assert.equal(seen.view(65536, 1), null);
  memory.grow(1);
  assert.notEqual(seen.view(65536, 1), null);
  assert.ok(seen.setU32(131_068, 7));
  assert.equal(seen.u32(131_068), 7);
});

Deno.test("GuestMemory.give writes through an allocator that grows the memory", () => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const seen = new GuestMemory(memory, () => memory.grow(1) * 65536);
  seen.budget = 1 << 30;
  assert.equal(seen.give(new Uint8Array([1, 2, 3]), 0, 4), 0);
  assert.equal(seen.u32(0), 65536);
  assert.equal(seen.u32(4), 3);
  assert.deepEqual([...seen.view(65536, 3)!], [1, 2, 3]);
});

Deno.test("GuestMemory.give fails on an allocator that gives nothing, or something outside", () => {
  for (const pointer of [0, -8, 65536]) {
    const { seen } = guest(() => pointer);
    assert.equal(seen.give(new Uint8Array(8), 0, 4), 6, String(pointer));
    assert.equal(seen.giveText("text", 0, 4), 6);
  }
  assert.equal(guest().seen.give(new Uint8Array(8), 0, 4), 6);
});

Deno.test("GuestMemory.give writes nothing for no bytes, and needs no allocator for it", () => {
  const { seen } = guest();
  seen.setU32(0, 99);
  assert.equal(seen.give(new Uint8Array(0), 0, 4), 0);
  assert.equal(seen.u32(0), 0);
  assert.equal(seen.give(new Uint8Array(0), 65536, 4), 6);
});

Deno.test("GuestMemory refuses memory to an allocator that asks for data itself", () => {
  const { seen } = guest(() => seen.allocate(8));
  assert.equal(seen.allocate(8), 0);
});

Deno.test("GuestMemory ends a call that copies more than its budget", () => {
  const { seen } = guest();
  seen.budget = 10 * (1000 + WASM_LIMITS.hostTouchBytes);
  for (let i = 0; i < 10; i++) seen.view(0, 1000);
  assert.throws(() => seen.view(0, 0), HostBudgetError);
});

Deno.test("latin1 keeps every byte, both ways and at any length", () => {
  const bytes = new Uint8Array(10_000).map((_, i) => i);
  assert.deepEqual(latin1Bytes(latin1(bytes)), bytes);
});
