/** A trust bundle: the certificates that may vouch for peers now, parsed once, and what they vouched for. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Certificate, KEY_USAGE, parseCertificate, sameBytes } from "./certificate.ts";
import { BoundedSet, PeerCache } from "./peer_cache.ts";
import { decodePem, encodePem } from "./pem.ts";
import { isTrustDomain } from "./spiffe.ts";

/** Certificates in one bundle: each costs every handshake a little. */
export const MAX_BUNDLE_CERTIFICATES = 64;
/** Intermediates whose signatures are remembered as good. */
export const MAX_KNOWN_AUTHORITIES = 64;
const MIN_RSA_BITS = 2048;

/** A certificate of the bundle. Roots are trusted as they are, others only below a root of the bundle. */
export interface Anchor {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly isRoot: boolean;
}

export interface TrustBundle {
  readonly domain: string;
  /** Grows with every bundle this process reads: names the bundle in logs and config dumps. */
  readonly generation: number;
  readonly anchors: readonly Anchor[];
  /** Every certificate as PEM of its own, in the order given. */
  readonly pem: readonly string[];
  /** Peers this bundle has vouched for. It dies with the bundle, so a removed root is forgotten at once. */
  readonly cache: PeerCache;
  /** Signatures found good between authorities: hashes of certificate and signing key. */
  readonly authorities: BoundedSet;
}

let generations = 0;

/** Reads the bundle of a trust domain; throws TypeError with what is wrong in it. */
export function readTrustBundle(domain: string, pem: readonly string[]): TrustBundle {
  if (!isTrustDomain(domain)) {
    throw new TypeError(
      `Cannot use trust domain "${domain}": a name made of a-z, 0-9, '.', '_' and '-' is wanted`,
    );
  }
  const anchors = readBlocks(pem).map((der, index) => readAnchor(der, index));
  if (anchors.length > MAX_BUNDLE_CERTIFICATES) {
    throw new TypeError(
      `Cannot use trust bundle: it holds ${anchors.length} certificates, ` +
        `at most ${MAX_BUNDLE_CERTIFICATES} are allowed`,
    );
  }
  if (!anchors.some((anchor) => anchor.isRoot)) {
    throw new TypeError("Cannot use trust bundle: it holds no self-signed root certificate");
  }
  return {
    domain,
    generation: ++generations,
    anchors,
    pem: anchors.map(({ certificate }) => encodePem(certificate.der, "CERTIFICATE")),
    cache: new PeerCache(),
    authorities: new BoundedSet(MAX_KNOWN_AUTHORITIES),
  };
}

/** Whether a bundle says the same, however its certificates are spread over PEM texts. */
export function isSameBundle(
  bundle: TrustBundle,
  domain: string,
  pem: readonly string[],
): boolean {
  if (bundle.domain !== domain) return false;
  const blocks = readBlocks(pem);
  return blocks.length === bundle.anchors.length &&
    bundle.anchors.every(({ certificate }, i) => sameBytes(certificate.der, blocks[i]!));
}

function readBlocks(pem: readonly string[]): Uint8Array[] {
  return pem.flatMap((text) => {
    const blocks = decodePem(text, "CERTIFICATE");
    if (blocks !== null) return blocks;
    throw new TypeError("Cannot read trust bundle: PEM blocks of type CERTIFICATE are wanted");
  });
}

/** What is wrong with a certificate as a signer of others, null for nothing. */
export function issuerFault(certificate: Certificate): string | null {
  if (certificate.unknownCritical !== null) {
    return `it has extension ${certificate.unknownCritical}, which is not supported`;
  }
  if (!certificate.isCa) return "it is not a CA certificate";
  if (certificate.keyUsage === null || (certificate.keyUsage & KEY_USAGE.keyCertSign) === 0) {
    return "its key usage does not allow signing certificates";
  }
  return null;
}

/** Whether `key` made the signature of `certificate`. Algorithms outside this table are refused. */
export function isSignedBy(certificate: Certificate, key: KeyObject): boolean {
  const digest = DIGESTS[certificate.signatureAlgorithm];
  if (digest === undefined || key.asymmetricKeyType !== digest.key) return false;
  try {
    return verify(digest.name, certificate.tbs, key, certificate.signature);
  } catch {
    return false; // a signature so malformed that it cannot even be tried
  }
}

/** The public key of a certificate, null when it is of no use: P-256, P-384 and RSA are believed. */
export function readKey(spki: Uint8Array): KeyObject | null {
  try {
    const key = createPublicKey({ key: spki as Buffer, format: "der", type: "spki" });
    const { namedCurve = "", modulusLength: bits = 0 } = key.asymmetricKeyDetails ?? {};
    if (key.asymmetricKeyType === "ec") return CURVES.has(namedCurve) ? key : null;
    return key.asymmetricKeyType === "rsa" && bits >= MIN_RSA_BITS ? key : null;
  } catch {
    return null; // not a key
  }
}

/** P-256 and P-384 as the runtime calls them. It would take P-224 too, which is too weak for an authority. */
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1"]);

const DIGESTS: Readonly<Record<string, { readonly key: string; readonly name: string }>> = {
  "1.2.840.10045.4.3.2": { key: "ec", name: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", name: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", name: "sha512" },
  "1.2.840.113549.1.1.11": { key: "rsa", name: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", name: "sha384" },
};

function readAnchor(der: Uint8Array, index: number): Anchor {
  const what = `certificate ${index + 1} of the trust bundle`;
  const certificate = parseCertificate(der);
  if (typeof certificate === "string") {
    throw new TypeError(`Cannot read ${what}: ${certificate}`);
  }
  const fault = issuerFault(certificate);
  if (fault !== null) throw new TypeError(`Cannot use ${what}: ${fault}`);
  const key = readKey(certificate.spki);
  if (key === null) {
    throw new TypeError(`Cannot use ${what}: a P-256, P-384 or RSA key (2048 bits) is wanted`);
  }
  const selfIssued = sameBytes(certificate.issuer, certificate.subject);
  return { certificate, key, isRoot: selfIssued && isSignedBy(certificate, key) };
}
