import assert from "node:assert/strict";
import { sha256 } from "../../wasm/filter.ts";
import { MARKET_LIMITS } from "./limits.ts";
import { createSigningKey } from "./statement.ts";
import { manifestOf, NOOP_WAT, TestMarket } from "./testing.ts";

Deno.test("Market lists what it admitted, with what it found out itself", async () => {
  await using t = await TestMarket.open();
  const listing = await t.market.admit(await t.signed());
  assert.equal(listing.name, "acme/noop");
  assert.equal(listing.publisher, "acme");
  assert.equal(listing.language, "wat");
  assert.equal(listing.abiVersion, "proxy-wasm 0.2.1");
  assert.deepEqual(listing.hooks, ["request-headers"]);
  assert.deepEqual(listing.capabilities, []);
  assert.equal(listing.signature.key, t.key.id);
  assert.ok(listing.measured.fuelPerCall > 0);
  assert.ok(listing.measured.fuelPerCall < 1000, `${listing.measured.fuelPerCall} fuel`);
  assert.equal(listing.measured.traps, 0);
  assert.deepEqual(listing.warnings, []);
  assert.match(listing.binding, /kind: FilterBinding/);
  assert.deepEqual(t.market.list(), [listing]);
});

Deno.test("Market serves the admitted artefact and the original by digest", async () => {
  await using t = await TestMarket.open();
  const listing = await t.market.admit(await t.signed());
  const artefact = await t.market.module(listing.digest);
  assert.equal(await sha256(artefact!), listing.digest);
  assert.equal(WebAssembly.validate(artefact!), true);
  const original = await t.market.original(listing.digest);
  assert.equal(new TextDecoder().decode(original!.bytes), NOOP_WAT);
  assert.match(original!.mediaType, /^text\/plain/);
  assert.equal(t.market.byDigest(listing.originalDigest)?.name, "acme/noop");
  assert.equal(
    await t.market.module(listing.originalDigest),
    null,
    "proxies get metered bytes only",
  );
});

Deno.test("Market remembers over a restart", async () => {
  await using t = await TestMarket.open();
  const listing = await t.market.admit(await t.signed());
  await t.reopen();
  assert.deepEqual(t.market.get("acme/noop"), listing);
  assert.notEqual(await t.market.module(listing.digest), null);
  assert.deepEqual(t.market.publishers().map((one) => one.name), ["acme"]);
});

Deno.test("Market never serves bytes that changed on disk", async () => {
  await using t = await TestMarket.open();
  const listing = await t.market.admit(await t.signed());
  const path = `${t.dir}/objects/${listing.digest.slice("sha256:".length)}`;
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 1]! ^= 1;
  await Deno.writeFile(path, bytes);
  assert.equal(await t.market.module(listing.digest), null);
  await Deno.remove(path);
  await t.reopen();
  assert.equal(t.market.get("acme/noop"), null, "a listing without its artefact is not offered");
});

Deno.test("Market names a damaged listing and what to do", async () => {
  await using t = await TestMarket.open();
  await t.market.admit(await t.signed());
  await Deno.writeTextFile(`${t.dir}/listings/acme/noop/1.0.0.json`, "{");
  await assert.rejects(t.reopen(), /1\.0\.0\.json is damaged .* push again/);
});

Deno.test("Market takes the same push twice and refuses another under its version", async () => {
  await using t = await TestMarket.open();
  const first = await t.market.admit(await t.signed());
  assert.equal(await t.market.admit(await t.signed()), first);
  await assert.rejects(
    t.market.admit(await t.signed(`${NOOP_WAT} ;; changed`)),
    { code: "market.version_exists", status: 409 },
  );
  await assert.rejects(
    t.market.admit(await t.signed(NOOP_WAT, manifestOf({ summary: "Does more." }))),
    { code: "market.version_exists" },
  );
});

Deno.test("Market offers the newest version and keeps the others", async () => {
  await using t = await TestMarket.open();
  for (const version of ["1.0.0", "1.10.0", "1.9.0", "2.0.0-rc.1"]) {
    await t.market.admit(await t.signed(NOOP_WAT, manifestOf({ version: `"${version}"` })));
  }
  const versions = t.market.versions("acme/noop").map((one) => one.version);
  assert.deepEqual(versions, ["2.0.0-rc.1", "1.10.0", "1.9.0", "1.0.0"]);
  assert.equal(t.market.get("acme/noop")?.version, "1.10.0", "a pre-release is not the newest");
  assert.equal(t.market.get("acme/noop", "1.9.0")?.version, "1.9.0");
  assert.equal(t.market.get("acme/noop", "3.0.0"), null);
});

Deno.test("Market admits uploads that come together, one after the other", async () => {
  await using t = await TestMarket.open();
  const pushes = await Promise.all(
    [1, 2, 3].map((n) => t.signed(NOOP_WAT, manifestOf({ version: `"1.0.${n}"` }))),
  );
  const listings = await Promise.all(pushes.map((push) => t.market.admit(push)));
  assert.deepEqual(listings.map((one) => one.version), ["1.0.1", "1.0.2", "1.0.3"]);
});

Deno.test("Market refuses more uploads than may wait", async () => {
  await using t = await TestMarket.open();
  const push = await t.signed();
  const results = await Promise.allSettled(
    Array.from({ length: MARKET_LIMITS.pending + 5 }, () => t.market.admit(push)),
  );
  const busy = results.filter((one) =>
    one.status === "rejected" && (one.reason as { code: string }).code === "market.busy"
  );
  assert.equal(busy.length, 5);
});

Deno.test("Market knows publishers by their keys", async () => {
  await using t = await TestMarket.open();
  const second = await createSigningKey("acme");
  await t.market.addPublisherKey("acme", second.publicKey);
  const again = await t.market.addPublisherKey("acme", second.publicKey);
  assert.equal(again.keys.length, 2, "the same key twice is one");
  await t.market.admit(await t.signed(NOOP_WAT, manifestOf(), second));
  await assert.rejects(t.market.addPublisherKey("Acme!", second.publicKey), {
    code: "market.bad_publisher",
  });
  await assert.rejects(t.market.addPublisherKey("acme", "c2hvcnQ="), { code: "market.bad_key" });
});
