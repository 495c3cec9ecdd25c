/** Join tokens: once, soon, for one identity, and never guessed. */
import assert from "node:assert/strict";
import {
  MAX_BAD_TRIES,
  MAX_COUNTED_SOURCES,
  MAX_STORED_TOKENS,
  MAX_TOKEN_TTL_MS,
  MemoryTokenStore,
  type TokenRecord,
  Tokens,
} from "./tokens.ts";

const WEB = "spiffe://mesh.test/ns/default/sa/web";

function setUp() {
  const clock = { ms: 1_000_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const store = new MemoryTokenStore();
  return { clock, store, tokens: new Tokens(store, { clock }) };
}

Deno.test("Tokens.redeem gives the identity exactly once", async () => {
  const { tokens } = setUp();
  const token = await tokens.create(WEB);
  const other = await tokens.create("spiffe://mesh.test/ns/default/sa/catalog");
  assert.notEqual(token, other);
  assert.equal(await tokens.redeem(token), WEB);
  assert.equal(await tokens.redeem(token), null);
});

Deno.test("Tokens.redeem lets one of two win when both come with the same token at once", async () => {
  const { tokens } = setUp();
  const token = await tokens.create(WEB);
  const results = await Promise.all([tokens.redeem(token), tokens.redeem(token)]);
  assert.deepEqual(results.toSorted(), [WEB, null].toSorted());
});

Deno.test("Tokens.giveBack lets a token be used that led to nothing, until its time is over", async () => {
  const { clock, tokens } = setUp();
  const token = await tokens.create(WEB, 1000);
  const record = await tokens.take(token);
  assert.equal(await tokens.redeem(token), null, "meanwhile it is nobody's");
  await tokens.giveBack(record!);
  clock.ms += 1000;
  assert.equal(await tokens.redeem(token), WEB);
  await tokens.giveBack(record!);
  clock.ms += 1;
  assert.equal(await tokens.redeem(token), null);
});

Deno.test("Tokens.redeem refuses a token after its time, and spends it", async () => {
  const { clock, tokens } = setUp();
  const early = await tokens.create(WEB, 1000);
  const late = await tokens.create(WEB, 1000);
  clock.ms += 1000;
  assert.equal(await tokens.redeem(early), WEB);
  clock.ms += 1;
  assert.equal(await tokens.redeem(late), null);
  clock.ms -= 1;
  assert.equal(await tokens.redeem(late), null);
});

Deno.test("Tokens keeps hashes only", async () => {
  const records: TokenRecord[] = [];
  const store = new MemoryTokenStore();
  const put = store.put.bind(store);
  store.put = (record) => {
    records.push(record);
    put(record);
  };
  const token = await new Tokens(store).create(WEB);
  assert.match(token, /^denim-join-[A-Za-z0-9_-]{43}$/);
  assert.match(records[0]!.hash, /^[0-9a-f]{64}$/);
  assert.ok(!JSON.stringify(records).includes(token.slice("denim-join-".length)));
});

Deno.test("Tokens.redeem stops hearing a source after too many bad tries until the minute is over", async () => {
  const { clock, tokens } = setUp();
  const token = await tokens.create(WEB);
  const other = await tokens.create(WEB);
  const guess = `denim-join-${"A".repeat(43)}`;
  for (let i = 0; i < MAX_BAD_TRIES; i++) {
    assert.equal(await tokens.redeem(guess, "10.0.0.9"), null);
  }
  assert.equal(await tokens.redeem(token, "10.0.0.9"), null, "locked");
  assert.equal(await tokens.redeem(other, "10.0.0.1"), WEB, "others are heard");
  clock.ms += 60_000;
  assert.equal(await tokens.redeem(token, "10.0.0.9"), WEB, "a lock does not spend the token");
});

Deno.test("Tokens counts the bad tries of so many sources only", async () => {
  const { tokens } = setUp();
  const token = await tokens.create(WEB);
  const guess = `denim-join-${"A".repeat(43)}`;
  for (let i = 0; i < MAX_BAD_TRIES; i++) await tokens.redeem(guess, "first");
  for (let i = 0; i < MAX_COUNTED_SOURCES; i++) await tokens.redeem(guess, `s${i}`);
  assert.equal(await tokens.redeem(token, "first"), WEB, "the first source was forgotten");
});

Deno.test("Tokens.redeem refuses what does not look like a token without asking the store", async () => {
  const { store, tokens } = setUp();
  store.get = () => assert.fail("asked");
  for (const text of ["", "denim-join-", "x".repeat(100_000), "denim-join-%"]) {
    assert.equal(await tokens.redeem(text), null);
  }
});

Deno.test("Tokens.redeem does not believe a store that matches loosely", async () => {
  const { store, tokens } = setUp();
  const token = await tokens.create(WEB);
  store.get = () => ({ hash: "00", identity: WEB, expiresMs: Infinity });
  assert.equal(await tokens.redeem(token), null);
});

Deno.test("Tokens.create refuses long lives and what is no identity", async () => {
  const { tokens } = setUp();
  await assert.rejects(tokens.create(WEB, MAX_TOKEN_TTL_MS + 1), /at most 600000 are allowed/);
  await assert.rejects(tokens.create(WEB, 0), /more than 0/);
  await assert.rejects(tokens.create(WEB, NaN), /more than 0/);
  await assert.rejects(tokens.create("web"), /a SPIFFE id is wanted/);
});

Deno.test("Tokens forgets expired tokens, so that the store's limit is of live ones", async () => {
  const { clock, store, tokens } = setUp();
  for (let i = 0; i < MAX_STORED_TOKENS; i++) {
    store.put({ hash: `${i}`, identity: WEB, expiresMs: clock.ms + 1000 });
  }
  await assert.rejects(tokens.create(WEB), /are waiting to be used/);
  clock.ms += 1001;
  assert.equal(await tokens.redeem(await tokens.create(WEB)), WEB);
});
