/**
 * Keeps the bundles of federated trust domains: fetched, judged, refreshed, the last good one on disk. What
 * cannot be fetched stays as it was; what is no longer configured is gone at once.
 */
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { decodePem, encodePem, type ForeignBundle, readTrustBundle } from "../../proxy/tls/mod.ts";
import { ensureFolder, writePrivate } from "../files.ts";
import type { FederatedDomain } from "../schema/federation.ts";
import type { FederationView } from "../view.ts";
import { type BundleDocument, DEFAULT_REFRESH_MS, readDocument } from "./document.ts";
import { fetchDocument } from "./fetch.ts";

/** The first wait after a failure; it doubles up to the refresh time. */
export const RETRY_MS = 5000;

export interface KeeperOptions {
  /** Folder of last good bundles, one file a domain. */
  readonly dir: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: Random;
  readonly fetch?: typeof fetchDocument;
  /** Calls later; the function it gives takes that back. */
  readonly later?: (call: () => void, ms: number) => () => void;
}

interface Kept {
  config: FederatedDomain;
  bundle: readonly string[] | null;
  sequence: number | null;
  refreshMs: number;
  fetchedMs: number | null;
  failures: number;
  reason: string;
  cancel: () => void;
}

export class FederationKeeper {
  readonly #options: KeeperOptions;
  readonly #domains = new Map<string, Kept>();
  readonly #listeners = new Set<() => void>();
  #configuring: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: KeeperOptions) {
    this.#options = options;
  }

  static async open(options: KeeperOptions): Promise<FederationKeeper> {
    await ensureFolder(options.dir);
    return new FederationKeeper(options);
  }

  /** What proxies are told. */
  bundles(): ForeignBundle[] {
    return [...this.#domains.values()].flatMap(({ config, bundle }) =>
      bundle === null ? [] : [{ domain: config.trustDomain, bundle }]
    ).sort((a, b) => a.domain < b.domain ? -1 : 1);
  }

  view(): FederationView[] {
    return [...this.#domains.values()].map((kept) => ({
      trustDomain: kept.config.trustDomain,
      profile: kept.config.endpoint.profile,
      url: kept.config.endpoint.url,
      certificates: kept.bundle?.length ?? 0,
      sequence: kept.sequence,
      fetchedMs: kept.fetchedMs,
      reason: kept.reason,
    }));
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Takes what MeshConfig says now; resolves when kept bundles have been read. */
  configure(list: readonly FederatedDomain[]): Promise<void> {
    this.#configuring = this.#configuring.then(() => this.#configure(list));
    return this.#configuring;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#configuring;
    for (const { cancel } of this.#domains.values()) cancel();
  }

  async #configure(list: readonly FederatedDomain[]): Promise<void> {
    let changed = false;
    // Our own names have one authority.
    const wanted = list.filter((one) => one.trustDomain !== this.#options.trustDomain);
    for (const [name, kept] of this.#domains) {
      const now = wanted.find((one) => one.trustDomain === name);
      if (now !== undefined && JSON.stringify(now) === JSON.stringify(kept.config)) continue;
      kept.cancel();
      this.#domains.delete(name);
      // Another first bundle, or none: what was fetched by the old one is no longer vouched for.
      await Deno.remove(this.#file(name)).catch(() => {});
      changed = true;
    }
    for (const config of wanted) {
      if (this.#closed || this.#domains.has(config.trustDomain)) continue;
      const kept = await this.#begin(config);
      this.#domains.set(config.trustDomain, kept);
      changed ||= kept.bundle !== null;
      this.#arm(kept, 0);
    }
    if (changed) this.#changed();
  }

  /** From disk, else from the first bundle of the configuration. */
  async #begin(config: FederatedDomain): Promise<Kept> {
    const { log } = this.#options;
    const { trustDomain } = config;
    const kept: Kept = {
      config,
      bundle: null,
      sequence: null,
      refreshMs: DEFAULT_REFRESH_MS,
      fetchedMs: null,
      failures: 0,
      reason: "",
      cancel: () => {},
    };
    try {
      if (config.bundle !== undefined) {
        const blocks = decodePem(config.bundle, "CERTIFICATE") ?? [];
        const bundle = blocks.map((der) => encodePem(der, "CERTIFICATE"));
        readTrustBundle(trustDomain, bundle);
        kept.bundle = bundle;
      }
    } catch (error) {
      kept.reason = `bundle: ${messageOf(error)}`;
      log.error("federation.bad_bundle", { trustDomain, reason: kept.reason });
    }
    const text = await Deno.readTextFile(this.#file(trustDomain)).catch(() => null);
    if (text === null) return kept;
    try {
      const saved = JSON.parse(text) as { config: unknown; document: string };
      if (JSON.stringify(saved.config) !== JSON.stringify(config)) return kept;
      const document = readDocument(trustDomain, saved.document);
      return { ...kept, bundle: document.bundle, sequence: document.sequence };
    } catch (error) {
      log.warn("federation.state_ignored", { trustDomain, reason: messageOf(error) });
      return kept;
    }
  }

  #arm(kept: Kept, ms: number): void {
    if (this.#closed) return;
    const later = this.#options.later ?? laterOn;
    kept.cancel = later(() => void this.#refresh(kept), ms);
  }

  async #refresh(kept: Kept): Promise<void> {
    const { log, clock, random = Math.random, fetch = fetchDocument } = this.#options;
    const { trustDomain } = kept.config;
    try {
      const text = await fetch(kept.config, kept.bundle);
      const document = readDocument(trustDomain, text);
      if (!this.#isPresent(kept)) return;
      this.#take(kept, document);
      await writePrivate(
        this.#file(trustDomain),
        JSON.stringify({ config: kept.config, document: text }),
      );
      if (kept.fetchedMs === null || kept.failures > 0) {
        log.info("federation.fetched", { trustDomain, sequence: kept.sequence });
      }
      kept.failures = 0;
      kept.reason = "";
      kept.fetchedMs = clock.nowMs();
      this.#arm(kept, kept.refreshMs * (0.9 + random() * 0.1));
    } catch (error) {
      if (!this.#isPresent(kept)) return;
      kept.reason = messageOf(error);
      const waitMs = Math.min(kept.refreshMs, RETRY_MS * 2 ** Math.min(kept.failures++, 10));
      log.warn("federation.not_refreshed", {
        trustDomain,
        url: kept.config.endpoint.url,
        reason: kept.reason,
        retryMs: Math.round(waitMs),
        hint: kept.bundle === null
          ? "its workloads are not believed until there is a bundle"
          : "its workloads are judged by the last good bundle",
      });
      this.#arm(kept, waitMs * (0.8 + random() * 0.2));
    }
  }

  #take(kept: Kept, document: BundleDocument): void {
    // An old document, from a cache or from somebody who kept one, could bring a removed root back.
    if (document.sequence !== null && kept.sequence !== null && document.sequence < kept.sequence) {
      throw new Error(
        `its bundle went back from sequence ${kept.sequence} to ${document.sequence}, and is not taken`,
      );
    }
    kept.sequence = document.sequence;
    kept.refreshMs = document.refreshMs;
    if (kept.bundle !== null && kept.bundle.join("") === document.bundle.join("")) return;
    kept.bundle = document.bundle;
    const { trustDomain } = kept.config;
    this.#options.log.info("federation.bundle", { trustDomain, sequence: document.sequence });
    this.#changed();
  }

  #isPresent(kept: Kept): boolean {
    return !this.#closed && this.#domains.get(kept.config.trustDomain) === kept;
  }

  #file(trustDomain: string): string {
    return `${this.#options.dir}/${trustDomain}.json`;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function laterOn(call: () => void, ms: number): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
