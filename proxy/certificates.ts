/** Certificates of edge listeners: keys fetched, pairs checked, put in force together with their snapshot. */
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import type { CertificateSpec, ListenerSpec, Snapshot } from "../control/schema/snapshot.ts";
import { type EdgeCertificate, EdgeTls, readLeaf } from "./tls/mod.ts";

/** Private keys by the name of their public half. */
export interface KeySource {
  /** PEM; rejects with a sentence when it cannot be had now. */
  get(name: string): Promise<string>;
}

/** Those who run no gateway have none. */
export const NO_KEYS: KeySource = {
  get: (name) => Promise.reject(new Error(`There is no private key "${name}" here`)),
};

/** Below this much time left the log warns of a certificate at every change of configuration. */
export const EXPIRES_SOON_MS = 14 * 24 * 3_600_000;

export interface CertificateDeps {
  readonly keys: KeySource;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

interface InForce {
  readonly tls: EdgeTls;
  /** What it was made from, as text: the same again is no work. */
  readonly text: string;
}

/** What a snapshot asks for, fetched and checked, not in force yet. */
export interface Prepared {
  /** What is new is to be put in place of what is there. */
  readonly changed: readonly { listener: string; certificates: readonly EdgeCertificate[] }[];
  readonly listeners: ReadonlyMap<string, InForce>;
}

export class Certificates {
  readonly #deps: CertificateDeps;
  #listeners: ReadonlyMap<string, InForce> = new Map();

  constructor(deps: CertificateDeps) {
    this.#deps = deps;
  }

  /**
   * Rejects with a sentence that names the certificate; nothing has changed then. `renames`: what open
   * listeners were called before, by what they are called now.
   */
  async prepare(snapshot: Snapshot, renames: ReadonlyMap<string, string>): Promise<Prepared> {
    const changed: { listener: string; certificates: readonly EdgeCertificate[] }[] = [];
    const listeners = new Map<string, InForce>();
    for (const spec of snapshot.listeners) {
      if (spec.tls !== "edge") continue;
      const text = JSON.stringify(spec.certificates ?? []);
      const former = renames.get(spec.name);
      const before = this.#listeners.get(former ?? spec.name);
      if (before?.text === text && former === undefined) {
        listeners.set(spec.name, before);
        continue;
      }
      const certificates = await this.#certificates(spec);
      const tls = new EdgeTls(certificates); // checks them all
      // A listener that is open keeps its object, and gets what is in it at commit().
      listeners.set(spec.name, { tls: before?.tls ?? tls, text });
      changed.push({ listener: spec.name, certificates });
    }
    return { changed, listeners };
  }

  /** Handshakes from now on see these. */
  commit({ changed, listeners }: Prepared): void {
    for (const { listener, certificates } of changed) {
      listeners.get(listener)!.tls.replace(certificates);
      for (const one of certificates) this.#tell(listener, one);
    }
    this.#listeners = listeners;
  }

  #certificates(spec: ListenerSpec): Promise<EdgeCertificate[]> {
    return Promise.all((spec.certificates ?? []).map((one) => this.#certificate(one)));
  }

  async #certificate({ name, hostnames, chain, key }: CertificateSpec): Promise<EdgeCertificate> {
    try {
      return { name, hostnames, chainPem: chain, keyPem: await this.#deps.keys.get(key) };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`Cannot use certificate "${name}": ${reason}`);
    }
  }

  #tell(listener: string, { name, chainPem }: EdgeCertificate): void {
    const { log, clock, metrics } = this.#deps;
    const leaf = readLeaf(chainPem);
    if (typeof leaf === "string") return;
    metrics.gauge(
      "denim_certificate_expires_seconds",
      "When a listener's certificate ends, in seconds since 1970",
      { listener, certificate: name },
    ).set(Math.floor(leaf.notAfterMs / 1000));
    const leftMs = leaf.notAfterMs - clock.nowMs();
    const fields = { listener, certificate: name, until: new Date(leaf.notAfterMs).toISOString() };
    if (leftMs > EXPIRES_SOON_MS) log.info("certificate.in_force", fields);
    else log.warn(leftMs > 0 ? "certificate.expires_soon" : "certificate.expired", fields);
  }
}
