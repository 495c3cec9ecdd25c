/** Wire snapshot → what the data path reads. The one translator: wire names stop here. */
import { type Clock, type Random } from "../../core/clock.ts";
import {
  compilePlan,
  type Filter,
  type FilterFactory,
  type FilterPlace,
} from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import type { Wheel } from "../../core/timers.ts";
import type {
  BackendSpec,
  EndpointSpec,
  FilterSpec,
  ListenerSpec,
  RouteSpec,
  Snapshot,
} from "../../control/schema/snapshot.ts";
import { BackendCalls } from "../calls.ts";
import { RouteStats } from "../route_stats.ts";
import type { Route } from "../snapshot.ts";
import { BalancedBackend, PooledEndpoint } from "../upstream/backend.ts";
import { createBalancer } from "../upstream/balancer/create.ts";
import { OutlierDetector } from "../upstream/outlier.ts";
import type { RequestPool } from "../upstream/pool.ts";
import { StatsTable } from "../upstream/stats.ts";
import { CompiledListener, RuntimeSnapshot, type WeightedRoute } from "./runtime.ts";
import { ConnectedHere } from "./connected_here.ts";
import { standingFilters } from "./standing.ts";
import { Via } from "./via.ts";

/** Request body kept for a retry, per exchange. */
export const REPLAY_LIMIT_BYTES = 128 * 1024;

export interface CompileDeps {
  readonly factories: ReadonlyMap<string, FilterFactory>;
  /** The pool of one endpoint. */
  readonly dial: (endpoint: EndpointSpec, backend: BackendSpec) => RequestPool;
  readonly clock: Clock;
  /** The same for what is asked many times an exchange. */
  readonly turns: Clock;
  readonly wheel: Wheel;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
}

/**
 * Compiles snapshots and carries over what outlives them: pools, endpoint statistics, filter state.
 * compile() may fail and then nothing has changed; commit() lets go of what the new snapshot left out.
 */
export class Compiler {
  readonly #deps: CompileDeps;
  readonly #kept = new Map<string, unknown>();
  readonly #endpoints = new Map<string, PooledEndpoint>();

  constructor(deps: CompileDeps) {
    this.#deps = deps;
  }

  /** Rejects with a sentence naming the route, filter or backend that is wrong. */
  async compile(snapshot: Snapshot): Promise<RuntimeSnapshot> {
    const work = new Compilation(snapshot, this.#deps, this.#kept, this.#endpoints);
    try {
      return await work.run();
    } catch (e) {
      for (const filter of work.filters) filter.close?.();
      throw e;
    }
  }

  /** `runtime` is in force now: endpoints and state nobody names any more go. */
  commit(runtime: RuntimeSnapshot): void {
    for (const key of this.#kept.keys()) if (!runtime.keptKeys.has(key)) this.#kept.delete(key);
    for (const [key, endpoint] of this.#endpoints) {
      if (runtime.endpointKeys.has(key)) continue;
      endpoint.pool.drain();
      this.#endpoints.delete(key);
    }
    for (const backend of runtime.backends.values()) {
      for (const endpoint of backend.endpoints) {
        endpoint.backend = backend;
        endpoint.pool.sweep(); // opens what is to be warm
      }
    }
  }

  /** Every pool there is; the caller sweeps and renews them. */
  pools(): Iterable<RequestPool> {
    return [...this.#endpoints.values()].map((endpoint) => endpoint.pool);
  }
}

/** One run of the compiler. */
class Compilation {
  readonly #snapshot: Snapshot;
  /** `kind/namespace/name` of the proxy. */
  readonly #node: string;
  readonly #deps: CompileDeps;
  readonly #kept: Map<string, unknown>;
  readonly #endpoints: Map<string, PooledEndpoint>;
  readonly keptKeys = new Set<string>();
  readonly endpointKeys = new Set<string>();
  readonly filters: Filter[] = [];
  readonly #backends = new Map<string, BalancedBackend>();
  readonly #calls: BackendCalls;

  constructor(
    snapshot: Snapshot,
    deps: CompileDeps,
    kept: Map<string, unknown>,
    endpoints: Map<string, PooledEndpoint>,
  ) {
    const { kind, namespace, name } = snapshot.node;
    this.#snapshot = snapshot;
    this.#node = `${kind}/${namespace}/${name}`;
    this.#deps = deps;
    this.#kept = kept;
    this.#endpoints = endpoints;
    const { wheel, turns } = deps;
    this.#calls = new BackendCalls(this.#backends, wheel, () => turns.monotonicMs());
  }

  async run(): Promise<RuntimeSnapshot> {
    const snapshot = this.#snapshot;
    for (const spec of Object.values(snapshot.backends)) {
      this.#backends.set(spec.name, this.#backend(spec));
    }
    const runtime = new RuntimeSnapshot(
      snapshot,
      this.#backends,
      this.filters,
      this.keptKeys,
      this.endpointKeys,
    );
    for (const listener of snapshot.listeners) {
      runtime.listeners.set(listener.name, await this.#listener(listener, runtime));
    }
    return runtime;
  }

  async #listener(spec: ListenerSpec, runtime: RuntimeSnapshot): Promise<CompiledListener> {
    const routes = new Map<RouteSpec, WeightedRoute[]>();
    const via = new Via(runtime.spec.node, spec.name, spec.via);
    for (const host of spec.hosts) {
      for (const route of host.routes) {
        try {
          routes.set(route, await this.#route(route, spec, via));
        } catch (e) {
          const reason = e instanceof Error ? e.message : String(e);
          throw new Error(
            `Cannot compile route "${route.name}" of listener "${spec.name}": ${reason}`,
          );
        }
      }
    }
    const own = (name: string, fault: Route["fault"], ...more: Filter[]): Route => ({
      name,
      plan: compilePlan([...standingFilters(spec.role, via, this.#deps.random), ...more]),
      backend: null,
      fault,
      stats: new RouteStats(this.#deps.metrics, spec.name, name, ""),
    });
    return new CompiledListener(runtime, spec, routes, {
      badPath: own("(bad path)", FAULTS["route.bad_path"]),
      unknownHost: own("(unknown host)", FAULTS["route.unknown_host"]),
      misdirected: own("(misdirected)", FAULTS["route.misdirected"]),
      unmatched: own("(unmatched)", FAULTS["route.none"]),
      noTunnel: spec.role === "outbound"
        ? own("(http by connect)", FAULTS["route.no_tunnel"], new ConnectedHere())
        : own("(no tunnel)", FAULTS["route.no_tunnel"]),
      tunnelOnly: own("(tunnel only)", FAULTS["route.tunnel_only"]),
      random: this.#deps.random,
    });
  }

  /** One Route per backend of the rule; a rule without any (a redirect) has one that never dispatches. */
  async #route(spec: RouteSpec, listener: ListenerSpec, via: Via): Promise<WeightedRoute[]> {
    const choices = spec.backends.length > 0
      ? spec.backends
      : [{ backend: "", weight: 1, filters: [] }];
    const routes: WeightedRoute[] = [];
    const place: FilterPlace = {
      node: this.#node,
      listener: listener.name,
      direction: listener.role === "outbound" ? "outbound" : "inbound",
      tunnel: spec.tunnel === true,
    };
    for (const choice of choices) {
      const chain = [...spec.filters, ...choice.filters];
      const filters = standingFilters(listener.role, via, this.#deps.random);
      for (const link of chain) {
        filters.push(await this.#filter(link, filters.length, choice.backend, place));
      }
      // Bodies are kept for those chains only that may send one again.
      const retries = chain.some((link) => link.kind === "retry");
      const backend = this.#backends.get(choice.backend) ?? null;
      const route: Route = {
        name: spec.name,
        plan: compilePlan(filters, retries ? REPLAY_LIMIT_BYTES : 0),
        backend,
        fault: backend === null ? FAULTS["route.no_backend"] : null,
        stats: new RouteStats(this.#deps.metrics, listener.name, spec.name, choice.backend),
      };
      routes.push({ route, weight: choice.weight });
    }
    return routes;
  }

  async #filter(
    spec: FilterSpec,
    slot: number,
    backend: string,
    place: FilterPlace,
  ): Promise<Filter> {
    const factory = this.#deps.factories.get(spec.kind);
    if (factory === undefined) {
      const known = [...this.#deps.factories.keys()].join(", ");
      throw new Error(`filter "${spec.name}" is of kind "${spec.kind}", want one of: ${known}`);
    }
    const { clock, wheel, random, metrics, log } = this.#deps;
    const env = {
      name: spec.name,
      slot,
      backend,
      place,
      clock,
      wheel,
      random,
      metrics,
      log: log.with({ filter: spec.name }),
      calls: this.#calls,
      keep: <T>(key: string, make: () => T): T => this.#keep(key, make),
    };
    try {
      const filter = await factory(this.#configOf(spec), env);
      this.filters.push(filter);
      return filter;
    } catch (e) {
      throw new Error(`filter "${spec.name}": ${e instanceof Error ? e.message : String(e)}`);
    }
  }

  #configOf({ config, shared }: FilterSpec): unknown {
    if (shared === undefined) return config;
    const found = this.#snapshot.shared?.[shared];
    if (found === undefined) throw new Error(`its configuration "${shared}" is not there`);
    return found;
  }

  #keep<T>(key: string, make: () => T): T {
    this.keptKeys.add(key);
    if (!this.#kept.has(key)) this.#kept.set(key, make());
    return this.#kept.get(key) as T;
  }

  #backend(spec: BackendSpec): BalancedBackend {
    const { turns: clock, random } = this.#deps;
    const stats = this.#keep(`stats/${spec.name}`, () => new StatsTable());
    stats.retain(spec.endpoints.map((endpoint) => endpoint.address));
    const endpoints = spec.endpoints.map((endpoint) => this.#endpoint(endpoint, spec, stats));
    const balancer = createBalancer(spec.balancer.algorithm, { clock, random });
    const outlier = spec.outlier === null ? null : new OutlierDetector(spec.outlier, clock);
    return new BalancedBackend(spec, endpoints, balancer, outlier);
  }

  #endpoint(spec: EndpointSpec, backend: BackendSpec, stats: StatsTable): PooledEndpoint {
    const { pool: limits, connectTimeoutMs, protocol } = backend;
    const way = JSON.stringify([limits, connectTimeoutMs, protocol]);
    const proof = spec.identity ?? (spec.sidecar === true ? "(sidecar)" : "");
    const key = `${backend.name} ${spec.address} ${proof} ${way}`;
    this.endpointKeys.add(key);
    let endpoint = this.#endpoints.get(key);
    if (endpoint === undefined) {
      const now = (): number => this.#deps.turns.monotonicMs();
      const pool = this.#deps.dial(spec, backend);
      endpoint = new PooledEndpoint(spec.address, stats.of(spec.address), pool, now);
      this.#endpoints.set(key, endpoint);
    }
    return endpoint;
  }
}
