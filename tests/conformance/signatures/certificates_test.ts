/** Signatures of certificates, as our own verification reads keys and checks them, against Project Wycheproof. */
import assert from "node:assert/strict";
import { isSignedBy, readKey } from "../../../proxy/tls/bundle.ts";
import { type Certificate, parseCertificate } from "../../../proxy/tls/mod.ts";
import { TestDomain } from "../../support/ca.ts";
import { type Vectors, vectorsFolder } from "./wycheproof.ts";

/** Vectors by the algorithm a certificate names (RFC 5758, RFC 8017). */
const CHECKED: readonly [file: string, algorithm: string][] = [
  ["ecdsa_secp256r1_sha256", "1.2.840.10045.4.3.2"],
  ["ecdsa_secp384r1_sha256", "1.2.840.10045.4.3.2"],
  ["ecdsa_secp384r1_sha384", "1.2.840.10045.4.3.3"],
  ["rsa_signature_2048_sha256", "1.2.840.113549.1.1.11"],
  ["rsa_signature_3072_sha256", "1.2.840.113549.1.1.11"],
  ["rsa_signature_4096_sha256", "1.2.840.113549.1.1.11"],
  ["rsa_signature_2048_sha384", "1.2.840.113549.1.1.12"],
  ["rsa_signature_3072_sha384", "1.2.840.113549.1.1.12"],
  ["rsa_signature_4096_sha384", "1.2.840.113549.1.1.12"],
];

/** Keys no authority may have. */
const REFUSED_KEYS = [
  "ecdsa_secp224r1_sha256",
  "ecdsa_secp256k1_sha256",
  "ecdsa_secp521r1_sha512",
  "ecdsa_brainpoolP256r1_sha256",
];

const folder = await vectorsFolder();
const ignore = folder === null;

async function vectors(file: string): Promise<Vectors> {
  return JSON.parse(await Deno.readTextFile(`${folder}/${file}_test.json`));
}

const bytes = (hex: string): Uint8Array => new Uint8Array(Uint8Array.fromHex(hex));

/** A real certificate, of which these vectors take the place of what is signed and the signature. */
const template = parseCertificate(new TestDomain().issue("web").der);

for (const [file, signatureAlgorithm] of CHECKED) {
  Deno.test(
    { name: `Wycheproof ${file}: each signature is judged as it should be`, ignore },
    async () => {
      assert.ok(typeof template !== "string");
      let checked = 0;
      for (const { publicKeyDer, tests } of (await vectors(file)).testGroups) {
        const key = readKey(bytes(publicKeyDer));
        assert.ok(key !== null, publicKeyDer);
        for (const { tcId, comment, msg, sig, result } of tests) {
          const signed: Certificate = {
            ...template,
            tbs: bytes(msg),
            signature: bytes(sig),
            signatureAlgorithm,
          };
          // "acceptable" is a form that some take and a strict reader need not: neither is wrong.
          if (result === "acceptable") continue;
          assert.equal(isSignedBy(signed, key), result === "valid", `${tcId}: ${comment}`);
          checked++;
        }
      }
      assert.ok(checked > 200, `${checked} vectors are too few to have been all`);
    },
  );
}

for (const file of REFUSED_KEYS) {
  Deno.test({ name: `Wycheproof ${file}: no such key is taken`, ignore }, async () => {
    const groups = (await vectors(file)).testGroups;
    assert.ok(groups.length > 50);
    for (const { publicKeyDer } of groups) assert.equal(readKey(bytes(publicKeyDer)), null);
  });
}
