/** Signatures others have made: the RFCs' published examples, and Project Wycheproof. */
import assert from "node:assert/strict";
import { ALGORITHMS } from "../../../filters/jwt/algorithms.ts";
import { parseJws } from "../../../filters/jwt/jws.ts";
import { readKeySet, VerificationKey } from "../../../filters/jwt/keys.ts";
import { vectorsFolder } from "../signatures/wycheproof.ts";
import vectors from "./rfc_vectors.json" with { type: "json" };

/** As a rule decides, without its claims. */
function verified(jwks: unknown, token: string): boolean {
  const jws = parseJws(token);
  const algorithm = jws === null ? undefined : ALGORITHMS.get(jws.alg);
  const set = readKeySet(jwks);
  if (jws === null || algorithm === undefined || set === null) return false;
  return set.keys.map((jwk) => new VerificationKey(jwk)).some((key) =>
    (jws.kid === null || key.kid === null || key.kid === jws.kid) &&
    key.fits(jws.alg, algorithm) && key.signed(jws, algorithm)
  );
}

for (const { name, key, jws } of vectors) {
  Deno.test(name, () => {
    assert.ok(verified({ keys: [key] }, jws));
    const at = jws.lastIndexOf(".") + 10;
    const other = jws[at] === "A" ? "B" : "A";
    assert.ok(!verified({ keys: [key] }, jws.slice(0, at) + other + jws.slice(at + 1)));
  });
}

interface Group {
  readonly comment: string;
  readonly public?: object;
  readonly private: object;
  readonly tests: readonly { tcId: number; comment: string; jws?: unknown; result: string }[];
}

/**
 * What Wycheproof takes and we do not: all HMAC (below, by key), and keys whose `alg` is not the
 * token's (RFC 7520 figures 20 and 27 with keys that say PS256 and "ES521").
 */
const STRICTER = new Set([
  "json_web_signature_test 346",
  "json_web_signature_test 347",
  "json_web_signature_test 350",
  "json_web_signature_test 351",
]);

const folder = await vectorsFolder();
for (const file of ["json_web_signature_test", "json_web_crypto_test", "json_web_key_test"]) {
  Deno.test({
    name: `Wycheproof ${file}: every signature is judged as the vectors say`,
    ignore: folder === null,
    fn: async () => {
      const { testGroups } = JSON.parse(await Deno.readTextFile(`${folder}/${file}.json`));
      let seen = 0;
      for (const group of testGroups as Group[]) {
        const key = group.public ?? group.private;
        const jwks = "keys" in key ? key : { keys: [key] };
        for (const { tcId, comment, jws, result } of group.tests) {
          if (typeof jws !== "string") continue; // not of this form: encryption
          seen++;
          const id = `${file} ${tcId}`;
          const wanted = result === "valid" && !isSecret(jwks) && !STRICTER.has(id);
          assert.equal(verified(jwks, jws), wanted, `${id} (${group.comment}, ${comment})`);
        }
      }
      assert.ok(seen > 20, `${seen} vectors were seen`);
    },
  });
}

/** With a shared secret whoever can verify can sign: we take none. */
function isSecret(jwks: object): boolean {
  const { keys } = jwks as { keys: readonly { kty: string }[] };
  return keys.every((key) => key.kty === "oct");
}
