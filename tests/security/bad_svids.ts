/**
 * Certificates by which somebody tries to be who he is not: one row each, with what it is about, where that
 * hurt others, and the reason by which a sidecar refuses a client that shows it. Servers that show one are
 * refused too: by the same reason, or before by the runtime's own check. (Reason "handshake" is that check too,
 * for clients: it wants the proof that they hold the key, and cannot read every certificate for that.)
 */
import { bytesOf, element, sequence } from "../../proxy/tls/der_writer.ts";
import { implicit } from "../../proxy/tls/der.ts";
import type { RefusalReason } from "../../proxy/tls/mod.ts";
import { encodePem } from "../../proxy/tls/mod.ts";
import {
  CERT_SIGN,
  DIGITAL_SIGNATURE,
  extension,
  type LeafOptions,
  newKeys,
  type Signer,
  stolenKeyPem,
  type TestDomain,
  type TestSvid,
} from "../support/ca.ts";

/** What is shown in a handshake. */
export interface Shown {
  readonly cert: string;
  readonly key: string;
}

export interface BadSvid {
  readonly attack: string;
  /** The vulnerability of others it is known from, or the rule it breaks. */
  readonly anchor: string;
  readonly reason: RefusalReason;
  /** `name`: who the attacker would like to be. */
  readonly shown: (parties: Parties, name: string) => Shown;
}

export interface Parties {
  readonly domain: TestDomain;
  /** An organisation of its own that signs whatever it likes. */
  readonly stranger: TestDomain;
  /** The same, whose authorities bear the very names of ours. */
  readonly forger: TestDomain;
}

export const shownBy = ({ chainPem, keyPem }: TestSvid): Shown => ({ cert: chainPem, key: keyPem });

const HOUR_MS = 3_600_000;

/** A leaf of a real authority of the domain that differs from a good one in this. */
function leaf(
  attack: string,
  anchor: string,
  reason: RefusalReason,
  options: (id: string, low: string) => LeafOptions,
): BadSvid {
  return {
    attack,
    anchor,
    reason,
    shown: ({ domain }, name) =>
      shownBy(domain.issue("low", options(domain.id(name), domain.id("low")))),
  };
}

/** A leaf whose one name is this. */
function named(attack: string, anchor: string, uri: (id: string, low: string) => string): BadSvid {
  return leaf(attack, anchor, "bad_spiffe_id", (id, low) => ({ uris: [uri(id, low)] }));
}

/** A good leaf below these authorities. */
function below(
  attack: string,
  anchor: string,
  reason: RefusalReason,
  signers: (domain: TestDomain) => readonly Signer[],
): BadSvid {
  return {
    attack,
    anchor,
    reason,
    shown: ({ domain }, name) => {
      const [signer, ...above] = signers(domain);
      return withAbove(domain.issue(name, {}, signer!), above);
    },
  };
}

function withAbove(svid: TestSvid, above: readonly Signer[]): Shown {
  const more = above.map(({ der }) => encodePem(der, "CERTIFICATE")).join("");
  return { cert: svid.chainPem + more, key: svid.keyPem };
}

export const BAD_SVIDS: readonly BadSvid[] = [
  {
    attack: "a stranger's authority",
    anchor: "RFC 5280 6.1",
    reason: "unknown_authority",
    shown: ({ stranger }, name) => shownBy(stranger.issue(name)),
  },
  {
    attack: "authorities that bear the names of ours",
    anchor: "CVE-2020-0601: trust by what a certificate says of its authority",
    reason: "bad_signature",
    shown: ({ forger }, name) => shownBy(forger.issue(name)),
  },
  {
    attack: "a stranger's leaf beside our real authority's certificate",
    anchor: "CVE-2015-1793: another path than the one that was checked",
    reason: "bad_signature",
    shown: ({ domain, forger }, name) => {
      const { leafPem, keyPem } = forger.issue(name);
      return { cert: leafPem + domain.intermediatePem, key: keyPem };
    },
  },
  {
    attack: "a workload that signs for others with its own certificate",
    anchor: "CVE-2002-0862: basic constraints not looked at",
    reason: "unknown_authority",
    shown: ({ domain }, name) => {
      const low = domain.issue("low");
      const signer: Signer = { name: sequence(), keys: low.keys, der: low.der };
      return withAbove(domain.issue(name, {}, signer), []);
    },
  },
  {
    attack: "a certificate without its key",
    anchor: "RFC 8446 4.4.3",
    reason: "handshake",
    shown: ({ domain }, name) => {
      const { chainPem, keys } = domain.issue(name);
      return { cert: chainPem, key: stolenKeyPem(keys) };
    },
  },
  leaf("an expired one", "short life is the first means of revocation", "expired", () => ({
    notAfterMs: Date.now() - 1000,
  })),
  leaf("one of tomorrow, beyond the skew", "RFC 5280 4.1.2.5", "not_yet_valid", () => ({
    notBeforeMs: Date.now() + 10 * 60_000,
    notAfterMs: Date.now() + HOUR_MS,
  })),
  leaf(
    "another trust domain's name from our authority",
    "SPIFFE-ID 2.1",
    "wrong_trust_domain",
    () => ({
      uris: ["spiffe://other.test/ns/default/sa/admin"],
    }),
  ),
  leaf(
    "no extended key usage",
    "accepted by webpki, and so by the runtime",
    "extended_key_usage",
    () => ({
      extKeyUsage: null,
    }),
  ),
  leaf("an extended key usage for anything", "RFC 5280 4.2.1.12", "extended_key_usage", () => ({
    extKeyUsage: ["2.5.29.37.0"],
  })),
  leaf("one for signing code", "RFC 5280 4.2.1.12", "extended_key_usage", () => ({
    extKeyUsage: ["1.3.6.1.5.5.7.3.3"],
  })),
  leaf("an authority's certificate as a leaf", "X509-SVID 4.1", "leaf_is_ca", () => ({
    isCa: true,
    keyUsage: CERT_SIGN,
  })),
  leaf("no key usage", "X509-SVID 4.3", "key_usage", () => ({ keyUsage: null })),
  leaf("a key usage without signatures", "X509-SVID 4.3", "key_usage", () => ({
    keyUsage: [5, 0x20],
  })),
  leaf("a key usage that signs certificates too", "X509-SVID 4.3", "key_usage", () => ({
    keyUsage: [1, DIGITAL_SIGNATURE[1] | CERT_SIGN[1]],
  })),
  leaf(
    "two names",
    "X509-SVID 2: exactly one URI",
    "san_count",
    (id, low) => ({ uris: [low, id] }),
  ),
  leaf("the same name twice", "X509-SVID 2: exactly one URI", "san_count", (id) => ({
    uris: [id, id],
  })),
  leaf("no name", "X509-SVID 2: exactly one URI", "san_count", () => ({ uris: [] })),
  leaf("a host name that reads like a URI", "CVE-2021-44532", "san_count", (id) => ({
    uris: [],
    dnsNames: [`x, URI:${id}`],
  })),
  leaf("two lists of names", "RFC 5280 4.2: an extension once", "handshake", (id) => ({
    extra: [extension("2.5.29.17", sequence(element(implicit(6), bytesOf(id))))],
  })),
  leaf("a critical extension nobody knows", "RFC 5280 4.2", "handshake", () => ({
    extra: [extension("1.3.6.1.4.1.99999.1", bytesOf("x"), true)],
  })),
  leaf("20 KB of names", "size of what is parsed before anything is known", "malformed", (id) => ({
    uris: [id],
    dnsNames: Array.from({ length: 90 }, (_, n) => `${"x".repeat(230)}${n}`),
  })),
  leaf("a signature over SHA-1", "SHAttered, 2017", "bad_signature", () => ({ digest: "sha1" })),
  named(
    "a comma that makes one name read as two",
    "CVE-2021-44532",
    (id, low) => `${low}, URI:${id}`,
  ),
  named("NUL after the name it would like", "CVE-2009-2408, CVE-2025-66220", (id) => `${id}\0.low`),
  named("upper case", "ids that differ in case only", (id) => id.toUpperCase()),
  named("an upper-case path", "ids that differ in case only", (id) => id.replace("/sa/", "/SA/")),
  named("an escaped letter", "SPIFFE-ID 2.2", (id) => id.replace("/sa/", "/s%61/")),
  named("dot segments", "SPIFFE-ID 2.2", (id, low) => `${low}/../${id.split("/").at(-1)}`),
  named("an empty segment", "SPIFFE-ID 2.2", (id) => id.replace("/sa/", "//sa/")),
  named("a slash at the end", "SPIFFE-ID 2.2", (id) => `${id}/`),
  named("a query", "SPIFFE-ID 2.3", (id) => `${id}?x`),
  named("a fragment", "SPIFFE-ID 2.3", (id) => `${id}#x`),
  named("a port", "SPIFFE-ID 2.1", (id) => id.replace("mesh.test", "mesh.test:1")),
  named("a user", "SPIFFE-ID 2.1", (id) => id.replace("spiffe://", "spiffe://x@")),
  named("no path", "X509-SVID 2", (id) => id.slice(0, id.indexOf("/", 9))),
  named("another scheme", "SPIFFE-ID 2", (id) => id.replace("spiffe:", "https:")),
  named("white space around it", "SPIFFE-ID 2.2", (id) => ` ${id}`),
  named("a line break for logs and headers", "GHSA-w5w5-487h-qv8q", (id) => `${id}\r\nx: y`),
  named("letters that only look alike", "SPIFFE-ID 2.2", (id) => id.replace("a", "\xe0")),
  named("2049 bytes", "SPIFFE-ID 2.3", (id) => id.padEnd(2049, "x")),
  below(
    "below an authority that may have none below it",
    "RFC 5280 6.1.4",
    "unknown_authority",
    (domain) => {
      const first = domain.authority(domain.root, { pathLength: 0 });
      return [domain.authority(first), first];
    },
  ),
  below(
    "below an authority without the right to sign",
    "RFC 5280 4.2.1.3",
    "unknown_authority",
    (domain) => [
      domain.authority(domain.root, { keyUsage: DIGITAL_SIGNATURE }),
    ],
  ),
  below("below an authority that is none", "CVE-2002-0862", "unknown_authority", (domain) => [
    domain.authority(domain.root, { isCa: false }),
  ]),
  below("below an authority that has expired", "RFC 5280 6.1.3", "expired", (domain) => [
    domain.authority(domain.root, { notAfterMs: Date.now() - 1000 }),
  ]),
  below(
    "below an authority for another purpose",
    "RFC 5280 4.2.1.12",
    "extended_key_usage",
    (domain) => [
      domain.authority(domain.root, { extKeyUsage: ["1.3.6.1.5.5.7.3.3"] }),
    ],
  ),
  below(
    "below one with name constraints",
    "not supported, and not passed over",
    "unknown_authority",
    (
      domain,
    ) => [
      domain.authority(domain.root, {
        extra: [extension("2.5.29.30", sequence(element(0xa1, new Uint8Array(0))))],
      }),
    ],
  ),
  below("below an authority with a weak key", "NIST SP 800-57", "unsupported", (domain) => [
    domain.authority(domain.root, { keys: newKeys("P-224") }),
  ]),
  {
    attack: "nine certificates",
    anchor: "work before anything is known of the peer",
    reason: "too_many_certificates",
    shown: ({ domain }, name) => {
      const others = Array.from({ length: 7 }, () => domain.authority());
      return withAbove(domain.issue(name), others);
    },
  },
  {
    attack: "a maze of authorities that signed each other",
    anchor: "CVE-2018-16875, BetterTLS: work without end for who looks for a path",
    reason: "unknown_authority",
    shown: ({ domain }, name) => {
      const [first, ...rest] = domain.maze(7);
      return withAbove(domain.issue(name, {}, first), rest);
    },
  },
];

export interface GoodSvid extends Pick<BadSvid, "shown"> {
  readonly what: string;
  /** The runtime's own check of servers, which comes before ours, does not take it. */
  readonly clientsOnly?: boolean;
}

/** Good certificates that are out of the ordinary. */
export const GOOD_SVIDS: readonly GoodSvid[] = [
  { what: "an ordinary one", shown: ({ domain }, name) => shownBy(domain.issue(name)) },
  ...(["P-384", "RSA-2048", "Ed25519"] as const).map((kind) => ({
    what: `a key of ${kind}`,
    shown: ({ domain }: Parties, name: string) =>
      shownBy(domain.issue(name, { keys: newKeys(kind) })),
  })),
  ...(["P-384", "RSA-2048"] as const).map((kind) => ({
    what: `an authority with a key of ${kind}`,
    shown: ({ domain }: Parties, name: string) =>
      shownBy(domain.issue(name, {}, domain.authority(domain.root, { keys: newKeys(kind) }))),
  })),
  {
    what: "one that begins in a minute, within the skew",
    clientsOnly: true,
    shown: ({ domain }, name) => shownBy(domain.issue(name, { notBeforeMs: Date.now() + 60_000 })),
  },
  {
    what: "host names beside the id",
    shown: ({ domain }, name) => shownBy(domain.issue(name, { dnsNames: [`${name}.default`] })),
  },
  {
    what: "one of the root itself, without an intermediate",
    shown: ({ domain }, name) => {
      const { leafPem, keyPem } = domain.issue(name, {}, domain.root);
      return { cert: leafPem, key: keyPem };
    },
  },
];
