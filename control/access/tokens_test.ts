/** Access tokens: hashes only, a role each, over when they are over. */
import assert from "node:assert/strict";
import { MemoryTokenStore, Tokens } from "../ca/mod.ts";
import { MemoryStore } from "../store/memory.ts";
import { ACCESS_TOKEN_LIMITS, AccessTokens, LAST_USED_MS } from "./tokens.ts";

const HOUR_MS = 3_600_000;

function setUp() {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const store = new MemoryStore();
  const tokens = new AccessTokens(store, clock);
  const create = (name: string, role: "viewer" | "operator" = "operator") =>
    tokens.create({ name, role, ttlMs: HOUR_MS, createdBy: "ann" });
  return { clock, store, tokens, create };
}

Deno.test("AccessTokens.check says who calls, until the token is over", async () => {
  const { clock, tokens, create } = setUp();
  const { token } = await create("ci");
  assert.match(token, /^denim-api-[A-Za-z0-9_-]{48}$/);
  assert.deepEqual(await tokens.check(token), { name: "ci", proof: "token", roles: ["operator"] });
  clock.ms += HOUR_MS - 1;
  assert.notEqual(await tokens.check(token), null);
  clock.ms += 1;
  assert.equal(await tokens.check(token), null);
  assert.deepEqual(await tokens.list(), [], "and it is forgotten");
});

Deno.test("Scanners find our tokens by the pattern that docs/access.md gives them", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/access.md", import.meta.url));
  const pattern = /^denim-\(admin.*$/m.exec(page)?.[0];
  assert.ok(pattern !== undefined);
  const { create } = setUp();
  const join = await new Tokens(new MemoryTokenStore()).create("spiffe://mesh.test/ns/a/sa/b");
  for (const token of [(await create("ci")).token, join, `denim-admin-${"a".repeat(43)}`]) {
    assert.match(`x="${token}"`, new RegExp(`"${pattern}"`));
  }
});

Deno.test("AccessTokens keeps nothing by which one could call", async () => {
  const { store, create } = setUp();
  const { token } = await create("ci");
  const kept = JSON.stringify(await store.list(""));
  assert.ok(!kept.includes(token.slice("denim-api-".length)));
  assert.match(kept, /"hash\\":\\"[0-9a-f]{64}/);
});

Deno.test("AccessTokens.check refuses what is nearly a token without asking the store", async () => {
  const { store, tokens, create } = setUp();
  const { token } = await create("ci");
  store.get = () => assert.fail("asked");
  const last = token.at(-1) === "A" ? "B" : "A";
  const mistyped = [
    token.slice(0, -1),
    token + "A",
    token.slice(0, -1) + last,
    token.toUpperCase(),
  ];
  for (const text of ["", "denim-api-", "x".repeat(100_000), ...mistyped]) {
    assert.equal(await tokens.check(text), null, text.slice(0, 80));
  }
});

Deno.test("AccessTokens.check does not believe a store that matches loosely", async () => {
  const { store, tokens, create } = setUp();
  const other = (await create("other")).token;
  const { entries: [entry] } = await store.list("");
  const { token } = await create("ci");
  store.get = () => Promise.resolve(entry!);
  assert.equal(await tokens.check(token), null);
  assert.notEqual(await tokens.check(other), null);
});

Deno.test("AccessTokens.revoke ends a token at once, by name or id", async () => {
  const { tokens, create } = setUp();
  const first = await create("ci"), second = await create("cd");
  assert.equal((await tokens.revoke("ci"))?.id, first.about.id);
  assert.equal(await tokens.check(first.token), null);
  assert.notEqual(await tokens.check(second.token), null);
  assert.equal((await tokens.revoke(second.about.id))?.name, "cd");
  assert.equal(await tokens.check(second.token), null);
  assert.equal(await tokens.revoke("ci"), null);
});

Deno.test("AccessTokens.revoke wins against a use at the same time", async () => {
  const { store, tokens, create } = setUp();
  const { token } = await create("ci");
  await Promise.all([tokens.check(token), tokens.revoke("ci"), tokens.check(token)]);
  assert.equal(await tokens.check(token), null);
  assert.deepEqual((await store.list("")).entries, []);
});

Deno.test("AccessTokens notes the last use to the minute and writes no oftener", async () => {
  const { clock, store, tokens, create } = setUp();
  const { token } = await create("ci");
  const lastUsed = async () => (await tokens.list())[0]?.lastUsedMs;
  assert.equal(await lastUsed(), null);
  await tokens.check(token);
  assert.equal(await lastUsed(), clock.ms);
  const { revision } = await store.list("");
  clock.ms += LAST_USED_MS - 1;
  await tokens.check(token);
  assert.equal((await store.list("")).revision, revision);
  clock.ms += 1;
  await tokens.check(token);
  assert.equal(await lastUsed(), clock.ms);
});

Deno.test("AccessTokens refuses a name that is taken, and more than there may be", async () => {
  const { clock, tokens, create } = setUp();
  await create("ci");
  await assert.rejects(create("ci"), /There is a token "ci" already/);
  for (let n = 1; n < ACCESS_TOKEN_LIMITS.tokens; n++) await create(`t${n}`);
  await assert.rejects(create("more"), /There are 1000 tokens; revoke/);
  clock.ms += HOUR_MS;
  await create("more");
  assert.equal((await tokens.list()).length, 1, "those that are over do not count");
});
