/** The trust domain's certificate authority: a root kept apart and an online intermediate that issues. */
import { crypto } from "@std/crypto";
import { type Clock, systemClock } from "../../core/clock.ts";
import {
  encodePem,
  formatWorkloadId,
  isTrustDomain,
  parseCertificate,
  parseSpiffeId,
} from "../../proxy/tls/mod.ts";
import { createIntermediate, createRoot, newKeys, type SigningPair } from "./certificates.ts";
import { readCsr } from "./csr.ts";
import { AuthorityError, ensureFolder, readCertificate, readKey, writePair } from "./files.ts";
import { IssuanceLog } from "./issuance_log.ts";
import { BACKDATE_MS, type IssuedSvid, issueSvid, LocalSigner, pemOf } from "./svid.ts";
import type { X509Certificate } from "./x509.ts";

const DAY_MS = 24 * 60 * 60_000;
export const ROOT_LIFE_MS = 3650 * DAY_MS;
export const INTERMEDIATE_LIFE_MS = 90 * DAY_MS;
/** A new intermediate is made when the old one has less left than this, which no leaf outlives. */
export const INTERMEDIATE_RENEWAL_MS = 31 * DAY_MS;
export const DEFAULT_LEAF_TTL_MS = DAY_MS;
export const MAX_LEAF_TTL_MS = 30 * DAY_MS;
export const MIN_LEAF_TTL_MS = 1000;

export interface AuthorityOptions {
  readonly trustDomain: string;
  readonly leafTtlMs?: number;
  readonly clock?: Clock;
  /** Where the root's key is, when not in the authority's folder: it is needed every two months. */
  readonly rootKeyFile?: string;
}

/** An SVID together with its private key (PKCS#8 PEM). */
export interface KeyedSvid extends IssuedSvid {
  readonly keyPem: string;
}

/** Where everything is. */
interface Places {
  readonly root: string;
  readonly rootKey: string;
  readonly intermediate: string;
  readonly intermediateKey: string;
}

export class Authority {
  readonly trustDomain: string;
  readonly leafTtlMs: number;
  readonly #clock: Clock;
  readonly #places: Places;
  readonly #root: X509Certificate;
  readonly #log: IssuanceLog;
  #signer: LocalSigner;
  #renewal: Promise<void> | null = null;

  private constructor(
    options: AuthorityOptions,
    parts: { places: Places; root: X509Certificate; signer: LocalSigner; log: IssuanceLog },
  ) {
    this.trustDomain = options.trustDomain;
    this.leafTtlMs = options.leafTtlMs ?? DEFAULT_LEAF_TTL_MS;
    this.#clock = options.clock ?? systemClock;
    this.#places = parts.places;
    this.#root = parts.root;
    this.#signer = parts.signer;
    this.#log = parts.log;
  }

  /**
   * Opens the authority kept in `dir` (say `DATA/ca`), founding it when there is none. To live under
   * a root of your own put `root.pem`, `intermediate.pem` and `intermediate.key` (P-256, mode 0600)
   * there before the first start, the root with the URI name `spiffe://<trust domain>`; without `root.key` you renew the intermediate yourself. Rejects with
   * AuthorityError, whose message says what to do, when the files are damaged or open to others.
   */
  static async open(dir: string, options: AuthorityOptions): Promise<Authority> {
    checkOptions(options);
    await ensureFolder(dir);
    const places: Places = {
      root: `${dir}/root.pem`,
      rootKey: options.rootKeyFile ?? `${dir}/root.key`,
      intermediate: `${dir}/intermediate.pem`,
      intermediateKey: `${dir}/intermediate.key`,
    };
    const nowMs = (options.clock ?? systemClock).nowMs();
    const root = await readCertificate(places.root) ?? await foundRoot(places, options, nowMs);
    checkRoot(root, places, options.trustDomain, nowMs);
    let pair = await readIntermediate(places, root);
    if (pair === null || isDue(pair.certificate, nowMs)) {
      pair = await renewIntermediate(places, root, options.trustDomain, nowMs)
        .catch((error: unknown) => {
          if (pair === null || pair.certificate.notAfter.getTime() <= nowMs) throw error;
          return pair; // still good for a while: serving is better than refusing to start
        });
    }
    const log = new IssuanceLog(`${dir}/issued.jsonl`);
    return new Authority(options, { places, root, signer: new LocalSigner(pair), log });
  }

  /** PEM certificates that may vouch for peers: the roots. Intermediates travel with each leaf. */
  bundle(): string[] {
    return [pemOf(this.#root)];
  }

  /** PEM certificates that issue now, the one that signs leafs first, without the root. */
  issuers(): string[] {
    return [this.#signer.chainPem];
  }

  /** What signs leafs, in a word. */
  get signer(): string {
    return "local";
  }

  /** Issues a leaf for `identity` (a whole SPIFFE id) to the key in `csrPem`; rejects with CsrError. */
  async issue(identity: string, csrPem: string): Promise<IssuedSvid> {
    return await this.#issueTo(identity, await readCsr(csrPem));
  }

  /** A fresh key and leaf for the control plane itself: `…/ns/denim-system/sa/control-plane`. */
  async controlPlaneSvid(): Promise<KeyedSvid> {
    const keys = await newKeys();
    const identity = controlPlaneId(this.trustDomain);
    const svid = await this.#issueTo(identity, keys.publicKey);
    const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    return { ...svid, keyPem: encodePem(pkcs8, "PRIVATE KEY") };
  }

  async #issueTo(identity: string, publicKey: CryptoKey): Promise<IssuedSvid> {
    if (parseSpiffeId(identity)?.trustDomain !== this.trustDomain) {
      throw new AuthorityError(
        `Cannot issue for "${identity}": a SPIFFE id of trust domain "${this.trustDomain}" is wanted`,
      );
    }
    await this.#renewWhenDue();
    const nowMs = this.#clock.nowMs();
    const svid = await issueSvid(this.#signer, identity, publicKey, {
      nowMs,
      ttlMs: this.leafTtlMs,
    });
    this.#log.append({
      time: new Date(nowMs).toISOString(),
      serial: svid.serial,
      identity,
      notBefore: new Date(svid.notBeforeMs).toISOString(),
      notAfter: new Date(svid.notAfterMs).toISOString(),
      key: await hashOfKey(publicKey),
    });
    return svid;
  }

  async #renewWhenDue(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (this.#signer.notAfterMs - nowMs > INTERMEDIATE_RENEWAL_MS) return;
    this.#renewal ??= renewIntermediate(this.#places, this.#root, this.trustDomain, nowMs)
      .then((pair) => void (this.#signer = new LocalSigner(pair)))
      .finally(() => this.#renewal = null);
    const renewal = this.#renewal;
    if (this.#signer.notAfterMs > nowMs) await renewal.catch(() => {}); // tried again next time
    else await renewal;
  }
}

/** The identity every proxy wants of the control plane it talks to. */
export function controlPlaneId(trustDomain: string): string {
  return formatWorkloadId({ trustDomain, namespace: "denim-system", service: "control-plane" });
}

function checkOptions({ trustDomain, leafTtlMs = DEFAULT_LEAF_TTL_MS }: AuthorityOptions): void {
  if (!isTrustDomain(trustDomain)) {
    throw new AuthorityError(
      `Cannot use trust domain "${trustDomain}": a name made of a-z, 0-9, '.', '_' and '-' is wanted`,
    );
  }
  if (!(leafTtlMs >= MIN_LEAF_TTL_MS && leafTtlMs <= MAX_LEAF_TTL_MS)) {
    throw new AuthorityError(
      `Cannot use a leaf lifetime of ${leafTtlMs} ms: ${MIN_LEAF_TTL_MS} to ${MAX_LEAF_TTL_MS} are allowed`,
    );
  }
}

async function foundRoot(
  places: Places,
  { trustDomain }: AuthorityOptions,
  nowMs: number,
): Promise<X509Certificate> {
  // Something lost the certificate: a new root would lock every proxy out without a word.
  if (await readCertificate(places.intermediate) !== null) {
    throw new AuthorityError(
      `Cannot open the authority: "${places.root}" is missing but an intermediate is there. ` +
        "Restore it from a backup, or remove the folder to found the trust domain anew",
    );
  }
  const validity = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + ROOT_LIFE_MS };
  const root = await createRoot(trustDomain, validity);
  await writePair(places.root, places.rootKey, root);
  return root.certificate;
}

function checkRoot(
  root: X509Certificate,
  places: Places,
  trustDomain: string,
  nowMs: number,
): void {
  const read = parseCertificate(new Uint8Array(root.rawData));
  const names = typeof read === "string" ? [] : read.uris;
  // Proxies learn from it for which trust domain the bundle is that they are handed.
  if (!names.includes(`spiffe://${trustDomain}`)) {
    throw new AuthorityError(
      `Cannot open the authority for trust domain "${trustDomain}": "${places.root}" is the root of ` +
        `"${names.join(", ")}". Start with that trust domain, or choose another data folder`,
    );
  }
  if (root.notAfter.getTime() > nowMs) return;
  throw new AuthorityError(
    `Cannot use "${places.root}": it expired on ${root.notAfter.toISOString()}. ` +
      "Remove the folder to found the trust domain anew: then every proxy has to join again",
  );
}

async function readIntermediate(
  places: Places,
  root: X509Certificate,
): Promise<SigningPair | null> {
  const certificate = await readCertificate(places.intermediate);
  const key = await readKey(places.intermediateKey);
  if (certificate === null || key === null) return null;
  const signed = await certificate.verify({ publicKey: root, signatureOnly: true });
  if (!signed) {
    throw new AuthorityError(
      `Cannot use "${places.intermediate}": it was not signed by "${places.root}". ` +
        "Restore both from the same backup, or remove the intermediate to have a new one made",
    );
  }
  return { certificate, key };
}

async function renewIntermediate(
  places: Places,
  root: X509Certificate,
  trustDomain: string,
  nowMs: number,
): Promise<SigningPair> {
  const key = await readKey(places.rootKey);
  if (key === null) {
    throw new AuthorityError(
      `Cannot make a new intermediate: the root's key "${places.rootKey}" is missing. ` +
        "Put it back for the time of this start",
    );
  }
  const notAfterMs = Math.min(nowMs + INTERMEDIATE_LIFE_MS, root.notAfter.getTime());
  const pair = await createIntermediate(trustDomain, { certificate: root, key }, {
    notBeforeMs: nowMs - BACKDATE_MS,
    notAfterMs,
  });
  await writePair(places.intermediate, places.intermediateKey, pair);
  return pair;
}

function isDue(certificate: X509Certificate, nowMs: number): boolean {
  return certificate.notAfter.getTime() - nowMs <= INTERMEDIATE_RENEWAL_MS;
}

async function hashOfKey(publicKey: CryptoKey): Promise<string> {
  const spki = await crypto.subtle.exportKey("spki", publicKey);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", spki)).toHex();
}
