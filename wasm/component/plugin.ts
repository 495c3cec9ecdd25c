/** One bound component filter in one proxy: its instances, what it keeps and what it costs. */
import { type Calls, NO_CALLS } from "../../core/calls.ts";
import type { Clock } from "../../core/clock.ts";
import type { FilterContext } from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import { FuelBucket } from "../fuel_bucket.ts";
import { type FilterLimits, filterLimits, type LimitName } from "../limits.ts";
import { OverLimit } from "../over_limit.ts";
import { type GivenPermissions, permissionsOf, Permits } from "../permissions.ts";
import { type RouteCost, RouteCosts } from "../route_costs.ts";
import { inputOf, told, TRAP_LIMITS, type TrapReport } from "../trap_report.ts";
import { Quotas } from "../quota.ts";
import { type Cost, costOf, type Upstream } from "../proxy_wasm/host.ts";
import { PluginMetrics } from "../proxy_wasm/metrics.ts";
import { RestartPolicy } from "../proxy_wasm/restart.ts";
import type { FilterStatus } from "../reports.ts";
import { ComponentInstance } from "./instance.ts";
import { ComponentExchange } from "./exchange.ts";
import { KeyValues } from "./kv.ts";
import type { LoadedBundle } from "./loaded.ts";
import { InstancePool } from "./pool.ts";
import { type CallsHost, SideCalls } from "./side_calls.ts";
import type { Capabilities } from "./wit.ts";

/** Exchanges are spread over this many instances, so that a trap takes down only some of them. */
const INSTANCES = 2;
const NO_UPSTREAMS: ReadonlyMap<string, Upstream> = new Map();

/** What is not granted is logged once each, so many of it: guests choose the names. */
const MAX_DENIED = 64;

export interface ComponentOptions {
  /** FilterBinding it comes from, `namespace/name`. */
  readonly name: string;
  readonly digest: string;
  /** Configuration as JSON text, "" for none. */
  readonly config: string;
  readonly capabilities: ReadonlySet<string>;
  /** Told of every trap. */
  readonly trapped?: (report: Omit<TrapReport, "id">) => void;
  /** Names it may touch; left out: all but credentials. */
  readonly permissions?: GivenPermissions;
  readonly limits: ComponentLimits;
  readonly failOpen: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Whom it may send requests of its own; nobody when left out. */
  readonly upstreams?: ReadonlyMap<string, Upstream>;
  /** Outlives a snapshot when the proxy keeps it; a new one when left out. */
  readonly kv?: KeyValues;
}

/** What is left out has its default. */
export type ComponentLimits =
  & { readonly fuelPerCall: number; readonly memoryBytes: number }
  & Partial<FilterLimits>;
/** Names of upstreams a filter asked for in vain that are logged. */
const MAX_STRANGERS = 16;

/** What the filter keeps for one exchange. */
export class ComponentStream extends ComponentExchange {
  readonly filterName: string;
  readonly id: bigint;
  readonly instance: ComponentInstance;

  constructor(instance: ComponentInstance, fuel: number, account: RouteCost) {
    super(account, fuel);
    this.filterName = instance.state.name;
    this.instance = instance;
    this.id = instance.newId();
  }
}

/** Whose call an instance died in. */
export interface LastScene {
  readonly exchange: FilterContext | null;
  readonly account: RouteCost;
  /** Body bytes held, by direction. */
  readonly held: readonly [readonly Uint8Array[], readonly Uint8Array[]];
}

export class ComponentPlugin implements FilterStatus, CallsHost {
  readonly options: ComponentOptions;
  /** Of a component that waits for answers; null for one that does not, which has two instances. */
  readonly pool: InstancePool | null;
  /** Of the snapshots that have the filter, the newest last. */
  readonly #calls: Calls[] = [];
  readonly cost: Cost;
  traps = 0;
  lastTrap = "";
  #capabilities: Capabilities | null = null;
  #next = 0;
  #closed = false;
  readonly #instances: (ComponentInstance | null)[] = new Array(INSTANCES).fill(null);
  readonly #loaded: LoadedBundle;
  readonly #restart = new RestartPolicy();
  readonly #kv: KeyValues;
  readonly #metrics: PluginMetrics;
  readonly permits: Permits;
  readonly routes: RouteCosts;
  readonly #limits: FilterLimits;
  readonly #quotas: Quotas;
  readonly #bucket: FuelBucket;
  readonly #overLimit: OverLimit;
  #throttled = false;
  readonly #deniedCalls = new Set<string>();
  readonly #strangers = new Set<string>();

  constructor(loaded: LoadedBundle, options: ComponentOptions) {
    this.#loaded = loaded;
    this.options = options;
    const { metrics } = options;
    this.#kv = options.kv ?? new KeyValues(options.clock);
    this.#metrics = new PluginMetrics(metrics, options.name);
    this.cost = costOf(metrics, options.name);
    this.#limits = filterLimits(options.limits);
    this.routes = new RouteCosts(metrics, options.name, options.digest);
    this.permits = new Permits(permissionsOf(options.permissions));
    this.#quotas = new Quotas(this.#limits);
    this.#bucket = new FuelBucket(options.clock, this.#limits.fuelPerSecond);
    this.#overLimit = new OverLimit(options);
    this.pool = loaded.suspends
      ? new InstancePool(() => this.#make(), options.clock, metrics, options.name)
      : null;
  }

  /** Its functions give promises, and its exchanges pause for them. */
  get suspends(): boolean {
    return this.pool !== null;
  }

  get granted(): ReadonlySet<string> {
    return this.options.capabilities;
  }
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.options.upstreams ?? NO_UPSTREAMS;
  }
  get calls(): Calls {
    return this.#calls.at(-1) ?? NO_CALLS;
  }

  /** A snapshot that has the filter: its requests go by the newest one. */
  adopt(calls: Calls): void {
    this.#calls.push(calls);
  }
  abandon(calls: Calls): void {
    const at = this.#calls.lastIndexOf(calls);
    if (at >= 0) this.#calls.splice(at, 1);
  }

  noUpstream(name: string): void {
    if (this.#strangers.size >= MAX_STRANGERS || this.#strangers.has(name)) return;
    this.#strangers.add(name);
    const known = [...this.upstreams.keys()].join(", ");
    this.options.log.warn("wasm.unknown_upstream", {
      upstream: name,
      hint: `name it in spec.upstreams of the FilterBinding; ${known === "" ? "none is" : known}`,
    });
  }

  get name(): string {
    return this.options.name;
  }
  get digest(): string {
    return this.options.digest;
  }
  get state(): FilterStatus["state"] {
    return this.#restart.state;
  }
  get memoryBytes(): number {
    if (this.pool !== null) return this.pool.memoryBytes;
    return this.#instances.reduce((sum, one) => sum + (one?.memoryBytes ?? 0), 0);
  }

  /** One call into an instance is over. */
  add(fuel: number, us: number): number {
    this.#bucket.take(fuel);
    return this.cost.add(fuel, us);
  }

  /** What `configure` asked for; only after {@link start}. */
  get capabilities(): Capabilities {
    if (this.#capabilities === null) throw new Error("The component filter was not started");
    return this.#capabilities;
  }

  /** Starts the first instance with the configuration; null when it is in force, else why not. */
  async ready(): Promise<string | null> {
    if (this.pool === null) return this.start();
    const made = await this.#configured();
    if (typeof made === "string") return made;
    this.pool.add(made);
    return null;
  }

  /** The same at once, for a component that does not wait for answers. */
  start(): string | null {
    if (this.pool !== null) throw new Error("A filter that waits for answers starts with ready()");
    const made = this.#instantiate(0);
    return typeof made === "string" ? made : null;
  }

  get fuelPerRequest(): number {
    return this.#limits.fuelPerRequest;
  }

  /** Whether the fuel of this second is used up: no exchange is begun then. */
  throttled(): boolean {
    this.#throttled = this.#bucket.empty;
    if (this.#throttled) this.overLimit("fuelPerSecond");
    return this.#throttled;
  }

  /** A stream for an exchange; null while no instance may run. */
  open(exchange: FilterContext): ComponentStream | null {
    if (this.throttled()) return null;
    const at = this.#next;
    this.#next = (at + 1) % INSTANCES;
    const instance = this.#instances[at] ?? this.#revive(at) ?? this.#any();
    if (instance === null) return null;
    const account = this.routes.of(exchange.routeName);
    return new ComponentStream(instance, this.#limits.fuelPerRequest, account);
  }

  /** What an exchange fails with while no instance may run. */
  get refusal(): Fault {
    if (this.#throttled) return FAULTS["wasm.throttled"];
    return FAULTS[this.#restart.state === "tripped" ? "wasm.tripped" : "wasm.backing_off"];
  }

  /** Buries a dead instance; to be called when a call came back without an answer. */
  bury(instance: ComponentInstance, scene: LastScene): Fault {
    const at = this.#instances.indexOf(instance);
    const { kind, text } = instance.dead!;
    if (at >= 0) this.#instances[at] = null;
    if (at >= 0 || this.pool?.bury(instance)) {
      const labels = { filter: this.name, kind };
      this.options.metrics.counter("denim_wasm_traps_total", "Traps of Wasm filters", labels).add();
      this.#trapped(text);
      this.#report(instance, scene);
    }
    return FAULTS[kind === "fuel" ? "wasm.out_of_fuel" : "wasm.trapped"];
  }

  #report(instance: ComponentInstance, { exchange, account, held }: LastScene): void {
    account.trapped();
    const { asked } = instance.state;
    const hostCalls: string[] = [];
    for (let i = 0; i < asked.length; i += 2) {
      const argument = JSON.stringify(told(asked[i + 1]!, TRAP_LIMITS.hostCallChars));
      hostCalls.push(`${asked[i]}(${asked[i + 1] === "" ? "" : argument})`);
    }
    this.options.trapped?.({
      filter: this.name,
      digest: this.digest,
      atMs: this.options.clock.nowMs(),
      kind: instance.dead!.kind,
      text: instance.dead!.text,
      entry: instance.entered,
      fuelUsed: instance.fuelUsed,
      fuelLimit: instance.fuelGiven,
      memoryBytes: instance.memoryBytes,
      hostCalls,
      route: account.route,
      backend: exchange?.backendName ?? "",
      revision: exchange?.version ?? "",
      input: exchange === null ? null : inputOf(exchange, [held[0][0] ?? null, held[1][0] ?? null]),
    });
  }

  /** The filter caught an exception of its own: the instance is sound, the exchange follows the fail mode. */
  threw(text: string): Fault {
    this.lastTrap = text.split("\n", 1)[0]!;
    const labels = { filter: this.name, kind: "exception" };
    this.options.metrics.counter("denim_wasm_traps_total", "Traps of Wasm filters", labels).add();
    this.options.log.warn("wasm.exception", { text });
    return FAULTS["wasm.trapped"];
  }

  /** The filter was refused something for being over a limit. */
  overLimit(limit: LimitName): void {
    this.#overLimit.note(limit, this.#limits[limit]);
  }

  /** Something was asked for that the binding does not grant; logged once. */
  denied(call: string): void {
    if (this.#deniedCalls.has(call) || this.#deniedCalls.size >= MAX_DENIED) return;
    this.#deniedCalls.add(call);
    this.options.log.warn("wasm.denied", {
      call,
      hint: "grant it in the FilterBinding",
    });
  }

  /** No exchange uses the plugin any more. */
  close(): void {
    this.#closed = true;
    this.#instances.fill(null);
    this.pool?.close();
  }

  #any(): ComponentInstance | null {
    return this.#instances.find((one) => one !== null) ?? null;
  }

  #revive(at: number): ComponentInstance | null {
    const { clock } = this.options;
    if (this.#closed || !this.#restart.mayStart(clock.monotonicMs())) return null;
    const made = this.#instantiate(at);
    if (typeof made !== "string") return made;
    this.#trapped(made);
    return null;
  }

  #instantiate(at: number): ComponentInstance | string {
    const { options } = this;
    const instance = this.#create();
    const answer = instance.configure(options.config);
    if (typeof answer === "string") return answer;
    this.#capabilities ??= answer;
    this.#instances[at] = instance;
    this.#restart.started(options.clock.monotonicMs());
    return instance;
  }

  /** For the pool: one more instance, null while none may be made. */
  async #make(): Promise<ComponentInstance | null> {
    if (this.#closed || !this.#restart.mayStart(this.options.clock.monotonicMs())) return null;
    const made = await this.#configured();
    if (typeof made !== "string") return made;
    this.#trapped(made);
    return null;
  }

  async #configured(): Promise<ComponentInstance | string> {
    const { options } = this;
    const instance = this.#create();
    const answer = await instance.configureLater(options.config);
    if (typeof answer === "string") return answer;
    this.#capabilities ??= answer;
    this.#restart.started(options.clock.monotonicMs());
    return instance;
  }

  #create(): ComponentInstance {
    const { options } = this;
    const limits = { ...options.limits, fuelPerRequest: this.#limits.fuelPerRequest };
    return new ComponentInstance(this.#loaded, limits, this, {
      name: options.name,
      clock: options.clock,
      log: options.log,
      kv: this.#kv,
      metrics: this.#metrics,
      quotas: this.#quotas,
      overLimit: (limit) => this.overLimit(limit),
      permits: this.permits,
      capabilities: options.capabilities,
      side: this.pool === null ? null : new SideCalls(this),
      denied: (call) => this.denied(call),
    });
  }

  #trapped(text: string): void {
    this.traps++;
    this.lastTrap = text;
    this.#restart.trapped(this.options.clock.monotonicMs());
    this.options.log.warn("wasm.trap", { trap: text, state: this.state, traps: this.traps });
  }
}
