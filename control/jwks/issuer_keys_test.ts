/** Keys of an issuer: asked for seldom, renewed, kept while it is away; private and symmetric ones are left out. */
import assert from "node:assert/strict";
import { exportJWK, type FlattenedJWSInput, generateKeyPair } from "jose";
import { silentLog } from "../../core/log.ts";
import { JWT_LIMITS } from "../../filters/jwt/limits.ts";
import { IssuerKeys, KeysUnavailable } from "./issuer_keys.ts";
import { JWKS_LIMITS } from "./limits.ts";

const INPUT: FlattenedJWSInput = { payload: "", signature: "" };

async function publicKey(kid: string): Promise<Record<string, unknown>> {
  const { publicKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...await exportJWK(publicKey), kid, alg: "ES256" };
}

function setUp(answers: (() => unknown)[]) {
  const clock = { ms: 0, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  let asked = 0;
  const keys = new IssuerKeys({
    issuer: "https://login.test",
    load: async () => {
      const answer = await Promise.resolve().then(answers[Math.min(asked++, answers.length - 1)]);
      return new TextEncoder().encode(JSON.stringify(answer));
    },
    clock,
    log: silentLog,
  });
  const find = async (kid: string): Promise<string> => {
    try {
      await keys.get({ alg: "ES256", kid }, INPUT);
      return "found";
    } catch (error) {
      return error instanceof KeysUnavailable ? "unavailable" : "unknown";
    }
  };
  return { clock, find, asked: () => asked };
}

const down = () => {
  throw new Error("down");
};

Deno.test("IssuerKeys asks once, again after its time, and keeps the last good keys", async () => {
  const first = await publicKey("a"), second = await publicKey("b");
  const { clock, find, asked } = setUp([
    () => ({ keys: [first] }),
    down,
    () => ({ keys: [second] }),
  ]);
  assert.deepEqual(await Promise.all([find("a"), find("a")]), ["found", "found"]);
  assert.equal(asked(), 1);
  clock.ms += JWKS_LIMITS.refreshMs + 1;
  assert.equal(await find("a"), "found", "the issuer is away");
  assert.equal(asked(), 2);
  clock.ms += JWKS_LIMITS.unknownKeyMs;
  assert.equal(await find("a"), "unknown", "a key that was taken back is gone");
  assert.equal(await find("b"), "found");
});

Deno.test("IssuerKeys asks anew for a key it does not know, but not as often as strangers name some", async () => {
  const first = await publicKey("a"), second = await publicKey("b");
  const { clock, find, asked } = setUp([
    () => ({ keys: [first] }),
    () => ({ keys: [first, second] }),
  ]);
  assert.equal(await find("a"), "found");
  for (let n = 0; n < 50; n++) assert.equal(await find(`x${n}`), "unknown");
  assert.equal(asked(), 1);
  clock.ms += JWKS_LIMITS.unknownKeyMs;
  assert.equal(await find("b"), "found");
  assert.equal(asked(), 2);
});

Deno.test("IssuerKeys says that keys cannot be had, which says nothing of the token", async () => {
  const { clock, find, asked } = setUp([down, down]);
  assert.equal(await find("a"), "unavailable");
  assert.equal(await find("a"), "unavailable");
  assert.equal(asked(), 1);
  clock.ms += JWKS_LIMITS.unknownKeyMs;
  assert.equal(await find("a"), "unavailable");
  assert.equal(asked(), 2);
});

Deno.test("IssuerKeys takes public keys only, and so many", async () => {
  const good = await publicKey("a");
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const leaked = { ...await exportJWK(privateKey), kid: "leaked", alg: "ES256" };
  const shared = { kty: "oct", k: "AAAA", kid: "shared", alg: "HS256" };
  const mixed = setUp([() => ({ keys: [leaked, shared, null, good] })]);
  assert.deepEqual(
    [await mixed.find("leaked"), await mixed.find("shared"), await mixed.find("a")],
    ["unknown", "unknown", "found"],
  );
  const many = Array.from({ length: JWT_LIMITS.keys + 1 }, () => good);
  for (const answer of [null, {}, { keys: {} }, { keys: [leaked, shared] }, { keys: many }]) {
    assert.equal(await setUp([() => answer]).find("a"), "unavailable");
  }
});
