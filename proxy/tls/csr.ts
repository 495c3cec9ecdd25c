/** Makes a workload's key and the signing request for it: PKCS#10 (RFC 2986), P-256, written by hand. */
import { generateKeyPairSync, sign } from "node:crypto";
import { explicit } from "./der.ts";
import { bitString, oid, sequence, unsigned } from "./der_writer.ts";
import { encodePem } from "./pem.ts";

export interface KeyAndCsr {
  /** PKCS#8 PEM; never leaves this process but for the state file. */
  readonly keyPem: string;
  readonly csrPem: string;
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";

/**
 * A fresh key and a request that proves we hold it. The request names nobody: who we are is for the
 * authority to say, from the token or certificate we come with.
 */
export function createKeyAndCsr(): KeyAndCsr {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = new Uint8Array(publicKey.export({ format: "der", type: "spki" }));
  // CertificationRequestInfo: version 0, empty subject, key, no attributes.
  const info = sequence(
    unsigned(Uint8Array.of(0)),
    sequence(),
    spki,
    Uint8Array.of(explicit(0), 0),
  );
  const signature = new Uint8Array(sign("sha256", info, privateKey));
  const request = sequence(info, sequence(oid(ECDSA_WITH_SHA256)), bitString(signature));
  return {
    keyPem: String(privateKey.export({ format: "pem", type: "pkcs8" })),
    csrPem: encodePem(request, "CERTIFICATE REQUEST"),
  };
}
