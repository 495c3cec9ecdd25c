/** What every instance of one plugin shares: its configuration, limits, state and accounts. */
import type { Clock, Random } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Counter } from "../../core/metrics.ts";
import type { PluginMetrics } from "./metrics.ts";
import type { SharedData } from "./shared_data.ts";
import type { Vm } from "./vm.ts";

export interface PluginLimits {
  readonly fuelPerCall: number;
  readonly startFuel: number;
  readonly memoryBytes: number;
}

/** The same totals as the proxy's metrics, which outlive a plugin. */
export interface CostSeries {
  readonly calls: Counter;
  readonly fuel: Counter;
  readonly us: Counter;
}

/** Running totals of what a plugin cost. */
export class Cost {
  readonly #series: CostSeries;
  calls = 0;
  fuel = 0;
  #timedUs = 0;
  #timedFuel = 0;

  constructor(series: CostSeries) {
    this.#series = series;
  }

  /** One call into the guest; `us` is negative when it was not timed. */
  add(fuel: number, us: number): void {
    this.calls++;
    this.fuel += fuel;
    this.#series.calls.value++;
    this.#series.fuel.value += fuel;
    if (us < 0) return;
    const before = this.us;
    this.#timedFuel += fuel;
    this.#timedUs += us;
    // A counter only grows, even when the estimate turns out to have been too high.
    if (this.us > before) this.#series.us.value += this.us - before;
  }

  /** Microseconds of all calls: what the timed ones took per fuel, times all fuel; so a long call counts long. */
  get us(): number {
    return this.#timedFuel === 0 ? 0 : this.#timedUs * (this.fuel / this.#timedFuel);
  }
}

export interface PluginHost {
  /** FilterBinding it comes from, `namespace/name`. */
  readonly name: string;
  readonly rootName: string;
  readonly config: Uint8Array;
  readonly capabilities: ReadonlySet<string>;
  readonly limits: PluginLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly cost: Cost;
  readonly shared: SharedData;
  readonly metrics: PluginMetrics;
  /** Whether one more line fits the filter's share of the log. */
  mayLog(): boolean;
  /** `vm` wants ticks at another interval. */
  tickChanged(vm: Vm): void;
  /** A host call the binding does not grant was made. */
  denied(call: string): void;
}
