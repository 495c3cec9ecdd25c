/** The running proxy: listeners, the configuration in force and its replacement, without any source of it. */
import { BUFFERED } from "../core/buffered.ts";
import type { Clock, Random } from "../core/clock.ts";
import { compilePlan, type FilterFactory } from "../core/filter.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { countedStatus } from "../core/grpc.ts";
import type { Log } from "../core/log.ts";
import { type Counter, Metrics } from "../core/metrics.ts";
import { Wheel } from "../core/timers.ts";
import type { ListenerSpec, Snapshot } from "../control/schema/snapshot.ts";
import type { RouteReport } from "../control/schema/protocol.ts";
import type { AccessLog } from "./access_log.ts";
import { Certificates, type KeySource, NO_KEYS, type Prepared } from "./certificates.ts";
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
import type { BindOptions } from "./bind.ts";
import { buildListener, type ListenerPlace } from "./build_listener.ts";
import type { Listener } from "./listener.ts";
import type { ListenerLimits } from "./listener_limits.ts";
import { upstreamListener } from "./options.ts";
import { Overload, type OverloadLimits } from "./overload.ts";
import { RouteStats } from "./route_stats.ts";
import type { ListenerRuntime, Route } from "./snapshot.ts";
import { descriptorLimit, LEAST_DESCRIPTORS, Sockets } from "./sockets.ts";
import type { EdgeTls, MeshIdentity } from "./tls/mod.ts";
import { FIRST_WAIT_MS, Names, type Resolve } from "./upstream/names.ts";
import { createResolver } from "./upstream/resolver.ts";
import { watchVitalSigns } from "./vital_signs.ts";

export interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly factories: ReadonlyMap<string, FilterFactory>;
  /** Address that listeners named by the snapshot bind to when they name none. */
  readonly listenAddress: string;
  readonly limits?: Partial<ListenerLimits>;
  /** Instead of what is the default for a listener's role. */
  readonly h2?: Partial<H2Limits>;
  readonly overload?: Partial<OverloadLimits>;
  /** Descriptors the system allows this process; default: as it says, else a careful guess. */
  readonly descriptors?: number;
  readonly accessLog: AccessLog | null;
  /** Keys of the certificates that edge listeners show; absent: there are none. */
  readonly keys?: KeySource;
  /** Listeners share their ports with other processes that do so too. */
  readonly reusePort?: boolean;
  /** Asks for the addresses of a name; default: the system. */
  readonly resolve?: Resolve;
  /** Sockets a supervisor handed down, by listener name. */
  readonly inherited?: ReadonlyMap<string, InheritedSocket>;
}

export interface InheritedSocket {
  readonly fd: number;
  readonly host: string;
  readonly port: number;
}

type OpenSpec = Pick<ListenerSpec, "name" | "role" | "tls" | "protocol">;

const SWEEP_MS = 1000;
/** For what runs on a listener that the configuration no longer has. */
const CLOSING_MS = 30_000;

export class Engine {
  readonly #options: EngineOptions;
  readonly #compiler: Compiler;
  readonly #wheel: Wheel;
  readonly #listeners = new Map<string, Listener>();
  readonly #addresses = new Map<string, string>();
  /** Upstreams: listeners of bare TCP that serve the outbound routes, by name; the `host:port` each stands for. */
  readonly #upstreams = new Map<string, string>();
  readonly #notReady: ListenerRuntime;
  readonly #shed: ListenerRuntime;
  readonly #sockets: Sockets;
  readonly #overload: Overload;
  readonly #unwatch: () => void;
  readonly #swaps: Counter;
  readonly #date: () => string;
  readonly #sweeper: ReturnType<typeof setInterval>;
  readonly #names: Names;
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
    this.#wheel = new Wheel(clock);
    this.#date = dateField(() => clock.nowMs());
    this.#sockets = new Sockets(
      options.descriptors ?? descriptorLimit() ?? LEAST_DESCRIPTORS,
      metrics,
      log,
    );
    const upstreams = new H2Report("(upstream)", options);
    const dial = createDialler({
      identity: () => this.#identity,
      h1: (wire) => new H1Client(wire),
      h2: (wire, { address, identity }) =>
        new H2Client(wire, {
          nowMs: () => clock.monotonicMs(),
          events: upstreams.of(address, identity ?? ""),
        }),
      raw: (wire) => new RawClient(wire),
      monotonicMs: () => clock.monotonicMs(),
      sockets: this.#sockets,
      wheel: this.#wheel,
      log,
    });
    this.#compiler = new Compiler({
      factories,
      dial,
      clock,
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
    this.#swaps = metrics.counter("denim_snapshot_swaps_total", "Snapshots put in force");
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** The snapshot in force. */
  get snapshot(): Snapshot | null {
    return this.#runtime === null ? null : this.#runtime.spec;
  }
  /** `host:port` by listener name. */
  get addresses(): ReadonlyMap<string, string> {
    return this.#addresses;
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
    // Connections made under an older identity or bundle end after their current exchange.
    identity.onChange(() => {
      for (const pool of this.#compiler.pools()) pool.renew();
    });
  }

  /** Opens a listener of the sidecar's own; it answers 503 until a snapshot names it. */
  async open(role: "inbound" | "outbound", host: string, port: number): Promise<string> {
    return await this.#openOwn(role, role, host, port);
  }

  async #openOwn(
    name: string,
    role: "inbound" | "outbound",
    host: string,
    port: number,
  ): Promise<string> {
    const listener = this.#listener(
      { name, role, tls: role === "inbound" ? "mesh" : "none" },
      this.#routesOf(name, this.#runtime) ?? this.#notReady,
    );
    const bound = await listener.listen(...this.#place(name, host, port));
    const address = `${bound.host}:${bound.port}`;
    this.#listeners.set(name, listener);
    this.#addresses.set(name, address);
    return address;
  }

  /** Opens a local port whose connections all become tunnels to `authority`, by the outbound routes. */
  async openUpstream(authority: string, host: string, port: number): Promise<string> {
    const name = upstreamListener(authority);
    this.#upstreams.set(name, authority);
    return await this.#openOwn(name, "outbound", host, port);
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

  /** Ends every listener gracefully, the workload's own way out last: its last answers may need it. */
  async drain(deadlineMs: number): Promise<void> {
    const own = (name: string): boolean => name === "outbound" || this.#upstreams.has(name);
    for (const turn of [false, true]) {
      const ending = [...this.#listeners].filter(([name]) => own(name) === turn);
      await Promise.all(ending.map(([, listener]) => listener.drain(deadlineMs)));
    }
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
    const certificates = await this.#certificates.prepare(snapshot);
    const runtime = await this.#compiler.compile(snapshot);
    let opened: Map<string, Listener>;
    try {
      opened = await this.#openNamed(snapshot, runtime, certificates);
    } catch (e) {
      runtime.retire();
      throw e;
    }
    this.#certificates.commit(certificates);
    const old = this.#runtime;
    this.#runtime = runtime;
    for (const [name, listener] of opened) {
      const before = this.#listeners.get(name);
      if (before !== undefined) void before.drain(CLOSING_MS); // it has moved
      this.#listeners.set(name, listener);
    }
    for (const { name, proxyProtocol = [] } of snapshot.listeners) {
      this.#listeners.get(name)?.trust(proxyProtocol);
    }
    for (const [name, listener] of this.#listeners) {
      const next = this.#routesOf(name, runtime);
      if (next !== undefined) listener.runtime = next;
      else if (old?.listeners.has(name)) this.#close(name, listener);
    }
    this.#compiler.commit(runtime);
    old?.retire();
  }

  /** Opens listeners that the snapshot itself places and that are not open yet; all or none. */
  async #openNamed(
    snapshot: Snapshot,
    runtime: RuntimeSnapshot,
    certificates: Prepared,
  ): Promise<Map<string, Listener>> {
    const opened = new Map<string, Listener>();
    try {
      for (const spec of snapshot.listeners) {
        if (spec.port === undefined || this.#stays(spec)) continue;
        this.#vacate(spec);
        const edge = certificates.listeners.get(spec.name)?.tls;
        const listener = this.#listener(spec, runtime.listeners.get(spec.name)!, edge);
        listener.trust(spec.proxyProtocol ?? []);
        const host = spec.address ?? this.#options.listenAddress;
        const bound = await listener.listen(...this.#place(spec.name, host, spec.port));
        opened.set(spec.name, listener);
        this.#addresses.set(spec.name, `${bound.host}:${bound.port}`);
      }
    } catch (e) {
      for (const listener of opened.values()) await listener.drain(0);
      throw e;
    }
    return opened;
  }

  /** Open already, at the same port and for the same protocol. */
  #stays(spec: ListenerSpec): boolean {
    if (!this.#listeners.has(spec.name)) return false;
    const before = this.#runtime?.spec.listeners.find((listener) => listener.name === spec.name);
    if (before === undefined) return true;
    return before.port === spec.port && before.protocol === spec.protocol &&
      before.tls === spec.tls;
  }

  /** A listener that changes its protocol wants the very port it has; what runs on it ends in its time. */
  #vacate({ name, port }: ListenerSpec): void {
    const before = this.#runtime?.spec.listeners.find((listener) => listener.name === name);
    if (before === undefined || before.port !== port || port === 0) return;
    const listener = this.#listeners.get(name);
    if (listener !== undefined) this.#close(name, listener);
  }

  /** Where a listener binds: the socket handed down for it, while the port is still the same. */
  #place(name: string, host: string, port: number): [string, number, BindOptions] {
    const { inherited, reusePort } = this.#options;
    const socket = inherited?.get(name);
    if (socket !== undefined && (port === 0 || socket.port === port)) {
      return [socket.host, socket.port, { fd: socket.fd }];
    }
    return [host, port, { reusePort: reusePort ?? false }];
  }

  #close(name: string, listener: Listener): void {
    this.#listeners.delete(name);
    this.#addresses.delete(name);
    void listener.drain(CLOSING_MS);
  }

  /** What a listener is to do with requests by `runtime`; null: nothing. */
  #routesOf(name: string, runtime: RuntimeSnapshot | null): ListenerRuntime | undefined {
    return runtime?.listeners.get(this.#upstreams.has(name) ? "outbound" : name);
  }

  #listener(spec: OpenSpec, runtime: ListenerRuntime, edge?: EdgeTls): Listener {
    const { name, role, tls, protocol } = spec;
    const authority = (): string => this.#upstreams.get(name) ?? this.#addresses.get(name) ?? "";
    const bare = protocol !== undefined || this.#upstreams.has(name);
    const place: ListenerPlace = {
      name,
      role,
      tls,
      ...(edge === undefined ? {} : { edge }),
      ...(bare ? { tunnel: { authority, tls: protocol === "tls" } } : {}),
    };
    return buildListener(place, runtime, {
      ...this.#options,
      identity: this.#identity,
      sockets: this.#sockets,
      overload: this.#overload,
      shed: this.#shed,
      date: this.#date,
      ended: (x, listener) => this.#ended(x, listener),
    });
  }

  /** The one place that counts and logs an exchange. */
  #ended(x: Exchange, listener: string): void {
    // Of a tunnel: how long it took to open it.
    const endedMs = x.switchedMs > 0 ? x.switchedMs : this.#options.clock.monotonicMs();
    const durationMs = endedMs - x.startedMs;
    const status = x.response === null ? 0 : countedStatus(x.response.status, x.ending);
    x.route.stats.record(status, durationMs);
    if (this.#options.accessLog !== null) this.#options.accessLog(x, listener, durationMs);
  }

  #sweep(): void {
    for (const listener of this.#listeners.values()) listener.sweep();
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
