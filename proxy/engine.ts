/** The running proxy: listeners, the configuration in force and its replacement, without any source of it. */
import { BUFFERED } from "../core/buffered.ts";
import type { Clock, Random } from "../core/clock.ts";
import { TurnClock } from "../core/turn_clock.ts";
import { compilePlan, type FilterFactory } from "../core/filter.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { countedStatus } from "../core/grpc.ts";
import type { Log } from "../core/log.ts";
import { type Counter, Metrics } from "../core/metrics.ts";
import { Wheel } from "../core/timers.ts";
import type { Snapshot } from "../control/schema/snapshot.ts";
import type { InboundReport, RouteReport } from "../control/schema/protocol.ts";
import type { AccessLog } from "./access_log.ts";
import { Certificates, type KeySource, NO_KEYS } from "./certificates.ts";
import { Compiler } from "./config/compile.ts";
import { expandNames, namesOf } from "./config/expand_names.ts";
import type { RuntimeSnapshot } from "./config/runtime.ts";
import { dateField } from "./date.ts";
import { createDialler } from "./dialler.ts";
import type { Exchange } from "./exchange.ts";
import { H1Client } from "./h1/mod.ts";
import { H2Client } from "./h2/client.ts";
import type { H2Limits } from "./h2/limits.ts";
import { H2Report } from "./h2_report.ts";
import { RawClient } from "./l4/client.ts";
import { LISTENER_LIMITS, type ListenerLimits } from "./listener_limits.ts";
import { Listeners, type ListenersOptions, type Opening } from "./listeners.ts";
import { OutletTrust } from "./outlet_trust.ts";
import { Overload, type OverloadLimits } from "./overload.ts";
import { RouteStats } from "./route_stats.ts";
import type { ListenerRuntime, Route } from "./snapshot.ts";
import { descriptorLimit, LEAST_DESCRIPTORS, Sockets } from "./sockets.ts";
import type { MeshIdentity } from "./tls/mod.ts";
import { FIRST_WAIT_MS, Names, type Resolve } from "./upstream/names.ts";
import { createResolver } from "./upstream/resolver.ts";
import { watchVitalSigns } from "./vital_signs.ts";

export interface EngineOptions extends ListenersOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly factories: ReadonlyMap<string, FilterFactory>;
  readonly limits?: Partial<ListenerLimits>;
  /** Instead of what is the default for a listener's role. */
  readonly h2?: Partial<H2Limits>;
  readonly overload?: Partial<OverloadLimits>;
  /** Descriptors the system allows this process; default: as it says, else a careful guess. */
  readonly descriptors?: number;
  readonly accessLog: AccessLog | null;
  /** Keys of the certificates that edge listeners show; absent: there are none. */
  readonly keys?: KeySource;
  /** Asks for the addresses of a name; default: the system. */
  readonly resolve?: Resolve;
}

const SWEEP_MS = 1000;

export class Engine {
  readonly #options: EngineOptions;
  readonly #compiler: Compiler;
  readonly #wheel: Wheel;
  readonly #listeners: Listeners;
  readonly #notReady: ListenerRuntime;
  readonly #shed: ListenerRuntime;
  readonly #sockets: Sockets;
  readonly #outletTrust: OutletTrust;
  readonly #overload: Overload;
  readonly #unwatch: () => void;
  readonly #swaps: Counter;
  readonly #date: () => string;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #names: Names;
  readonly #clock: Clock;
  readonly #certificates: Certificates;
  #identity: MeshIdentity | null = null;
  /** The snapshot in force as it came, endpoints by name. */
  #told: Snapshot | null = null;
  #runtime: RuntimeSnapshot | null = null;
  /** Applies run one after the other; each waits for the one before. */
  #applying: Promise<unknown> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    const { clock, random, log, metrics, factories } = options;
    const turns = this.#clock = new TurnClock(clock);
    this.#wheel = new Wheel(turns);
    this.#date = dateField(() => clock.nowMs());
    this.#sockets = new Sockets(
      options.descriptors ?? descriptorLimit() ?? LEAST_DESCRIPTORS,
      metrics,
      log,
    );
    const { distrustGraceMs } = { ...LISTENER_LIMITS, ...options.limits };
    this.#outletTrust = new OutletTrust(clock, log, distrustGraceMs);
    const upstreams = new H2Report("(upstream)", options);
    const dial = createDialler({
      identity: () => this.#identity,
      h1: (wire) => new H1Client(wire),
      h2: (wire, { address, identity }) =>
        new H2Client(wire, {
          nowMs: () => turns.monotonicMs(),
          events: upstreams.of(address, identity ?? ""),
        }),
      raw: (wire) => new RawClient(wire),
      monotonicMs: () => turns.monotonicMs(),
      sockets: this.#sockets,
      trust: this.#outletTrust,
      wheel: this.#wheel,
      log,
    });
    this.#compiler = new Compiler({
      factories,
      dial,
      clock,
      turns,
      wheel: this.#wheel,
      random,
      metrics,
      log,
    });
    this.#certificates = new Certificates({ keys: options.keys ?? NO_KEYS, clock, log, metrics });
    this.#names = new Names({
      resolve: options.resolve ?? createResolver([]),
      monotonicMs: () => clock.monotonicMs(),
      log,
      changed: () => void this.#renamed(),
    });
    this.#notReady = alwaysFails(metrics, "(not ready)", FAULTS["proxy.not_ready"]);
    this.#shed = alwaysFails(metrics, "(overloaded)", FAULTS["proxy.overloaded"]);
    this.#overload = new Overload(options.overload ?? {}, BUFFERED, metrics, log);
    this.#unwatch = watchVitalSigns(
      (sample) => this.#overload.look(sample),
      () => clock.monotonicMs(),
    );
    this.#listeners = new Listeners(options, () => ({
      ...options,
      clock: turns,
      identity: this.#identity,
      sockets: this.#sockets,
      overload: this.#overload,
      shed: this.#shed,
      date: this.#date,
      ended: (x, listener) => this.#ended(x, listener),
    }));
    this.#swaps = metrics.counter("denim_snapshot_swaps_total", "Snapshots put in force");
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** The snapshot in force. */
  get snapshot(): Snapshot | null {
    return this.#runtime === null ? null : this.#runtime.spec;
  }
  /** `host:port` by listener name. */
  get addresses(): ReadonlyMap<string, string> {
    return this.#listeners.addresses;
  }
  get identity(): MeshIdentity | null {
    return this.#identity;
  }
  /** Why new requests are refused just now; null when they are not. */
  get overloaded(): string | null {
    return this.#overload.reason;
  }

  /** The identity to serve and dial with; call once, it is swapped inside afterwards. */
  setIdentity(identity: MeshIdentity): void {
    this.#identity = identity;
    let { material } = identity;
    identity.onChange(() => {
      this.#outletTrust.sweep(identity);
      if (identity.material === material) return; // a revocation, which is about somebody else
      material = identity.material;
      // Connections made under an older identity or bundle end after their current exchange.
      for (const pool of this.#compiler.pools()) pool.renew();
    });
  }

  /** Opens a listener of the sidecar's own; it answers 503 until a snapshot names it. */
  open(role: "inbound" | "outbound", host: string, port: number): Promise<string> {
    const runtime = this.#listeners.routesOf(role, this.#runtime) ?? this.#notReady;
    return this.#listeners.openOwn(role, { host, port }, runtime);
  }

  /** Opens a local port whose connections all become tunnels to `authority`, by the outbound routes. */
  openUpstream(authority: string, host: string, port: number): Promise<string> {
    const runtime = this.#listeners.routesOf("outbound", this.#runtime) ?? this.#notReady;
    return this.#listeners.openUpstream(authority, { host, port }, runtime);
  }

  /** Puts a snapshot in force, whole or not at all; rejects with the reason. */
  apply(snapshot: Snapshot): Promise<void> {
    const work = this.#applying.then(() => this.#apply(snapshot));
    this.#applying = work.catch(() => {});
    return work;
  }

  /** Totals per route, for the control plane and the admin page. */
  routes(): RouteReport[] {
    const reports: RouteReport[] = [];
    for (const listener of this.#runtime?.listeners.values() ?? []) {
      for (const { stats } of listener.routes) {
        const report = stats.report();
        if (report.requests > 0) reports.push(report);
      }
    }
    return reports;
  }

  /** What came to the workload with mTLS and without; null for gateways. */
  inbound(): InboundReport | null {
    return this.#listeners.inboundReport();
  }

  /** Ends every listener gracefully, then what served them. */
  async drain(deadlineMs: number): Promise<void> {
    await this.#listeners.drain(deadlineMs);
    clearInterval(this.#sweeper);
    this.#unwatch();
    for (const pool of this.#compiler.pools()) pool.drain();
    this.#runtime?.retire();
    this.#wheel.stop();
  }

  /** Addresses behind a name are others now: the same snapshot with other endpoints; connections stay. */
  #renamed(): Promise<void> {
    const work = this.#applying.then(async () => {
      if (this.#told === null || this.#runtime === null) return;
      const { backends } = this.#expanded(this.#told);
      if (JSON.stringify(backends) === JSON.stringify(this.#runtime.spec.backends)) return;
      await this.#putInForce(this.#told);
    }).catch((e: unknown) => {
      this.#options.log.error("name.not_in_force", { reason: String(e) });
    });
    this.#applying = work;
    return work;
  }

  async #apply(snapshot: Snapshot): Promise<void> {
    if (this.#runtime?.version === snapshot.version) return;
    await this.#knowNames(snapshot);
    await this.#putInForce(snapshot);
    this.#told = snapshot;
    this.#swaps.add();
    this.#options.log.info("snapshot.applied", { version: snapshot.version });
  }

  /** Waits a moment for names that are new; whose answer comes later is put in force then. */
  async #knowNames(snapshot: Snapshot): Promise<void> {
    const names = namesOf(snapshot);
    const known = this.#names.watch(names);
    if (names.size === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, FIRST_WAIT_MS);
    await Promise.race([known, late.promise]);
    clearTimeout(timer);
  }

  #expanded(told: Snapshot): Snapshot {
    return expandNames(told, (name) => this.#names.addresses(name));
  }

  async #putInForce(told: Snapshot): Promise<void> {
    const snapshot = this.#expanded(told);
    const renames = this.#listeners.renames(snapshot);
    const certificates = await this.#certificates.prepare(snapshot, renames);
    const runtime = await this.#compiler.compile(snapshot);
    let opening: Opening;
    try {
      opening = await this.#listeners.open(snapshot, runtime, { renames, certificates });
    } catch (e) {
      runtime.retire();
      throw e;
    }
    this.#certificates.commit(certificates);
    const old = this.#runtime;
    this.#runtime = runtime;
    this.#listeners.commit(opening, snapshot, runtime, old);
    this.#compiler.commit(runtime);
    old?.retire();
  }

  /** The one place that counts and logs an exchange. */
  #ended(x: Exchange, listener: string): void {
    // Of a tunnel: how long it took to open it.
    const endedMs = x.switchedMs > 0 ? x.switchedMs : this.#clock.monotonicMs();
    const durationMs = endedMs - x.startedMs;
    const status = x.response === null ? 0 : countedStatus(x.response.status, x.ending);
    x.route.stats.record(status, durationMs);
    if (this.#options.accessLog !== null) this.#options.accessLog(x, listener, durationMs);
  }

  #sweep(): void {
    this.#listeners.sweep();
    if (this.#identity !== null) this.#outletTrust.sweep(this.#identity);
    for (const pool of this.#compiler.pools()) pool.sweep();
    this.#names.sweep();
    this.#sockets.sweep();
  }
}

/** What answers every request with one fault: before there is a configuration, and under overload. */
function alwaysFails(metrics: Metrics, name: string, fault: Fault): ListenerRuntime {
  const route: Route = {
    name,
    plan: compilePlan([]),
    backend: null,
    fault,
    stats: new RouteStats(metrics, "", name, ""),
  };
  return { version: "", match: () => route, entered() {}, left() {} };
}
