/** Computes the snapshot of every connected proxy when something it may depend on changed, and offers it. */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { JWKS_LIMITS, type KeySets } from "../jwks/mod.ts";
import type { MarketApi } from "../market/mod.ts";
import type { TrustSpec } from "../schema/snapshot.ts";
import { type AdmittedModule, buildSnapshot, buildSnapshots } from "../snapshot/mod.ts";
import type { Ledger } from "../store/ledger.ts";
import type { Nodes, ProxyNode } from "./nodes.ts";
import type { Workloads } from "./workloads.ts";

/** Changes that come together are published together. */
export const DEBOUNCE_MS = 20;

export interface PublisherDeps {
  readonly ledger: Ledger;
  readonly workloads: Workloads;
  readonly nodes: Nodes;
  readonly market: MarketApi;
  readonly keySets: Pick<KeySets, "fetched" | "isSettling" | "onChange">;
  readonly trust: () => TrustSpec;
  readonly clock: Clock;
  readonly log: Log;
}

export class Publisher {
  readonly #deps: PublisherDeps;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #published: number;
  /** Since when a snapshot waits for the keys of new rules; null: none does. */
  #waitsSinceMs: number | null = null;

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
    this.#published = deps.ledger.head;
    deps.ledger.onChange(() => this.schedule());
    deps.workloads.onChange(() => this.schedule());
    deps.keySets.onChange(() => this.schedule());
  }

  /** Newest revision every connected proxy has been offered. */
  get published(): number {
    return this.#published;
  }

  /** Something changed. The first change starts the wait, so that a steady trickle cannot hold it off. */
  schedule(): void {
    this.#timer ??= setTimeout(() => this.#due(), DEBOUNCE_MS);
  }

  /** Now, with all that has changed so far. */
  publish(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#publish();
  }

  /** A new rule comes into force with its keys, or after a moment without: it would refuse good tokens. */
  #due(): void {
    this.#timer = null;
    const { keySets, clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    this.#waitsSinceMs ??= nowMs;
    if (keySets.isSettling && nowMs - this.#waitsSinceMs < JWKS_LIMITS.firstMs) {
      return this.schedule();
    }
    this.#publish();
  }

  /** One proxy has come: it does not wait. */
  publishTo(node: ProxyNode): void {
    const { ledger } = this.#deps;
    const snapshot = buildSnapshot({ ...this.#shared(), ...about(node) });
    node.link.delivery.offer({ snapshot, revision: ledger.head });
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #publish(): void {
    const { nodes, ledger, log } = this.#deps;
    this.#timer = null;
    this.#waitsSinceMs = null;
    const connected = nodes.connected();
    try {
      const snapshots = buildSnapshots(this.#shared(), connected.map(about));
      connected.forEach((node, at) => {
        node.link.delivery.offer({ snapshot: snapshots[at]!, revision: ledger.head });
      });
      this.#published = ledger.head;
    } catch (error) {
      // Checked input always builds; if it does not, all proxies stay with what they have.
      const reason = error instanceof Error ? error.stack ?? error.message : String(error);
      log.error("snapshot.build_failed", { revision: ledger.head, reason });
    }
  }

  #shared() {
    const { ledger, workloads, market, keySets, trust } = this.#deps;
    return {
      resources: ledger.resources(),
      workloads: workloads.all(),
      modules: admittedModules(market),
      trust: trust(),
      fetchedKeys: keySets.fetched(),
    };
  }
}

function about({ hello }: ProxyNode) {
  return { node: hello.node, nodeLabels: hello.labels };
}

/** All versions of all filters, as the snapshot builder wants them. */
export function admittedModules(market: MarketApi): AdmittedModule[] {
  return market.list().flatMap(({ name }) => market.versions(name)).map((one) => ({
    name: one.name,
    version: one.version,
    digest: one.digest,
    bytes: one.bytes,
    abi: one.abi,
    phase: one.phase,
    fuelPerCall: one.limits.fuelPerCall,
    memoryBytes: one.limits.memoryMiB * 1024 * 1024,
    config: one.config,
    capabilities: one.capabilities,
    ...(one.required === undefined ? {} : { required: one.required }),
    ...one.configSchema === undefined ? {} : { configSchema: one.configSchema },
  }));
}
