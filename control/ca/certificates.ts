/** Makes the mesh's certificates: root, intermediate and leaf, each from one fixed profile. */
import { crypto } from "@std/crypto";
import { P256 } from "./csr.ts";
import { BACKDATE_MS } from "./svid.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "./x509.ts";

/** A certificate and the key that signs in its name. */
export interface SigningPair {
  readonly certificate: X509Certificate;
  readonly key: CryptoKey;
}

/** When a certificate holds, in Unix milliseconds; X.509 keeps whole seconds. */
export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const DAY_MS = 24 * 60 * 60_000;
export const ROOT_LIFE_MS = 3650 * DAY_MS;
export const INTERMEDIATE_LIFE_MS = 90 * DAY_MS;

const ECDSA_SHA256 = { name: "ECDSA", hash: "SHA-256" } as const;
/** 128 random bits: nobody can guess what the next certificate will be and so prepare a collision. */
const SERIAL_BYTES = 16;

/** The trust domain's root: self-signed, signs intermediates only. */
export async function createRoot(trustDomain: string, nowMs: number): Promise<SigningPair> {
  const validity = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + ROOT_LIFE_MS };
  const keys = await newKeys();
  const name = `CN=Denim root,O=${trustDomain}`;
  const certificate = await X509CertificateGenerator.create({
    ...common(validity),
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(true, 1, true),
      caUsage(),
      new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate, key: keys.privateKey };
}

/** An intermediate, which signs leafs only and ends with its root at the latest. */
export async function createIntermediate(
  trustDomain: string,
  root: SigningPair,
  nowMs: number,
): Promise<SigningPair> {
  const validity = {
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs: Math.min(nowMs + INTERMEDIATE_LIFE_MS, root.certificate.notAfter.getTime()),
  };
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    ...common(validity),
    // The date keeps the names of successive intermediates apart for whoever reads a chain.
    subject: `CN=Denim intermediate ${isoDay(validity.notBeforeMs)},O=${trustDomain}`,
    issuer: root.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: root.key,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      caUsage(),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(root.certificate),
    ],
  });
  return { certificate, key: keys.privateKey };
}

/** An X.509-SVID: one URI, both roles, no subject. */
export async function createLeaf(
  identity: string,
  publicKey: CryptoKey,
  issuer: SigningPair,
  validity: Validity,
): Promise<X509Certificate> {
  return await X509CertificateGenerator.create({
    ...common(validity),
    // The parsed name, not its text: it must come out byte for byte as the issuer wrote it.
    issuer: issuer.certificate.subjectName,
    publicKey,
    signingKey: issuer.key,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      // Critical, because the subject is empty (RFC 5280 4.2.1.6).
      new SubjectAlternativeNameExtension([{ type: "url", value: identity }], true),
      await AuthorityKeyIdentifierExtension.create(issuer.certificate),
    ],
  });
}

/** A new P-256 pair whose private half can be written to a file. */
export async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

function common(
  validity: Validity,
): { serialNumber: string; notBefore: Date; notAfter: Date; signingAlgorithm: EcdsaParams } {
  const serial = crypto.getRandomValues(new Uint8Array(SERIAL_BYTES));
  // Not zero in front, so that a serial reads the same everywhere.
  if (serial[0] === 0) serial[0] = 1;
  return {
    serialNumber: serial.toHex(),
    notBefore: wholeSeconds(validity.notBeforeMs),
    notAfter: wholeSeconds(validity.notAfterMs),
    signingAlgorithm: ECDSA_SHA256,
  };
}

function caUsage(): KeyUsagesExtension {
  return new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true);
}

function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
