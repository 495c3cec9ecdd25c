/** One bound component filter in one proxy: its instances, what it keeps and what it costs. */
import type { Clock } from "../../core/clock.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Log } from "../../core/log.ts";
import type { Metrics } from "../../core/metrics.ts";
import { FuelBucket } from "../fuel_bucket.ts";
import { type FilterLimits, filterLimits, type LimitName, WASM_LIMITS } from "../limits.ts";
import { OverLimit } from "../over_limit.ts";
import { Quotas, type Tally } from "../quota.ts";
import { type Cost, costOf } from "../proxy_wasm/host.ts";
import { PluginMetrics } from "../proxy_wasm/metrics.ts";
import { RestartPolicy } from "../proxy_wasm/restart.ts";
import type { FilterStatus } from "../reports.ts";
import { ComponentInstance } from "./instance.ts";
import type { Payer } from "./imports.ts";
import { KeyValues } from "./kv.ts";
import type { LoadedBundle } from "./loaded.ts";
import type { Capabilities } from "./wit.ts";

/** Exchanges are spread over this many instances, so that a trap takes down only some of them. */
const INSTANCES = 2;

export interface ComponentOptions {
  /** FilterBinding it comes from, `namespace/name`. */
  readonly name: string;
  readonly digest: string;
  /** Configuration as JSON text, "" for none. */
  readonly config: string;
  readonly capabilities: ReadonlySet<string>;
  readonly limits: ComponentLimits;
  readonly failOpen: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Outlives a snapshot when the proxy keeps it; a new one when left out. */
  readonly kv?: KeyValues;
}

/** What is left out has its default. */
export type ComponentLimits =
  & { readonly fuelPerCall: number; readonly memoryBytes: number }
  & Partial<FilterLimits>;

/** What the filter keeps for one exchange. */
export class ComponentStream implements Payer {
  fuelLeft: number;
  tally: Tally | null = null;
  readonly id: bigint;
  readonly instance: ComponentInstance;
  readonly properties: Map<string, Uint8Array> = new Map();
  /** Body bytes held until the last has come, by direction. */
  readonly held: [Uint8Array[], Uint8Array[]] = [[], []];
  readonly heldBytes: [number, number] = [0, 0];
  /** Goes on without the filter from here. */
  skip = false;
  /** A local reply or a fault of this filter ended the exchange. */
  over = false;
  /** The last of the phases the filter asked for has been called: it has forgotten the exchange. */
  passed = false;

  constructor(instance: ComponentInstance, fuel: number) {
    this.instance = instance;
    this.id = instance.newId();
    this.fuelLeft = fuel;
  }

  /** So many bytes of a body have come. */
  fed(bytes: number): void {
    this.fuelLeft += bytes * WASM_LIMITS.fuelPerBodyByte;
  }
}

export class ComponentPlugin implements FilterStatus {
  readonly options: ComponentOptions;
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
  readonly #limits: FilterLimits;
  readonly #quotas: Quotas;
  readonly #bucket: FuelBucket;
  readonly #overLimit: OverLimit;
  #throttled = false;
  readonly #deniedCalls = new Set<string>();

  constructor(loaded: LoadedBundle, options: ComponentOptions) {
    this.#loaded = loaded;
    this.options = options;
    const { metrics } = options;
    this.#kv = options.kv ?? new KeyValues(options.clock);
    this.#metrics = new PluginMetrics(metrics, options.name);
    this.cost = costOf(metrics, options.name);
    this.#limits = filterLimits(options.limits);
    this.#quotas = new Quotas(this.#limits);
    this.#bucket = new FuelBucket(options.clock, this.#limits.fuelPerSecond);
    this.#overLimit = new OverLimit(options);
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
    return this.#instances.reduce((sum, one) => sum + (one?.memoryBytes ?? 0), 0);
  }

  /** One call into an instance is over. */
  add(fuel: number, us: number): void {
    this.#bucket.take(fuel);
    this.cost.add(fuel, us);
  }

  /** What `configure` asked for; only after {@link start}. */
  get capabilities(): Capabilities {
    if (this.#capabilities === null) throw new Error("The component filter was not started");
    return this.#capabilities;
  }

  /** Starts the first instance with the configuration; null when it is in force, else why not. */
  start(): string | null {
    const made = this.#instantiate(0);
    return typeof made === "string" ? made : null;
  }

  /** A stream for an exchange; null while no instance may run. */
  open(): ComponentStream | null {
    this.#throttled = this.#bucket.empty;
    if (this.#throttled) {
      this.overLimit("fuelPerSecond");
      return null;
    }
    const at = this.#next;
    this.#next = (at + 1) % INSTANCES;
    const instance = this.#instances[at] ?? this.#revive(at) ?? this.#any();
    return instance === null ? null : new ComponentStream(instance, this.#limits.fuelPerRequest);
  }

  /** What an exchange fails with while no instance may run. */
  get refusal(): Fault {
    if (this.#throttled) return FAULTS["wasm.throttled"];
    return FAULTS[this.#restart.state === "tripped" ? "wasm.tripped" : "wasm.backing_off"];
  }

  /** Buries a dead instance; to be called when a call came back without an answer. */
  bury(instance: ComponentInstance): Fault {
    const at = this.#instances.indexOf(instance);
    const { kind, text } = instance.dead!;
    if (at >= 0) {
      this.#instances[at] = null;
      const labels = { filter: this.name, kind };
      this.options.metrics.counter("denim_wasm_traps_total", "Traps of Wasm filters", labels).add();
      this.#trapped(text);
    }
    return FAULTS[kind === "fuel" ? "wasm.out_of_fuel" : "wasm.trapped"];
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
    if (this.#deniedCalls.has(call)) return;
    this.#deniedCalls.add(call);
    this.options.log.warn("wasm.denied", {
      call,
      hint: "grant its capability in the FilterBinding",
    });
  }

  /** No exchange uses the plugin any more. */
  close(): void {
    this.#closed = true;
    this.#instances.fill(null);
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
    const instance = new ComponentInstance(
      this.#loaded,
      {
        ...options.limits,
        fuelPerRequest: this.#limits.fuelPerRequest,
      },
      this,
      {
        name: options.name,
        clock: options.clock,
        log: options.log,
        kv: this.#kv,
        metrics: this.#metrics,
        quotas: this.#quotas,
        overLimit: (limit) => this.overLimit(limit),
        capabilities: options.capabilities,
        denied: (call) => this.denied(call),
      },
    );
    const answer = instance.configure(options.config);
    if (typeof answer === "string") return answer;
    this.#capabilities ??= answer;
    this.#instances[at] = instance;
    this.#restart.started(options.clock.monotonicMs());
    return instance;
  }

  #trapped(text: string): void {
    this.traps++;
    this.lastTrap = text;
    this.#restart.trapped(this.options.clock.monotonicMs());
    this.options.log.warn("wasm.trap", { trap: text, state: this.state, traps: this.traps });
  }
}
