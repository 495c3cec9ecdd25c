/** Join tokens in the store: single-use also in a race, and forgotten when they expire. */
import assert from "node:assert/strict";
import { Tokens } from "../ca/mod.ts";
import { MemoryStore } from "./memory.ts";
import { KeptTokens } from "./token_store.ts";

const ID = "spiffe://mesh.local/ns/default/sa/web";

Deno.test("KeptTokens lets one of two who redeem the same token at once have it", async () => {
  const store = new MemoryStore();
  const tokens = new Tokens(new KeptTokens(store));
  const token = await tokens.create(ID);
  const both = await Promise.all([tokens.redeem(token, "a"), tokens.redeem(token, "b")]);
  assert.deepEqual(both.filter((one) => one !== null), [ID]);
  assert.equal(await tokens.redeem(token, "c"), null);
  assert.ok(!JSON.stringify(await store.list("")).includes(token), "kept as a hash only");
});

Deno.test("KeptTokens outlives the process that made the token", async () => {
  const store = new MemoryStore();
  const token = await new Tokens(new KeptTokens(store)).create(ID);
  assert.equal(await new Tokens(new KeptTokens(store)).redeem(token), ID);
});

Deno.test("KeptTokens forgets what has expired", async () => {
  const store = new MemoryStore();
  let now = 1000;
  const clock = { nowMs: () => now, monotonicMs: () => now };
  const tokens = new Tokens(new KeptTokens(store), { clock });
  await tokens.create(ID, 5000);
  now += 6000;
  await tokens.create(ID, 5000);
  assert.equal((await store.list("")).entries.length, 1);
});
