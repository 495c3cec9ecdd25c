/** The trust domain's certificate authority: a root kept apart and an online intermediate that issues. */
import { crypto } from "@std/crypto";
import { type Clock, systemClock } from "../../core/clock.ts";
import {
  createKeyAndCsr,
  decodePem,
  formatWorkloadId,
  isTrustDomain,
  nameOfKey,
  parseCertificate,
  parseSpiffeId,
  type TrustBundle,
} from "../../proxy/tls/mod.ts";
import { createIntermediate, createRoot, type SigningPair } from "./certificates.ts";
import { readCsr } from "./csr.ts";
import { ensureFolder } from "../files.ts";
import { AuthorityError, readCertificates, readKey, writePair } from "./files.ts";
import { type Issuance, IssuanceLog } from "./issuance_log.ts";
import { findIssuance, isIssued } from "./issued.ts";
import { bundleOf, type Issuer, publicHalf, readIssuer, readRoots, tryOut } from "./material.ts";
import { keepOwn, readOwn } from "./own_svid.ts";
import { issueSvid, LocalSigner, type Signer } from "./signer.ts";
import type { IssuedSvid } from "./svid.ts";
import type { X509Certificate } from "./x509.ts";
import { sha256Hex } from "../digest.ts";

const DAY_MS = 24 * 60 * 60_000;
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
  /** What signs leafs instead of a key in the authority's folder, which then has to hold `root.pem`. */
  readonly signer?: Signer;
}

/** An SVID together with its private key (PKCS#8 PEM). */
export interface KeyedSvid extends IssuedSvid {
  readonly keyPem: string;
}

/** Where everything is. */
interface Places {
  readonly root: string;
  readonly rootKey: string;
  readonly chain: string;
  readonly key: string;
  readonly own: string;
  readonly log: string;
}

export class Authority {
  readonly trustDomain: string;
  readonly leafTtlMs: number;
  readonly #clock: Clock;
  readonly #places: Places;
  #roots: readonly X509Certificate[];
  readonly #listeners = new Set<() => void>();
  readonly #log: IssuanceLog;
  #trust: TrustBundle;
  #signer: Signer;
  #renewal: Promise<void> | null = null;

  private constructor(
    options: AuthorityOptions,
    parts: {
      places: Places;
      roots: readonly X509Certificate[];
      trust: TrustBundle;
      signer: Signer;
      log: IssuanceLog;
    },
  ) {
    this.trustDomain = options.trustDomain;
    this.leafTtlMs = options.leafTtlMs ?? DEFAULT_LEAF_TTL_MS;
    this.#clock = options.clock ?? systemClock;
    this.#places = parts.places;
    this.#roots = parts.roots;
    this.#trust = parts.trust;
    this.#signer = parts.signer;
    this.#log = parts.log;
  }

  /**
   * Opens the authority kept in `dir` (say `DATA/ca`), founding it when there is none. To live under
   * roots of your own lay in, before the first start, `root.pem` (one or several), `intermediate.pem`
   * (the certificate that signs leafs, then each one's issuer, without the root) and
   * `intermediate.key` (P-256, mode 0600); one of the certificates bears the URI name
   * `spiffe://<trust domain>`. Without `root.key` you renew the intermediate yourself. Rejects with
   * AuthorityError, whose message says what to do, when the files are of no use.
   */
  static async open(dir: string, options: AuthorityOptions): Promise<Authority> {
    checkOptions(options);
    await ensureFolder(dir);
    const places: Places = {
      root: `${dir}/root.pem`,
      rootKey: options.rootKeyFile ?? `${dir}/root.key`,
      chain: `${dir}/intermediate.pem`,
      key: `${dir}/intermediate.key`,
      own: `${dir}/own.json`,
      log: `${dir}/issued.jsonl`,
    };
    const { trustDomain } = options;
    const nowMs = (options.clock ?? systemClock).nowMs();
    const laidIn = await readRoots(places.root, trustDomain, nowMs);
    const log = await IssuanceLog.open(places.log);
    if (options.signer !== undefined) {
      const { signer } = options;
      if (laidIn === null) throw noRoots(places.root, signer);
      const trust = bundleOf(laidIn, null, trustDomain);
      return new Authority(options, { places, roots: laidIn, trust, signer, log });
    }
    const roots = laidIn ??
      await foundRoot(places, options, nowMs);
    let issuer = await readIssuer(places, roots, trustDomain);
    if (issuer === null || isDue(issuer, nowMs)) {
      issuer = await renewIntermediate(places, roots, trustDomain, nowMs)
        .catch((error: unknown) => {
          if (issuer === null) throw error;
          if (endOf(issuer) > nowMs) return issuer; // still good: serving is better than refusing to start
          const reason = error instanceof Error ? error.message : String(error);
          const ended = new Date(endOf(issuer)).toISOString();
          throw new AuthorityError(`"${places.chain}" expired on ${ended}. ${reason}`);
        });
    }
    const trust = bundleOf(roots, issuer, trustDomain);
    await tryOut(issuer, trust, nowMs);
    const signer = new LocalSigner(issuer.pair, issuer.above);
    return new Authority(options, { places, roots, trust, signer, log });
  }

  /** PEM certificates that may vouch for peers: the roots. Intermediates travel with each leaf. */
  bundle(): string[] {
    return [...this.#trust.pem];
  }

  /** PEM certificates that issue now, the one that signs leafs first, without the root. */
  issuers(): string[] {
    return this.#signer.chainPem === "" ? [] : [this.#signer.chainPem];
  }

  /** What was issued, from the log. */
  get log(): Pick<IssuanceLog, "search"> {
    return this.#log;
  }

  /** What the log says of a serial; null when no line about it is kept any more. */
  issued(serial: string): Promise<Issuance | null> {
    return findIssuance(this.#places.log, serial);
  }

  /** Whether this very certificate (DER) is one of ours, as the log has it. */
  hasIssued(leaf: Uint8Array): Promise<boolean> {
    return isIssued(this.#places.log, leaf);
  }

  /** What signs leafs, in a word. */
  get signer(): string {
    return this.#signer.name;
  }

  /** `sha256:<hex>` of the key that signs leafs; "" while it is not known. */
  get issuerKey(): string {
    const [der] = decodePem(this.#signer.chainPem, "CERTIFICATE") ?? [];
    const certificate = der === undefined ? "" : parseCertificate(der);
    return typeof certificate === "string" ? "" : nameOfKey(certificate.spki);
  }

  /** Why no intermediate could be made now, null when one could: what its renewal will come to. */
  async renewalProblem(): Promise<string | null> {
    if (this.#signer.external) return null; // its chain is renewed where its key is
    try {
      await keyedRoot(this.#places, this.#roots);
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** Calls `listener` whenever the roots or what signs leafs have been replaced. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Takes up what is in the folder now, which a rotation has changed. Rejects with AuthorityError when
   * it is of no use; then what was in force stays.
   */
  async reload(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const roots = await readRoots(this.#places.root, this.trustDomain, nowMs);
    const issuer = roots && await readIssuer(this.#places, roots, this.trustDomain);
    if (roots === null || issuer === null) {
      throw new AuthorityError(
        `Cannot read "${this.#places.root}" and "${this.#places.chain}" again: one of them or a key is ` +
          "missing. Restore the folder from a backup",
      );
    }
    await this.#take(roots, issuer, nowMs);
  }

  /** Issues a leaf for `identity` (a whole SPIFFE id) to the key in `csrPem`; rejects with CsrError. */
  async issue(identity: string, csrPem: string): Promise<IssuedSvid> {
    if (parseSpiffeId(identity)?.trustDomain !== this.trustDomain) {
      throw new AuthorityError(
        `Cannot issue for "${identity}": a SPIFFE id of trust domain "${this.trustDomain}" is wanted`,
      );
    }
    const publicKey = await readCsr(csrPem);
    await this.#renewWhenDue();
    const nowMs = this.#clock.nowMs();
    const svid = await issueSvid(this.#signer, this.#trust, { identity, csrPem, publicKey }, {
      nowMs,
      ttlMs: this.leafTtlMs,
    });
    await this.#log.append({
      time: new Date(nowMs).toISOString(),
      serial: svid.serial,
      identity,
      notBefore: new Date(svid.notBeforeMs).toISOString(),
      notAfter: new Date(svid.notAfterMs).toISOString(),
      issuer: svid.issuerSerial,
      key: await hashOfKey(publicKey),
    });
    return svid;
  }

  /** A fresh key and leaf for the control plane itself: `…/ns/denim-system/sa/control-plane`. */
  async controlPlaneSvid(): Promise<KeyedSvid> {
    const { keyPem, csrPem } = createKeyAndCsr();
    const { external } = this.#signer;
    const { own } = this.#places;
    try {
      const svid = { ...await this.issue(controlPlaneId(this.trustDomain), csrPem), keyPem };
      if (external) await keepOwn(own, svid);
      return svid;
    } catch (error) {
      // Proxies need us for more than certificates: what was good at the last start is good enough.
      const kept = external ? await readOwn(own, this.#trust, this.#clock.nowMs()) : null;
      if (kept === null) throw error;
      return kept;
    }
  }

  async #renewWhenDue(): Promise<void> {
    if (this.#signer.external) return;
    const nowMs = this.#clock.nowMs();
    if (this.#signer.notAfterMs - nowMs > INTERMEDIATE_RENEWAL_MS) return;
    this.#renewal ??= this.#renew(nowMs).finally(() => this.#renewal = null);
    const renewal = this.#renewal;
    if (this.#signer.notAfterMs > nowMs) await renewal.catch(() => {}); // tried again next time
    else await renewal;
  }

  /** Takes what somebody laid in since, or makes a new intermediate. */
  async #renew(nowMs: number): Promise<void> {
    const laidIn = await readIssuer(this.#places, this.#roots, this.trustDomain);
    const issuer = laidIn !== null && endOf(laidIn) > this.#signer.notAfterMs
      ? laidIn
      : await renewIntermediate(this.#places, this.#roots, this.trustDomain, nowMs);
    await this.#take(this.#roots, issuer, nowMs);
  }

  /** Puts roots and issuer in force; rejects, and changes nothing, when peers would refuse their leafs. */
  async #take(roots: readonly X509Certificate[], issuer: Issuer, nowMs: number): Promise<void> {
    const trust = bundleOf(roots, issuer, this.trustDomain);
    await tryOut(issuer, trust, nowMs);
    this.#roots = roots;
    this.#trust = trust;
    this.#signer = new LocalSigner(issuer.pair, issuer.above);
    for (const listener of this.#listeners) listener();
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

function noRoots(file: string, signer: Signer): AuthorityError {
  return new AuthorityError(
    `Cannot have certificates signed by ${signer.name}: "${file}" is missing, and peers could not ` +
      "judge them. Lay in the root above it: denim ca import --data DIR --root FILE",
  );
}

async function foundRoot(
  places: Places,
  { trustDomain }: AuthorityOptions,
  nowMs: number,
): Promise<X509Certificate[]> {
  // Something lost the certificate: a new root would lock every proxy out without a word.
  if (await readCertificates(places.chain) !== null) {
    throw new AuthorityError(
      `Cannot open the authority: "${places.root}" is missing but an intermediate is there. ` +
        "Restore it from a backup, or remove the folder to found the trust domain anew",
    );
  }
  const root = await createRoot(trustDomain, nowMs);
  await writePair(places.root, places.rootKey, root);
  return [root.certificate];
}

/** A new intermediate below the root whose key is there. */
async function renewIntermediate(
  places: Places,
  roots: readonly X509Certificate[],
  trustDomain: string,
  nowMs: number,
): Promise<Issuer> {
  const root = await keyedRoot(places, roots);
  const pair = await createIntermediate(trustDomain, root, nowMs);
  await writePair(places.chain, places.key, pair);
  return { pair, above: [] };
}

/** The root whose key is there; rejects with AuthorityError, which says what to do, when none is. */
async function keyedRoot(
  places: Places,
  roots: readonly X509Certificate[],
): Promise<SigningPair> {
  const key = await readKey(places.rootKey);
  if (key === null) {
    throw new AuthorityError(
      `Cannot make a new intermediate: the root's key "${places.rootKey}" is missing. ` +
        `Put it back for the time of this start, or lay in a new "${places.chain}" with its key`,
    );
  }
  const certificate = await ownerOf(key, roots);
  if (certificate === null) {
    throw new AuthorityError(
      `Cannot make a new intermediate: "${places.rootKey}" is not the key of a root in ` +
        `"${places.root}". Put the right one there`,
    );
  }
  return { certificate, key };
}

/** The certificate of a key. */
export async function ownerOf(
  key: CryptoKey,
  roots: readonly X509Certificate[],
): Promise<X509Certificate | null> {
  const spki = (await publicHalf(key)).toHex();
  return roots.find((root) => new Uint8Array(root.publicKey.rawData).toHex() === spki) ?? null;
}

function endOf({ pair, above }: Issuer): number {
  return Math.min(...[pair.certificate, ...above].map((one) => one.notAfter.getTime()));
}

function isDue(issuer: Issuer, nowMs: number): boolean {
  return endOf(issuer) - nowMs <= INTERMEDIATE_RENEWAL_MS;
}

async function hashOfKey(publicKey: CryptoKey): Promise<string> {
  return sha256Hex(new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)));
}
