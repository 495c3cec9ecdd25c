/** What signs leafs: a key in this process, or an authority elsewhere; and what its answers are held to. */
import { encodePem, parseCertificate, type TrustBundle, verifyPeer } from "../../proxy/tls/mod.ts";
import { createLeaf, type SigningPair, type Validity } from "./certificates.ts";
import { AuthorityError } from "./files.ts";
import { BACKDATE_MS, type IssuedSvid } from "./svid.ts";
import type { X509Certificate } from "./x509.ts";

/** A leaf that is wanted. */
export interface LeafRequest {
  readonly identity: string;
  /** PKCS#10, whose proof of possession has been checked. Nothing in it but the key counts. */
  readonly csrPem: string;
  readonly publicKey: CryptoKey;
  readonly validity: Validity;
}

export interface Signer {
  /** In a word or two, for people: `local`, `vault https://…`. */
  readonly name: string;
  /** Its answers come from elsewhere and are judged as any peer's certificate is. */
  readonly external: boolean;
  /** PEM of the authorities between leaf and root, nearest first; empty while they are not known. */
  readonly chainPem: string;
  /** No leaf may outlive this (Unix milliseconds). */
  readonly notAfterMs: number;
  /** The leaf and the authorities between it and a root, DER, leaf first. Rejects with what to do. */
  sign(request: LeafRequest): Promise<readonly Uint8Array[]>;
}

/** Signs with a key that this process holds. */
export class LocalSigner implements Signer {
  readonly name = "local";
  readonly external = false;
  readonly chainPem: string;
  readonly notAfterMs: number;
  readonly #pair: SigningPair;
  readonly #above: readonly Uint8Array[];

  /** `above`: the authorities between the pair's certificate and the root, nearest first. */
  constructor(pair: SigningPair, above: readonly X509Certificate[] = []) {
    const chain = [pair.certificate, ...above];
    this.#pair = pair;
    this.#above = chain.map((one) => new Uint8Array(one.rawData));
    this.chainPem = this.#above.map((der) => encodePem(der, "CERTIFICATE")).join("");
    this.notAfterMs = Math.min(...chain.map((one) => one.notAfter.getTime()));
  }

  async sign(request: LeafRequest): Promise<readonly Uint8Array[]> {
    const { identity, publicKey, validity } = request;
    const leaf = await createLeaf(identity, publicKey, this.#pair, validity);
    return [new Uint8Array(leaf.rawData), ...this.#above];
  }
}

/** A leaf for `identity` and its chain; ends with its signer if that comes first. */
export async function issueSvid(
  signer: Signer,
  trust: TrustBundle,
  request: Omit<LeafRequest, "validity">,
  { nowMs, ttlMs }: { readonly nowMs: number; readonly ttlMs: number },
): Promise<IssuedSvid> {
  const validity = {
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs: Math.min(nowMs + ttlMs, signer.notAfterMs),
  };
  const chain = await signer.sign({ ...request, validity });
  const fault = await faultOf(
    chain,
    { ...request, validity },
    signer.external ? trust : null,
    nowMs,
  );
  const leaf = fault === null ? parseCertificate(chain[0]!) : fault;
  if (typeof leaf === "string") {
    throw new AuthorityError(
      `The signer (${signer.name}) made a certificate that is not one for "${request.identity}": ` +
        `${leaf}. It is not handed out`,
    );
  }
  return {
    chainPem: chain.map((der) => encodePem(der, "CERTIFICATE")).join(""),
    serial: leaf.serial,
    issuerSerial: serialOf(chain[1]),
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs: leaf.notAfterMs,
  };
}

function serialOf(der: Uint8Array | undefined): string {
  const certificate = der === undefined ? "" : parseCertificate(der);
  return typeof certificate === "string" ? "" : certificate.serial;
}

/** An external signer may give less time than was asked for, and backdate more, within reason. */
const CLOCK_SLACK_MS = 60 * 60_000;

/** What is wrong with an answer; null for nothing. Read with the reader every peer uses. */
async function faultOf(
  chain: readonly Uint8Array[],
  { identity, publicKey, validity }: LeafRequest,
  trust: TrustBundle | null,
  nowMs: number,
): Promise<string | null> {
  const der = chain[0];
  const leaf = der === undefined ? "there is none" : parseCertificate(der);
  if (typeof leaf === "string") return leaf;
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  if (leaf.spki.toHex() !== spki.toHex()) return "it is for another key";
  if (leaf.uris.length !== 1 || leaf.uris[0] !== identity) {
    const names = `it names "${leaf.uris.join(", ")}"`;
    // What Vault does by default: names are taken from the request, which has none.
    return leaf.uris.length > 0 ? names : `${names} (Vault: set use_csr_sans=false in the role)`;
  }
  if (trust === null) return null;
  // A name we did not ask for may mean something to somebody else who believes the same root.
  if (leaf.dnsNames.length > 0) return `it also names "${leaf.dnsNames.join(", ")}"`;
  if (leaf.notAfterMs > validity.notAfterMs + 1000) {
    return `it lives until ${iso(leaf.notAfterMs)}, at most ${
      iso(validity.notAfterMs)
    } was asked for`;
  }
  if (leaf.notBeforeMs < validity.notBeforeMs - CLOCK_SLACK_MS) {
    return `it begins on ${iso(leaf.notBeforeMs)}, long before it was asked for`;
  }
  for (const role of ["client", "server"] as const) {
    const verdict = verifyPeer(chain, trust, { nowMs, role, expectedIdentity: identity });
    if (!verdict.ok) return verdict.detail;
  }
  return null;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
