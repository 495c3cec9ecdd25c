/** Signing requests: the key counts, once it is proved, and nothing else in them does. */
import assert from "node:assert/strict";
import { createKeyAndCsr, decodePem, encodePem } from "../../proxy/tls/mod.ts";
import { CsrError, type CsrErrorCode, MAX_CSR_CHARS, P256, readCsr } from "./csr.ts";
import { Pkcs10CertificateRequestGenerator } from "./x509.ts";

const LABEL = "CERTIFICATE REQUEST";

async function refusal(pem: string): Promise<CsrErrorCode | "accepted"> {
  try {
    await readCsr(pem);
    return "accepted";
  } catch (error) {
    if (error instanceof CsrError) return error.code;
    throw error;
  }
}

async function request(algorithm: RsaHashedKeyGenParams | EcKeyGenParams): Promise<string> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const signingAlgorithm = { ...algorithm, hash: "SHA-256" };
  const made = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm });
  return encodePem(new Uint8Array(made.rawData), LABEL);
}

Deno.test("readCsr gives the key of a request a proxy made", async () => {
  const { csrPem, keyPem } = createKeyAndCsr();
  const publicKey = await readCsr(csrPem);
  const [pkcs8] = decodePem(keyPem, "PRIVATE KEY") ?? [];
  const privateKey = await crypto.subtle.importKey(
    "pkcs8",
    pkcs8 as Uint8Array<ArrayBuffer>,
    P256,
    false,
    ["sign"],
  );
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signature = await crypto.subtle.sign(algorithm, privateKey, new Uint8Array(8));
  assert.ok(await crypto.subtle.verify(algorithm, publicKey, signature, new Uint8Array(8)));
});

Deno.test("readCsr refuses a request whose sender does not hold its key", async () => {
  const [der] = decodePem(createKeyAndCsr().csrPem, LABEL) ?? [];
  const [other] = decodePem(createKeyAndCsr().csrPem, LABEL) ?? [];
  assert.ok(der !== undefined && other !== undefined);
  // Both requests are alike but for key and signature, so one's key fits into the other.
  const at = der.findIndex((_, i) => der[i] === 0x03 && der[i + 1] === 0x42 && der[i + 2] === 0);
  const forged = der.slice();
  forged.set(other.subarray(at, at + 0x44), at);
  assert.equal(await refusal(encodePem(forged, LABEL)), "no_proof");
});

Deno.test("readCsr takes keys on P-256 only", async () => {
  assert.equal(await refusal(await request({ name: "ECDSA", namedCurve: "P-384" })), "bad_key");
  const rsa = {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  };
  assert.equal(await refusal(await request(rsa)), "bad_key");
  assert.equal(await refusal(await request({ name: "ECDSA", namedCurve: "P-256" })), "accepted");
});

Deno.test("readCsr refuses what is no request", async () => {
  const { csrPem, keyPem } = createKeyAndCsr();
  assert.equal(await refusal(""), "malformed");
  assert.equal(await refusal(keyPem), "malformed");
  assert.equal(await refusal(csrPem + csrPem), "malformed");
  assert.equal(await refusal(encodePem(Uint8Array.of(0x30, 0), LABEL)), "malformed");
  assert.equal(await refusal("x".repeat(MAX_CSR_CHARS + 1)), "too_large");
});
