import assert from "node:assert/strict";
import { MARKET_LIMITS } from "./limits.ts";
import { createSigningKey } from "./statement.ts";
import { manifestOf, NOOP_WAT, TestMarket } from "./testing.ts";
import { MarketError, type Push } from "./types.ts";

/** Awaits the refusal and gives it back whole. */
async function refusal(t: TestMarket, push: Push): Promise<MarketError> {
  try {
    await t.market.admit(push);
  } catch (error) {
    assert.ok(error instanceof MarketError, String(error));
    assert.deepEqual(t.market.list(), [], "nothing was kept");
    return error;
  }
  assert.fail("the push was admitted");
}

function around(body: string): string {
  return NOOP_WAT.replace(/\(func \(export "proxy_on_request_headers"\)[^]*$/, `${body})`);
}

Deno.test("a push without a signature is refused", async () => {
  await using t = await TestMarket.open();
  const error = await refusal(t, { ...await t.signed(), signature: "" });
  assert.equal(error.code, "market.unsigned");
  assert.equal(error.status, 403);
  assert.equal(error.details[0]!.path, "signature");
});

Deno.test("a push signed by a stranger's key is refused", async () => {
  await using t = await TestMarket.open();
  const stranger = await createSigningKey("acme");
  const error = await refusal(t, await t.signed(NOOP_WAT, manifestOf(), stranger));
  assert.equal(error.code, "market.unknown_key");
  assert.match(error.message, new RegExp(t.key.id));
});

Deno.test("a publisher cannot push under another's name", async () => {
  await using t = await TestMarket.open();
  const other = await createSigningKey("other");
  await t.market.addPublisherKey("other", other.publicKey);
  const error = await refusal(t, await t.signed(NOOP_WAT, manifestOf(), other));
  assert.equal(error.code, "market.unknown_key");
  const nobody = await refusal(t, await t.signed(NOOP_WAT, manifestOf({ name: "nobody/noop" })));
  assert.equal(nobody.code, "market.unknown_publisher");
});

Deno.test("a key id that claims another key does not help", async () => {
  await using t = await TestMarket.open();
  const stranger = { ...await createSigningKey("acme"), id: t.key.id };
  const error = await refusal(t, await t.signed(NOOP_WAT, manifestOf(), stranger));
  assert.equal(error.code, "market.bad_signature");
});

Deno.test("bytes, manifest and statement must be the ones that were signed", async () => {
  await using t = await TestMarket.open();
  const push = await t.signed();
  const swapped = new TextEncoder().encode(`${NOOP_WAT} `);
  const module = await refusal(t, { ...push, bytes: swapped });
  assert.equal(module.code, "market.digest_mismatch");
  assert.equal(module.details[0]!.path, "module");
  const manifest = await refusal(t, { ...push, manifest: `${push.manifest}\n` });
  assert.equal(manifest.details[0]!.path, "manifest");
  const statement = push.statement.replace("1.0.0", "1.0.1");
  assert.equal((await refusal(t, { ...push, statement })).code, "market.bad_signature");
});

Deno.test("a statement must have all its members", async () => {
  await using t = await TestMarket.open();
  const push = await t.signed();
  for (const statement of ["", "[", "null", "{}", '{"type": "x"}']) {
    const error = await refusal(t, { ...push, statement });
    assert.equal(error.code, "market.bad_statement", statement);
  }
});

Deno.test("a manifest is refused with the path of each wrong field", async () => {
  await using t = await TestMarket.open();
  const cases = [
    [{ version: "1.0" }, "manifest.version"],
    [{ version: '"one"' }, "manifest.version"],
    [{ titel: "x" }, "manifest"],
    [{ title: '"two\\nlines"' }, "manifest.title"],
    [{ categories: "[jokes]" }, "manifest.categories.0"],
    [{ limits: "{ memoryMiB: 9999 }" }, "manifest.limits.memoryMiB"],
    [{ links: "{ source: 'javascript:alert(1)' }" }, "manifest.links.source"],
    [{ phase: "LAST" }, "manifest.phase"],
  ] as const;
  for (const [fields, path] of cases) {
    const error = await refusal(t, await t.signed(NOOP_WAT, manifestOf(fields)));
    assert.equal(error.code, "market.bad_manifest");
    assert.equal(error.details[0]!.path, path, error.message);
  }
  const unknown = await refusal(t, await t.signed(NOOP_WAT, manifestOf({ titel: "x" })));
  assert.match(unknown.message, /unknown fields "titel"; known are .*title/);
  const broken = await refusal(t, await t.signed(NOOP_WAT, manifestOf({ title: "[" })));
  assert.match(broken.message, /is not YAML/);
});

Deno.test("a module that is too large is refused before anything else", async () => {
  await using t = await TestMarket.open();
  const bytes = new Uint8Array(MARKET_LIMITS.moduleBytes + 1);
  const error = await refusal(t, { ...await t.signed(), bytes });
  assert.equal(error.code, "market.too_large");
  assert.equal(error.status, 413);
});

Deno.test("a module that does not validate is refused with the reason", async () => {
  await using t = await TestMarket.open();
  const cases = [
    ['(module (func (export "f") (result i32)))', /type mismatch/],
    ["(module (func $f (call $missing)))", /undefined function variable "\$missing"/],
    ["neither", /Not WebAssembly/],
    [new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 10, 200]), /ends too early/],
    ["(module)", /no proxy_abi_version_\* marker/],
    [NOOP_WAT.replace('"memory") 1', '"memory") 300'), /its limit is 256/],
  ] as const;
  for (const [content, reason] of cases) {
    const error = await refusal(t, await t.signed(content));
    assert.equal(error.code, "market.refused");
    assert.equal(error.status, 422);
    assert.equal(error.details[0]!.path, "module");
    assert.match(error.message, reason);
  }
});

Deno.test("a module that cannot start is refused", async () => {
  await using t = await TestMarket.open();
  const cases = [
    ['(func (export "_start") (loop $l (br $l)))', /Out of fuel/],
    ['(func (export "proxy_on_vm_start") (param i32 i32) (result i32) unreachable)', /unreachable/],
    [
      '(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))',
      /refused its configuration/,
    ],
  ] as const;
  for (const [body, reason] of cases) {
    const error = await refusal(t, await t.signed(around(body)));
    assert.equal(error.code, "market.refused");
    assert.match(error.message, reason);
  }
});

Deno.test("a module that traps on traffic is admitted with a warning", async () => {
  await using t = await TestMarket.open();
  const wat = around(
    '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) unreachable)',
  );
  const listing = await t.market.admit(await t.signed(wat));
  assert.ok(listing.measured.traps > 0);
  assert.match(listing.warnings[0]!, /It failed on the reference trace: Trap: unreachable/);
});

Deno.test("a module that imports what no host has is admitted with a warning", async () => {
  await using t = await TestMarket.open();
  const wat = NOOP_WAT.replace(
    "(module",
    '(module (import "env" "proxy_redis_call" (func (param i32) (result i32)))',
  );
  const listing = await t.market.admit(await t.signed(wat));
  assert.match(listing.warnings.join(), /env\.proxy_redis_call/);
});

Deno.test("a component of another world is refused with what it may import", async () => {
  await using t = await TestMarket.open();
  // The smallest component: a preamble and nothing in it.
  const component = new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  const error = await refusal(t, await t.signed(component));
  assert.match(error.message, /does not export denim:filter\/filter@0\.1\.0/);
});

/** Sets a shared value while it is configured, and refuses the configuration when it may not. */
const NEEDS_SHARED = `(module
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (memory (export "memory") 1) (data (i32.const 0) "n")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (i32.eqz (call $set (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))`;

Deno.test("a module is refused that does not start with what its manifest requires or asks for", async () => {
  await using t = await TestMarket.open();
  const push = async (capabilities: string) =>
    await refusal(t, await t.signed(NEEDS_SHARED, manifestOf({ capabilities })));
  const without = await push("{required: [tick]}");
  assert.equal(without.code, "market.refused");
  assert.match(without.message, /refused its configuration/);
  const optional = await push("{required: [tick], optional: [shared-data]}");
  assert.match(
    optional.message,
    /does not start with what its manifest requires alone \(capabilities\.required is \["tick"\]\)/,
  );
});

Deno.test("a listing says what a filter asks for, what of it is required, and what it has not asked for", async () => {
  await using t = await TestMarket.open();
  const listing = await t.market.admit(
    await t.signed(
      NEEDS_SHARED,
      manifestOf({
        capabilities: "{required: [shared-data]}",
        permissions: "{headers: {read: [authorization]}, sharedData: ['n*']}",
      }),
    ),
  );
  assert.deepEqual(listing.capabilities, ["shared-data"]);
  assert.deepEqual(listing.required, ["shared-data"]);
  assert.match(listing.warnings.join(), /imports functions of tick, which its manifest does not/);
  assert.match(listing.binding, /permissions:\n {4}headers:\n {6}read:\n {8}- authorization/);
});
