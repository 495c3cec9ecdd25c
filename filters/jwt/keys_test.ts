import assert from "node:assert/strict";
import { TestKey } from "./fakes.ts";
import { readKey, readKeySet } from "./keys.ts";
import { JWT_LIMITS } from "./limits.ts";

const RSA = new TestKey("RS256").jwk;
const EC = new TestKey("ES256").jwk;
const ED = new TestKey("EdDSA").jwk;

const REFUSED: [what: string, key: unknown, why: RegExp][] = [
  ["a shared secret", { kty: "oct", k: "c2VjcmV0", alg: "HS256" }, /shared secret/],
  ["a private key", { ...EC, d: "AAAA" }, /private key/],
  ["a key for encryption", { ...RSA, use: "enc" }, /use "enc"/],
  ["a key that may not verify", { ...RSA, key_ops: ["sign"] }, /without verify/],
  ["key_ops that are no list", { ...RSA, key_ops: "verify" }, /without verify/],
  ["alg none", { ...RSA, alg: "none" }, /alg "none"/],
  ["an HMAC on a public key", { ...RSA, alg: "HS256" }, /alg "HS256"/],
  ["another curve's alg", { ...EC, alg: "ES384" }, /alg "ES384"/],
  ["a point off the curve", { ...EC, y: EC.x }, /no valid key/],
  ["a short coordinate", { ...EC, x: EC.x!.slice(4) }, /bad x/],
  ["a curve we have not", { ...EC, crv: "secp256k1" }, /crv "secp256k1"/],
  ["a curve named like a member of Object", { ...EC, crv: "toString" }, /crv "toString"/],
  ["Ed448", { ...ED, crv: "Ed448" }, /crv "Ed448"/],
  ["a type we have not", { kty: "AKP" }, /kty "AKP"/],
  ["a short modulus", { ...RSA, n: RSA.n!.slice(0, 172) }, /bits, wanted 2048 to 8192/],
  ["an exponent of 1", { ...RSA, e: "AQ" }, /public exponent/],
  ["an even exponent", { ...RSA, e: "AQAC" }, /public exponent/],
  ["padding", { ...RSA, e: "AQAB=" }, /bad n or e/],
  ["a kid that is no text", { ...RSA, kid: 7 }, /bad kid/],
  ["no object", "key", /not a JSON object/],
];

for (const [what, key, why] of REFUSED) {
  Deno.test(`A JWK is refused: ${what}`, () => {
    const read = readKey(key);
    assert.ok(typeof read === "string", "it was taken");
    assert.match(read, why);
  });
}

Deno.test("A JWK keeps what verifies, and nothing else", () => {
  const more = { ...RSA, use: "sig", key_ops: ["verify"], x5c: ["MII"], x5u: "http://a", other: 1 };
  assert.deepEqual(readKey(more), RSA);
  assert.deepEqual(readKey(EC), EC);
  assert.deepEqual(readKey(ED), ED);
  const { alg: _, ...named } = ED;
  assert.deepEqual(readKey({ ...ED, alg: "Ed25519" }), named, "RFC 9864");
});

Deno.test("A key set names the keys it cannot use, and how many are secrets", () => {
  const set = readKeySet({ keys: [RSA, { kty: "oct", k: "AA" }, { ...EC, use: "enc" }] })!;
  assert.deepEqual(set.keys, [RSA]);
  assert.equal(set.refused.length, 2);
  assert.match(set.refused[0]!, /^keys\[1\] is a shared secret/);
  assert.equal(set.secrets, 1);
});

Deno.test("A key set is an object with a list, of bounded length", () => {
  assert.equal(readKeySet([]), null);
  assert.equal(readKeySet({ keys: {} }), null);
  assert.equal(readKeySet({ keys: new Array(JWT_LIMITS.keys + 1).fill(RSA) }), null);
});
