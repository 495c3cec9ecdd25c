/** One bound component filter in one proxy: its instances, what it keeps and what it costs. */
import { NO_CALLS } from "../../core/calls.ts";
import type { FilterContext } from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { BoundFilter, type BoundOptions } from "../bound_filter.ts";
import { type FilterLimits, filterLimits } from "../limits.ts";
import { type GivenPermissions, permissionsOf, Permits } from "../permissions.ts";
import type { RouteCost } from "../route_costs.ts";
import { inputOf, told, TRAP_LIMITS, type TrapReport } from "../trap_report.ts";
import type { Upstream } from "../proxy_wasm/host.ts";
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

export interface ComponentOptions extends BoundOptions {
  /** Configuration as JSON text, "" for none. */
  readonly config: string;
  readonly capabilities: ReadonlySet<string>;
  /** Told of every trap. */
  readonly trapped?: (report: Omit<TrapReport, "id">) => void;
  /** Names it may touch; left out: all but credentials. */
  readonly permissions?: GivenPermissions;
  readonly limits: ComponentLimits;
  readonly failOpen: boolean;
  /** Whom it may send requests of its own; nobody when left out. */
  readonly upstreams?: ReadonlyMap<string, Upstream>;
  /** Outlives a snapshot when the proxy keeps it; a new one when left out. */
  readonly kv?: KeyValues;
}

/** What is left out has its default. */
export type ComponentLimits =
  & { readonly fuelPerCall: number; readonly memoryBytes: number }
  & Partial<FilterLimits>;

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

export class ComponentPlugin extends BoundFilter implements CallsHost {
  readonly options: ComponentOptions;
  /** Of a component that waits for answers; null for one that does not, which has two instances. */
  readonly pool: InstancePool | null;
  #capabilities: Capabilities | null = null;
  #next = 0;
  #closed = false;
  readonly #instances: (ComponentInstance | null)[] = new Array(INSTANCES).fill(null);
  readonly #loaded: LoadedBundle;
  readonly #kv: KeyValues;
  readonly permits: Permits;

  constructor(loaded: LoadedBundle, options: ComponentOptions) {
    super(options, filterLimits(options.limits), NO_CALLS);
    this.#loaded = loaded;
    this.options = options;
    this.#kv = options.kv ?? new KeyValues(options.clock);
    this.permits = new Permits(permissionsOf(options.permissions));
    this.pool = loaded.suspends
      ? new InstancePool(() => this.#make(), options.clock, options.metrics, options.name)
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

  protected get upstreamHint(): string {
    const known = [...this.upstreams.keys()].join(", ");
    return `name it in spec.upstreams of the FilterBinding; ${known === "" ? "none is" : known}`;
  }

  get memoryBytes(): number {
    if (this.pool !== null) return this.pool.memoryBytes;
    return this.#instances.reduce((sum, one) => sum + (one?.memoryBytes ?? 0), 0);
  }

  /** One call into an instance is over. */
  add(fuel: number, us: number): number {
    this.bucket.take(fuel);
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

  /** A stream for an exchange; null while no instance may run. */
  open(exchange: FilterContext): ComponentStream | null {
    if (this.throttled()) return null;
    const at = this.#next;
    this.#next = (at + 1) % INSTANCES;
    const instance = this.#instances[at] ?? this.#revive(at) ?? this.#any();
    if (instance === null) return null;
    const account = this.routes.of(exchange.routeName);
    return new ComponentStream(instance, this.limits.fuelPerRequest, account);
  }

  /** Buries a dead instance; to be called when a call came back without an answer. */
  bury(instance: ComponentInstance, scene: LastScene): Fault {
    const at = this.#instances.indexOf(instance);
    const { kind, text } = instance.dead!;
    if (at >= 0) this.#instances[at] = null;
    if (at >= 0 || this.pool?.bury(instance)) {
      this.countTrap(kind);
      this.trapped(text);
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
      atMs: this.clock.nowMs(),
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
    this.countTrap("exception");
    this.log.warn("wasm.exception", { text });
    return FAULTS["wasm.trapped"];
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
    if (this.#closed || !this.restart.mayStart(clock.monotonicMs())) return null;
    const made = this.#instantiate(at);
    if (typeof made !== "string") return made;
    this.trapped(made);
    return null;
  }

  #instantiate(at: number): ComponentInstance | string {
    const { options } = this;
    const instance = this.#create();
    const answer = instance.configure(options.config);
    if (typeof answer === "string") return answer;
    this.#capabilities ??= answer;
    this.#instances[at] = instance;
    this.restart.started(options.clock.monotonicMs());
    return instance;
  }

  /** For the pool: one more instance, null while none may be made. */
  async #make(): Promise<ComponentInstance | null> {
    if (this.#closed || !this.restart.mayStart(this.clock.monotonicMs())) return null;
    const made = await this.#configured();
    if (typeof made !== "string") return made;
    this.trapped(made);
    return null;
  }

  async #configured(): Promise<ComponentInstance | string> {
    const { options } = this;
    const instance = this.#create();
    const answer = await instance.configureLater(options.config);
    if (typeof answer === "string") return answer;
    this.#capabilities ??= answer;
    this.restart.started(options.clock.monotonicMs());
    return instance;
  }

  #create(): ComponentInstance {
    const { options } = this;
    const limits = { ...options.limits, fuelPerRequest: this.limits.fuelPerRequest };
    return new ComponentInstance(this.#loaded, limits, this, {
      name: options.name,
      clock: options.clock,
      log: options.log,
      kv: this.#kv,
      metrics: this.metrics,
      quotas: this.quotas,
      overLimit: (limit) => this.overLimit(limit),
      permits: this.permits,
      capabilities: options.capabilities,
      side: this.pool === null ? null : new SideCalls(this),
      denied: (call) => this.denied(call),
    });
  }
}
