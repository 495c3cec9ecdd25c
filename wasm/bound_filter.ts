/** What every bound filter has in one proxy, whatever its ABI: its books, its limits, and whether it may run. */
import type { Calls } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import type { Metrics } from "../core/metrics.ts";
import { FuelBucket } from "./fuel_bucket.ts";
import type { FilterLimits, LimitName } from "./limits.ts";
import { OverLimit } from "./over_limit.ts";
import { type Cost, costOf } from "./proxy_wasm/host.ts";
import { PluginMetrics } from "./proxy_wasm/metrics.ts";
import { RestartPolicy } from "./proxy_wasm/restart.ts";
import { Quotas } from "./quota.ts";
import type { FilterStatus } from "./reports.ts";
import { RouteCosts } from "./route_costs.ts";

/** What is not granted is logged once each, so many of it: guests choose the names. */
const MAX_DENIED = 64;
/** The same for names of upstreams that are asked for in vain. */
const MAX_STRANGERS = 16;

export interface BoundOptions {
  /** FilterBinding it comes from, `namespace/name`. */
  readonly name: string;
  readonly digest: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
}

export abstract class BoundFilter<Limits extends FilterLimits = FilterLimits>
  implements FilterStatus {
  readonly name: string;
  readonly digest: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  readonly metrics: PluginMetrics;
  readonly cost: Cost;
  readonly routes: RouteCosts;
  readonly quotas: Quotas;
  /** Fuel of this second. */
  readonly bucket: FuelBucket;
  traps = 0;
  lastTrap = "";
  protected readonly restart: RestartPolicy = new RestartPolicy();
  readonly #registry: Metrics;
  readonly #overLimit: OverLimit;
  #throttled = false;
  readonly #denied = new Set<string>();
  readonly #strangers = new Set<string>();
  /** Of the snapshots that have the filter, the newest last. */
  readonly #calls: Calls[] = [];
  readonly #firstCalls: Calls;

  /** `calls`: by which it asks others while no snapshot has it yet. */
  constructor(options: BoundOptions, limits: Limits, calls: Calls) {
    const { name, digest, clock, metrics, log } = options;
    this.name = name;
    this.digest = digest;
    this.clock = clock;
    this.log = log;
    this.limits = limits;
    this.metrics = new PluginMetrics(metrics, name);
    this.cost = costOf(metrics, name);
    this.routes = new RouteCosts(metrics, name, digest);
    this.quotas = new Quotas(limits);
    this.bucket = new FuelBucket(clock, limits.fuelPerSecond);
    this.#registry = metrics;
    this.#overLimit = new OverLimit(options);
    this.#firstCalls = calls;
  }

  abstract get memoryBytes(): number;
  /** What to do about an upstream the binding does not name. */
  protected abstract get upstreamHint(): string;

  get state(): FilterStatus["state"] {
    return this.restart.state;
  }

  /** Whether the fuel of this second is used up: no exchange is begun then. */
  throttled(): boolean {
    this.#throttled = this.bucket.empty;
    if (this.#throttled) this.overLimit("fuelPerSecond");
    return this.#throttled;
  }

  /** What an exchange fails with while no instance may run. */
  get refusal(): Fault {
    if (this.#throttled) return FAULTS["wasm.throttled"];
    return FAULTS[this.restart.state === "tripped" ? "wasm.tripped" : "wasm.backing_off"];
  }

  /** The filter was refused something for being over a limit. */
  overLimit(limit: LimitName): void {
    this.#overLimit.note(limit, this.limits[limit]);
  }

  /** Something was asked for that the binding does not grant. */
  denied(call: string): void {
    if (!firstOf(this.#denied, call, MAX_DENIED)) return;
    this.log.warn("wasm.denied", { call, hint: "grant it in the FilterBinding" });
  }

  /** It named an upstream that the binding does not. */
  noUpstream(name: string): void {
    if (!firstOf(this.#strangers, name, MAX_STRANGERS)) return;
    this.log.warn("wasm.unknown_upstream", { upstream: name, hint: this.upstreamHint });
  }

  /** A snapshot has the filter from now on: requests of its own go by the newest one. */
  adopt(calls: Calls): void {
    this.#calls.push(calls);
  }
  abandon(calls: Calls): void {
    const at = this.#calls.lastIndexOf(calls);
    if (at >= 0) this.#calls.splice(at, 1);
  }
  get calls(): Calls {
    return this.#calls.at(-1) ?? this.#firstCalls;
  }

  /** One more for the metrics. */
  protected countTrap(kind: string): void {
    const labels = { filter: this.name, kind };
    this.#registry.counter("denim_wasm_traps_total", "Traps of Wasm filters", labels).add();
  }

  /** An instance is lost, or could not be made. */
  protected trapped(text: string): void {
    this.traps++;
    this.lastTrap = text;
    this.restart.trapped(this.clock.monotonicMs());
    this.log.warn("wasm.trap", { trap: text, state: this.state, traps: this.traps });
  }
}

/** Whether a name has not been met before, of the first `most`. */
function firstOf(met: Set<string>, name: string, most: number): boolean {
  if (met.size >= most || met.has(name)) return false;
  met.add(name);
  return true;
}
