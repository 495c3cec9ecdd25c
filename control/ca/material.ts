/** An authority's roots and issuing chain, from files of its own or of somebody else's, and what may be wrong with them. */
import { isSignedBy, issuerFault, readKey as publicKeyOf } from "../../proxy/tls/bundle.ts";
import { type Certificate, sameBytes } from "../../proxy/tls/certificate.ts";
import { parseCertificate, readTrustBundle, type TrustBundle } from "../../proxy/tls/mod.ts";
import type { SigningPair } from "./certificates.ts";
import { createKeyAndCsr } from "../../proxy/tls/csr.ts";
import { readCsr } from "./csr.ts";
import { AuthorityError, readCertificates, readKey } from "./files.ts";
import { issueSvid, LocalSigner } from "./signer.ts";
import { pemOf } from "./svid.ts";
import type { X509Certificate } from "./x509.ts";

/** Roots of one authority: the old one, the new one, and some that are on their way out. */
export const MAX_ROOTS = 8;
/** Authorities between leaf and root; peers look at no longer paths (MAX_PATH_LENGTH). */
export const MAX_INTERMEDIATES = 3;

/** What leafs are signed with: its own certificate first, then those above it, without the root. */
export interface Issuer {
  readonly pair: SigningPair;
  readonly above: readonly X509Certificate[];
}

/** The roots of a file, null when there is no such file; at least one of them is in date. */
export async function readRoots(
  file: string,
  trustDomain: string,
  nowMs: number,
): Promise<X509Certificate[] | null> {
  const roots = await readCertificates(file);
  if (roots === null) return null;
  if (roots.length > MAX_ROOTS) {
    throw new AuthorityError(
      `Cannot use "${file}": it holds ${roots.length} certificates, at most ${MAX_ROOTS} roots are allowed`,
    );
  }
  for (const [i, root] of roots.entries()) {
    const which = `certificate ${i + 1} of "${file}" (${root.subject || "without a subject"})`;
    checkRoot(read(root, which), which, trustDomain);
  }
  const inDate = roots.filter((root) => root.notAfter.getTime() > nowMs);
  if (inDate.length === 0) {
    throw new AuthorityError(
      `Cannot use "${file}": it expired on ${roots[0]!.notAfter.toISOString()}. ` +
        "Remove the folder to found the trust domain anew: then every proxy has to join again",
    );
  }
  return roots;
}

function checkRoot(root: Certificate, which: string, trustDomain: string): void {
  checkDomain(root, which, trustDomain, "the root");
  const fault = issuerFault(root);
  if (fault !== null) throw new AuthorityError(`Cannot use ${which}: ${fault}`);
  if (!sameBytes(root.issuer, root.subject)) {
    throw new AuthorityError(
      `Cannot use ${which}: it is not self-signed, so it is no root. ` +
        "Intermediates belong into the file of the issuing chain",
    );
  }
  const key = publicKeyOf(root.spki);
  if (key === null) {
    throw new AuthorityError(
      `Cannot use ${which}: an elliptic curve key, or an RSA key of 2048 bits or more, is wanted`,
    );
  }
  if (!isSignedBy(root, key)) {
    throw new AuthorityError(
      `Cannot use ${which}: its signature is not its own key's, or of an algorithm other than ` +
        "ECDSA with SHA-256, 384 or 512 and RSA with SHA-256 or 384",
    );
  }
}

/** A certificate that names another trust domain than ours was made for that one. */
function checkDomain(
  certificate: Certificate,
  which: string,
  trustDomain: string,
  what: "the root" | "an authority",
): void {
  const names = certificate.uris.filter((uri) => uri.startsWith("spiffe://"));
  if (names.every((name) => name === `spiffe://${trustDomain}`)) return;
  throw new AuthorityError(
    `Cannot open the authority for trust domain "${trustDomain}": ${which} is ${what} of ` +
      `"${names.join(", ")}". Start with that trust domain, or choose another data folder`,
  );
}

/** The issuing chain and its key, null when one of the files is missing. */
export async function readIssuer(
  files: { readonly chain: string; readonly key: string; readonly root: string },
  roots: readonly X509Certificate[],
  trustDomain: string,
): Promise<Issuer | null> {
  const chain = await readCertificates(files.chain);
  const key = await readKey(files.key);
  if (chain === null || key === null) return null;
  if (chain.length > MAX_INTERMEDIATES) {
    throw new AuthorityError(
      `Cannot use "${files.chain}": it holds ${chain.length} certificates, at most ` +
        `${MAX_INTERMEDIATES} are allowed between leafs and a root`,
    );
  }
  chain.forEach((_, i) => checkIntermediate(chain, i, roots, files, trustDomain));
  const [certificate, ...above] = chain as [X509Certificate, ...X509Certificate[]];
  const { spki } = read(certificate, "the issuing certificate");
  if (!sameBytes(await publicHalf(key), spki)) {
    throw new AuthorityError(
      `Cannot use "${files.key}": it is not the key of the first certificate of "${files.chain}" ` +
        `(${certificate.subject}). The certificate that signs leafs has to come first`,
    );
  }
  return { pair: { certificate, key }, above };
}

function checkIntermediate(
  chain: readonly X509Certificate[],
  at: number,
  roots: readonly X509Certificate[],
  files: { readonly chain: string; readonly root: string },
  trustDomain: string,
): void {
  const one = chain[at]!;
  const which = `certificate ${at + 1} of "${files.chain}" (${one.subject || "without a subject"})`;
  const certificate = read(one, which);
  checkDomain(certificate, which, trustDomain, "an authority");
  const fault = issuerFault(certificate);
  if (fault !== null) throw new AuthorityError(`Cannot use ${which}: ${fault}`);
  if (at === 0 && one.publicKey.algorithm.name !== "ECDSA") {
    throw new AuthorityError(
      `Cannot use ${which}: its key is ${one.publicKey.algorithm.name}; leafs are signed by keys on ` +
        "the curve P-256 only. Have an intermediate made for such a key",
    );
  }
  if (certificate.pathLength !== null && certificate.pathLength < at) {
    throw new AuthorityError(
      `Cannot use ${which}: its path length of ${certificate.pathLength} allows fewer authorities ` +
        `below it than the ${at} that stand before it in the file`,
    );
  }
  const parents = at + 1 < chain.length ? [chain[at + 1]!] : roots;
  const signed = parents.some((parent) => {
    const above = read(parent, "an authority");
    const key = publicKeyOf(above.spki);
    return key !== null && sameBytes(above.subject, certificate.issuer) &&
      isSignedBy(certificate, key);
  });
  if (signed) return;
  throw new AuthorityError(
    at + 1 < chain.length
      ? `Cannot use ${which}: it was not signed by the certificate after it (${
        parents[0]!.subject
      }). ` +
        "Put the certificate that signs leafs first, then each one's issuer, without the root"
      : `Cannot use "${files.chain}": ${which} was not signed by "${files.root}". ` +
        "Restore both from the same backup, or remove the intermediate to have a new one made",
  );
}

/**
 * Signs a leaf that is thrown away, and judges it as peers will: the last net for what no check above
 * has thought of. Throws AuthorityError with what peers would say.
 */
export async function tryOut(issuer: Issuer, trust: TrustBundle, nowMs: number): Promise<void> {
  const { csrPem } = createKeyAndCsr();
  const publicKey = await readCsr(csrPem);
  const identity = `spiffe://${trust.domain}/ns/denim-system/sa/trial`;
  const signer = new LocalSigner(issuer.pair, issuer.above);
  const judged = { ...signer, external: true, sign: signer.sign.bind(signer) };
  await issueSvid(judged, trust, { identity, csrPem, publicKey }, { nowMs, ttlMs: 60_000 });
}

/** The bundle of an authority: its roots, and where none of them bears the domain's name, the intermediate that does. */
export function bundleOf(
  roots: readonly X509Certificate[],
  issuer: Issuer | null,
  trustDomain: string,
): TrustBundle {
  const names = (one: X509Certificate): boolean =>
    read(one, "a certificate").uris.includes(`spiffe://${trustDomain}`);
  const bundle = [...roots];
  if (!roots.some(names)) {
    const naming = issuer === null
      ? undefined
      : [issuer.pair.certificate, ...issuer.above].findLast(names);
    if (naming === undefined) {
      throw new AuthorityError(
        `Cannot open the authority for trust domain "${trustDomain}": neither a root nor an ` +
          `intermediate bears the URI name "spiffe://${trustDomain}", by which proxies know whose ` +
          "bundle they are handed. Have one of them issued with it as subjectAltName",
      );
    }
    bundle.push(naming);
  }
  return readTrustBundle(trustDomain, bundle.map(pemOf));
}

function read(certificate: X509Certificate, which: string): Certificate {
  const parsed = parseCertificate(new Uint8Array(certificate.rawData));
  if (typeof parsed !== "string") return parsed;
  throw new AuthorityError(`Cannot read ${which}: ${parsed}`);
}

/** SubjectPublicKeyInfo of a private key, DER. */
export async function publicHalf(key: CryptoKey): Promise<Uint8Array> {
  const { crv, x, y, kty } = await crypto.subtle.exportKey("jwk", key);
  const jwk = { crv, x, y, kty } as JsonWebKey;
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const half = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
  return new Uint8Array(await crypto.subtle.exportKey("spki", half));
}
