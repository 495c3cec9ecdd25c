/** What every instance of one plugin shares: its configuration, limits, state and accounts. */
import type { Calls } from "../../core/calls.ts";
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Counter, Metrics } from "../../core/metrics.ts";
import type { FuelBucket } from "../fuel_bucket.ts";
import type { FilterLimits, LimitName } from "../limits.ts";
import type { RouteCosts } from "../route_costs.ts";
import type { Permits } from "../permissions.ts";
import type { Quotas } from "../quota.ts";
import type { StreamContext } from "./context.ts";
import type { PluginMetrics } from "./metrics.ts";
import type { SharedData } from "./shared_data.ts";
import type { SharedQueues } from "./shared_queues.ts";
import type { Effect, Vm } from "./vm.ts";

export interface PluginLimits extends FilterLimits {
  readonly startFuel: number;
  readonly memoryBytes: number;
}

/** A backend a guest may send requests of its own. */
export interface Upstream {
  readonly backend: string;
  /** Lines every request there gets, flat. */
  readonly fields: readonly string[];
}

/** The same totals as the proxy's metrics, which outlive a plugin. */
export interface CostSeries {
  readonly calls: Counter;
  readonly fuel: Counter;
  readonly us: Counter;
}

/** The dearest fuel measured on ordinary code, see bench/micro/wasm_bench.ts. */
const US_PER_FUEL = 0.0021;

/** Running totals of what a plugin cost. */
export class Cost {
  readonly #series: CostSeries;
  calls = 0;
  fuel = 0;
  /** Microseconds of all calls: the timed ones as measured, the others as estimated. */
  us = 0;
  #timedCalls = 0;
  #timedUs = 0;
  #timedFuel = 0;

  constructor(series: CostSeries) {
    this.#series = series;
  }

  /** One call into the guest; `us` is negative when it was not timed. What it is taken to have cost. */
  add(fuel: number, us: number): number {
    if (us < 0) us = this.#estimate(fuel);
    else {
      this.#timedCalls++;
      this.#timedFuel += fuel;
      this.#timedUs += us;
    }
    this.calls++;
    this.fuel += fuel;
    this.us += us;
    this.#series.calls.value++;
    this.#series.fuel.value += fuel;
    this.#series.us.value += us;
    return us;
  }

  /**
   * A call costs what the timed ones did on average, more if it burnt more fuel. Small calls are mostly
   * overhead, so scaling them up alone would make a long call cost seconds: fuel has its own ceiling.
   */
  #estimate(fuel: number): number {
    if (this.#timedCalls === 0) return 0;
    const mean = this.#timedUs / this.#timedCalls;
    const meanFuel = Math.max(1, this.#timedFuel / this.#timedCalls);
    return Math.min(mean * Math.max(1, fuel / meanFuel), mean + fuel * US_PER_FUEL);
  }
}

/** Of one filter, which adds to the series of its name. */
export function costOf(metrics: Metrics, filter: string): Cost {
  const labels = { filter };
  return new Cost({
    calls: metrics.counter("denim_wasm_calls_total", "Calls into Wasm filters", labels),
    fuel: metrics.counter("denim_wasm_fuel_total", "Fuel Wasm filters used", labels),
    us: metrics.counter("denim_wasm_us_total", "Microseconds in Wasm filters, estimated", labels),
  });
}

export interface PluginHost {
  /** FilterBinding it comes from, `namespace/name`. */
  readonly name: string;
  readonly rootName: string;
  readonly config: Uint8Array;
  /** Its streams are connections, not exchanges of HTTP. */
  readonly network: boolean;
  readonly capabilities: ReadonlySet<string>;
  /** Names it may touch. */
  readonly permits: Permits;
  readonly limits: PluginLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cost: Cost;
  readonly shared: SharedData;
  readonly metrics: PluginMetrics;
  readonly quotas: Quotas;
  readonly routes: RouteCosts;
  /** Fuel of this second. */
  readonly bucket: FuelBucket;
  /** The guest was refused something for being over a limit. */
  overLimit(limit: LimitName): void;
  /** Whom the guest may ask, by what it calls them. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
  readonly calls: Calls;
  /** Effects of a guest call are being seen to: what comes back now must wait. */
  readonly busy: boolean;
  /** Comes back to `effect` when whatever runs now is over. */
  post(effect: Effect): void;
  /** To be called after every call into a guest. */
  settle(vm: Vm, own: StreamContext | null): void;
  readonly queues: SharedQueues;
  readonly vmId: string;
  /** Something was put into a queue this plugin listens to. */
  queueReady(id: number): void;
  /** The root of `vm` has come to its end after all. */
  rootDone(vm: Vm): void;
  /** The guest named an upstream it may not ask. */
  noUpstream(name: string): void;
  /** Whether one more line fits the filter's share of the log. */
  mayLog(): boolean;
  /** `vm` wants ticks at another interval. */
  tickChanged(vm: Vm): void;
  /** A host call the binding does not grant was made. */
  denied(call: string): void;
}
