/**
 * Decides whether a peer is who its certificate says, by the current trust bundle and nothing else.
 *
 * The runtime's own verdict is never used: it does not verify resumed sessions again, takes
 * certificates without extended key usage, and prints alternative names so that one can pose as two.
 */
import { createHash, type KeyObject } from "node:crypto";
import { isSignedBy, issuerFault, readKey, type TrustBundle } from "./bundle.ts";
import {
  type Certificate,
  EKU,
  KEY_USAGE,
  nameOfKey,
  parseCertificate,
  sameBytes,
} from "./certificate.ts";
import type { Vouched } from "./peer_cache.ts";
import { type Refusal, refuse } from "./refusal.ts";
import type { Revocations } from "./revocations.ts";
import { parseSpiffeId } from "./spiffe.ts";

/** Certificates a peer may send. */
export const MAX_PEER_CERTIFICATES = 8;
/** Authorities between leaf and root, the root included. */
export const MAX_PATH_LENGTH = 4;
/** Signatures checked for one peer, so that a crafted chain cannot make us search for long. */
export const MAX_SIGNATURE_CHECKS = 8;
/**
 * How far a peer's clock may be ahead of ours. Only the beginning of validity gets this grace (an
 * authority backdates by another minute); the end gets none, or revocation by short life would leak.
 * Servers do not get it: the runtime's own check of their dates comes before ours.
 */
export const DEFAULT_SKEW_MS = 4 * 60_000;

/** What the peer is to us: the one that connected, or the one we connected to. */
export type PeerRole = "client" | "server";

export interface VerifyOptions {
  readonly nowMs: number;
  readonly role: PeerRole;
  readonly skewMs?: number;
  /** The peer must be this, or one of these. */
  readonly expectedIdentity?: string | readonly string[];
  readonly revoked?: Revocations;
}

export interface VerifiedPeer {
  readonly ok: true;
  /** The peer's SPIFFE id. */
  readonly identity: string;
  readonly serial: string;
  /** When the first certificate of its path expires. */
  readonly notAfterMs: number;
  /** The certificates this rests on, DER, leaf first. */
  readonly chain: readonly Uint8Array[];
}

export type PeerVerdict = VerifiedPeer | Refusal;

/** Verifies a peer from the certificates it sent, leaf first, in any other order. */
export function verifyPeer(
  chainDer: readonly Uint8Array[],
  bundle: TrustBundle,
  options: VerifyOptions,
): PeerVerdict {
  const leaf = chainDer[0];
  if (leaf === undefined) return refuse("no_certificate");
  if (chainDer.length > MAX_PEER_CERTIFICATES) {
    return refuse("too_many_certificates", `${chainDer.length} of ${MAX_PEER_CERTIFICATES}`);
  }
  const key = createHash("sha256").update(leaf).digest("base64");
  const known = bundle.cache.get(key);
  if (known !== undefined) {
    const verdict = judge(known, bundle, options);
    // Another path may be in date when the remembered one no longer is: search again before refusing.
    if (verdict.ok || !PATH_DEPENDENT.has(verdict.reason)) return verdict;
  }
  const vouched = vouch(chainDer, bundle, options);
  if ("reason" in vouched) return vouched;
  const verdict = judge(vouched, bundle, options);
  // Only what was accepted once is remembered: refused peers must not push good ones out.
  if (verdict.ok) bundle.cache.set(key, vouched);
  return verdict;
}

const PATH_DEPENDENT: ReadonlySet<string> = new Set(["expired", "revoked_authority"]);

/** The checks that depend on the moment and the caller; made on every connection. */
function judge(peer: Vouched, bundle: TrustBundle, options: VerifyOptions): PeerVerdict {
  const { nowMs, role, skewMs = DEFAULT_SKEW_MS, expectedIdentity, revoked } = options;
  if (nowMs > peer.notAfterMs) return refuse("expired", isoTime(peer.notAfterMs));
  if (nowMs + skewMs < peer.notBeforeMs) return refuse("not_yet_valid", isoTime(peer.notBeforeMs));
  const purpose = role === "client" ? EKU.clientAuth : EKU.serverAuth;
  if (!peer.purposes.includes(purpose)) {
    return refuse("extended_key_usage", `a ${role} needs ${purpose}`);
  }
  const domain = parseSpiffeId(peer.identity)?.trustDomain;
  if (domain !== bundle.domain) return refuse("wrong_trust_domain", peer.identity);
  if (expectedIdentity !== undefined) {
    const expected = typeof expectedIdentity === "string" ? [expectedIdentity] : expectedIdentity;
    if (!expected.includes(peer.identity)) {
      return refuse("wrong_identity", `${peer.identity} instead of ${expected.join(" or ")}`);
    }
  }
  if (revoked !== undefined) {
    const refusal = revocationOf(peer, revoked);
    if (refusal !== null) return refusal;
  }
  return {
    ok: true,
    identity: peer.identity,
    serial: peer.serial,
    notAfterMs: peer.notAfterMs,
    chain: peer.chain,
  };
}

/** The peer's own name and certificate first: who is revoked himself gets no time to finish. */
function revocationOf(peer: Vouched, revoked: Revocations): Refusal | null {
  if (revoked.identities.has(peer.identity)) return refuse("revoked", peer.identity);
  if (revoked.serials.has(peer.serial)) return refuse("revoked", `serial ${peer.serial}`);
  if (revoked.keys.has(peer.keys[0]!)) return refuse("revoked", `key ${peer.keys[0]}`);
  const serial = peer.serials.find((one) => revoked.serials.has(one));
  if (serial !== undefined) return refuse("revoked_authority", `serial ${serial}`);
  const key = peer.keys.find((one) => revoked.keys.has(one));
  return key === undefined ? null : refuse("revoked_authority", `key ${key}`);
}

/** The checks that hold for as long as the bundle does: the leaf's form and its path to a root. */
function vouch(
  chainDer: readonly Uint8Array[],
  bundle: TrustBundle,
  options: VerifyOptions,
): Vouched | Refusal {
  const chain: Certificate[] = [];
  for (const [i, der] of chainDer.entries()) {
    const certificate = parseCertificate(der);
    if (typeof certificate === "string") {
      return refuse("malformed", `certificate ${i + 1}: ${certificate}`);
    }
    chain.push(certificate);
  }
  const leaf = chain[0]!;
  const fault = leafFault(leaf);
  if (fault !== null) return fault;
  const path = new PathSearch(chain.slice(1), bundle, options).find(leaf);
  if ("reason" in path) return path;
  return {
    identity: leaf.uris[0]!,
    serial: leaf.serial,
    chain: chainDer,
    notBeforeMs: Math.max(...path.map((certificate) => certificate.notBeforeMs)),
    notAfterMs: Math.min(...path.map((certificate) => certificate.notAfterMs)),
    // An authority without the extension allows every purpose (the custom of RFC 5280 users).
    purposes: (leaf.extKeyUsage ?? []).filter((purpose) =>
      path.every((certificate) => certificate.extKeyUsage?.includes(purpose) ?? true)
    ),
    serials: path.map((certificate) => certificate.serial),
    keys: path.map((certificate) => nameOfKey(certificate.spki)),
  };
}

function leafFault(leaf: Certificate): Refusal | null {
  if (leaf.unknownCritical !== null) return refuse("unsupported", leaf.unknownCritical);
  if (leaf.isCa) return refuse("leaf_is_ca");
  const usage = leaf.keyUsage;
  const signs = KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign;
  if (usage === null || (usage & KEY_USAGE.digitalSignature) === 0 || (usage & signs) !== 0) {
    return refuse("key_usage");
  }
  if (leaf.extKeyUsage === null) return refuse("extended_key_usage", "there is none");
  if (leaf.uris.length !== 1) return refuse("san_count", `${leaf.uris.length} URIs`);
  if (parseSpiffeId(leaf.uris[0]!) === null) {
    return refuse("bad_spiffe_id", JSON.stringify(leaf.uris[0]!.slice(0, 200)));
  }
  return null;
}

/** Looks for a path of valid authorities from a leaf up to a root of the bundle. */
class PathSearch {
  readonly #sent: readonly Certificate[];
  readonly #bundle: TrustBundle;
  readonly #nowMs: number;
  readonly #skewMs: number;
  #checks = MAX_SIGNATURE_CHECKS;
  /** The most telling of the reasons met, should no path be found. */
  #refusal: Refusal = refuse("unknown_authority");

  constructor(sent: readonly Certificate[], bundle: TrustBundle, options: VerifyOptions) {
    this.#sent = sent;
    this.#bundle = bundle;
    this.#nowMs = options.nowMs;
    this.#skewMs = options.skewMs ?? DEFAULT_SKEW_MS;
  }

  find(leaf: Certificate): readonly Certificate[] | Refusal {
    return this.#above(leaf, 0) ?? this.#refusal;
  }

  /** `child` and a path of authorities above it, of which `below` CA certificates are already used. */
  #above(child: Certificate, below: number): readonly Certificate[] | null {
    if (!this.#inDate(child) || below >= MAX_PATH_LENGTH) return null;
    for (const { certificate, key, isRoot } of this.#bundle.anchors) {
      if (!isParent(certificate, child, below) || !this.#inDate(certificate)) continue;
      if (!this.#isSigned(child, certificate, key)) continue;
      if (isRoot) return [child, certificate];
      const path = this.#above(certificate, below + 1);
      if (path !== null) return [child, ...path];
    }
    for (const certificate of this.#sent) {
      if (!isParent(certificate, child, below) || issuerFault(certificate) !== null) continue;
      // The sender's own authority is believed only once it has a path itself.
      const path = this.#above(certificate, below + 1);
      if (path === null) continue;
      const key = readKey(certificate.spki);
      if (key === null) this.#refusal = refuse("unsupported", "the key of an authority");
      else if (this.#isSigned(child, certificate, key)) return [child, ...path];
    }
    return null;
  }

  #inDate(certificate: Certificate): boolean {
    if (this.#nowMs > certificate.notAfterMs) {
      this.#refusal = refuse("expired", isoTime(certificate.notAfterMs));
      return false;
    }
    if (this.#nowMs + this.#skewMs < certificate.notBeforeMs) {
      this.#refusal = refuse("not_yet_valid", isoTime(certificate.notBeforeMs));
      return false;
    }
    return true;
  }

  #isSigned(child: Certificate, issuer: Certificate, key: KeyObject): boolean {
    const { authorities } = this.#bundle;
    // One check is 0.8 ms of a blocked process, and all peers come with the same intermediate.
    const fact = child.isCa
      ? createHash("sha256").update(child.der).update(issuer.spki).digest("base64")
      : null;
    if (fact !== null && authorities.has(fact)) return true;
    if (this.#checks-- <= 0) return false;
    if (!isSignedBy(child, key)) {
      this.#refusal = refuse("bad_signature");
      return false;
    }
    if (fact !== null) authorities.add(fact);
    return true;
  }
}

/** Whether `parent` names itself as `child` names its issuer, and may have that many CAs below it. */
function isParent(parent: Certificate, child: Certificate, below: number): boolean {
  if (!sameBytes(parent.subject, child.issuer)) return false;
  const { authorityKeyId } = child, { subjectKeyId } = parent;
  if (authorityKeyId !== null && subjectKeyId !== null) {
    if (!sameBytes(authorityKeyId, subjectKeyId)) return false;
  }
  return parent.pathLength === null || below <= parent.pathLength;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
