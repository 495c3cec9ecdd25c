/** Issues X.509-SVIDs through a signer: the seam for a key that lives in another process or module. */
import { encodePem, parseCertificate } from "../../proxy/tls/mod.ts";
import { createLeaf, type SigningPair, type Validity } from "./certificates.ts";
import type { X509Certificate } from "./x509.ts";

/** Backdating, so that a proxy whose clock is a little behind can use its certificate at once. */
export const BACKDATE_MS = 60_000;

/** Signs leafs of our fixed profile. The only one today keeps its key in this process. */
export interface LeafSigner {
  /** PEM of the certificates between leaf and root, nearest first. */
  readonly chainPem: string;
  /** No leaf may outlive this. */
  readonly notAfterMs: number;
  /** The leaf, DER. */
  signLeaf(identity: string, publicKey: CryptoKey, validity: Validity): Promise<Uint8Array>;
}

/** What an SVID request gets back. */
export interface IssuedSvid {
  /** PEM, leaf first, then the intermediate. */
  readonly chainPem: string;
  /** Upper-case hexadecimal, without leading zeros. */
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export class LocalSigner implements LeafSigner {
  readonly chainPem: string;
  readonly notAfterMs: number;
  readonly #pair: SigningPair;

  constructor(pair: SigningPair) {
    this.#pair = pair;
    this.chainPem = pemOf(pair.certificate);
    this.notAfterMs = pair.certificate.notAfter.getTime();
  }

  async signLeaf(identity: string, publicKey: CryptoKey, validity: Validity): Promise<Uint8Array> {
    const leaf = await createLeaf(identity, publicKey, this.#pair, validity);
    return new Uint8Array(leaf.rawData);
  }
}

/** A leaf for `identity` and its chain; ends with its signer if that comes first. */
export async function issueSvid(
  signer: LeafSigner,
  identity: string,
  publicKey: CryptoKey,
  options: { readonly nowMs: number; readonly ttlMs: number },
): Promise<IssuedSvid> {
  const der = await signer.signLeaf(identity, publicKey, {
    notBeforeMs: options.nowMs - BACKDATE_MS,
    notAfterMs: Math.min(options.nowMs + options.ttlMs, signer.notAfterMs),
  });
  // Read back with the reader every peer uses: what it would not take must not leave this process.
  const leaf = parseCertificate(der);
  if (typeof leaf === "string" || leaf.uris.length !== 1 || leaf.uris[0] !== identity) {
    throw new Error(`The signer made a certificate that is not one for "${identity}"`);
  }
  return {
    chainPem: encodePem(der, "CERTIFICATE") + signer.chainPem,
    serial: leaf.serial,
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
  };
}

export function pemOf(certificate: X509Certificate): string {
  return encodePem(new Uint8Array(certificate.rawData), "CERTIFICATE");
}
