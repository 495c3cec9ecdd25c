/**
 * Sheds load before the process collapses under it: new requests get 503 with `retry-after` while a
 * signal is above its limit, and until all of them have been clearly below for a while.
 *
 *   calm ──a signal ≥ its limit (for as many looks in a row as it says)──▶ shedding
 *     ▲                                                                        │
 *     └──────every signal < 80 % of its limit for CALM_LOOKS looks in a row────┘
 *
 * Running exchanges go on: finishing them is what frees memory.
 */
import type { Buffered } from "../core/buffered.ts";
import type { Log } from "../core/log.ts";
import type { Counter, Gauge, Metrics } from "../core/metrics.ts";

export interface OverloadLimits {
  /** Exchanges under way in this process. */
  readonly maxInFlight: number;
  /** How late the event loop runs its timers, smoothed over a few looks. */
  readonly maxLoopLagMs: number;
  /** Share of the heap's limit that is used, in percent. */
  readonly maxHeapPercent: number;
  /** Memory of the process as the system counts it; 0: no limit. */
  readonly maxRssBytes: number;
  /** Bytes held for slow readers and for retries, all together. */
  readonly maxBufferedBytes: number;
}

export const OVERLOAD_LIMITS: OverloadLimits = {
  maxInFlight: 10_000,
  maxLoopLagMs: 500,
  maxHeapPercent: 92,
  maxRssBytes: 0,
  maxBufferedBytes: 256 * 1024 * 1024,
};

/** What the process measures of itself at one look. */
export interface Sample {
  readonly loopLagMs: number;
  readonly heapPercent: number;
  readonly rssBytes: number;
}

export const LOOK_MS = 250;
export const CALM_LOOKS = 4;
/** A signal is calm below this share of its limit. */
const CALM_SHARE = 0.8;
/** Part of the limit on buffered bytes above which nothing is kept for retries. */
const TIGHT_SHARE = 0.5;
/** Signals that jump (a collection, a stall) must stay high for so many looks. */
const JUMPY_LOOKS = 3;

interface Signal {
  readonly name: string;
  readonly limit: number;
  readonly looks: number;
  /** How far it is, in percent of the limit; null where there is none. */
  readonly gauge: Gauge | null;
  high: number;
  value: number;
}

export class Overload {
  readonly limits: OverloadLimits;
  readonly #buffered: Buffered;
  readonly #log: Log;
  readonly #signals: readonly Signal[];
  readonly #lag: Signal;
  readonly #heap: Signal;
  readonly #rss: Signal;
  readonly #held: Signal;
  readonly #running: Signal;
  readonly #shed: Counter;
  readonly #state: Gauge;
  readonly #inFlightGauge: Gauge;
  readonly #lagGauge: Gauge;
  readonly #heldGauge: Gauge;
  #inFlight = 0;
  #calm = 0;
  #reason: string | null = null;

  constructor(limits: Partial<OverloadLimits>, buffered: Buffered, metrics: Metrics, log: Log) {
    this.limits = { ...OVERLOAD_LIMITS, ...limits };
    this.#buffered = buffered;
    this.#log = log;
    const { maxLoopLagMs, maxHeapPercent, maxRssBytes, maxBufferedBytes, maxInFlight } =
      this.limits;
    const signal = (name: string, limitName: string, limit: number, looks: number): Signal => {
      const gauge = limit <= 0 ? null : metrics.gauge(
        "denim_overload_percent",
        "How far each signal of overload is, in percent of its limit",
        { signal: limitName },
      );
      return { name, limit, looks, gauge, high: 0, value: 0 };
    };
    this.#lag = signal("event loop lag (ms)", "loop-lag", maxLoopLagMs, JUMPY_LOOKS);
    this.#heap = signal("heap (%)", "heap-percent", maxHeapPercent, JUMPY_LOOKS);
    this.#rss = signal("memory (bytes)", "rss", maxRssBytes, JUMPY_LOOKS);
    this.#held = signal("buffered bytes", "buffered", maxBufferedBytes, 1);
    this.#running = signal("exchanges in flight", "in-flight", maxInFlight, 1);
    this.#signals = [this.#lag, this.#heap, this.#rss, this.#held, this.#running];
    this.#shed = metrics.counter("denim_requests_shed_total", "Requests refused under overload");
    this.#state = metrics.gauge("denim_overloaded", "Whether new requests are refused");
    this.#inFlightGauge = metrics.gauge("denim_exchanges_in_flight", "Exchanges under way");
    this.#lagGauge = metrics.gauge("denim_event_loop_lag_ms", "How late timers run, smoothed");
    this.#heldGauge = metrics.gauge("denim_buffered_bytes", "Held for slow readers and retries");
  }

  /** Why new requests are refused; null while they are not. */
  get reason(): string | null {
    return this.#reason;
  }
  get inFlight(): number {
    return this.#inFlight;
  }

  /** An exchange begins; false when it should be refused. Each began() is followed by one ended(). */
  began(): boolean {
    this.#inFlight++;
    if (this.#reason === null && this.#inFlight <= this.limits.maxInFlight) return true;
    this.#shed.add();
    if (this.#reason === null) {
      this.#running.value = this.#inFlight;
      this.#enter(this.#running);
    }
    return false;
  }
  ended(): void {
    this.#inFlight--;
  }

  /** To be called every {@link LOOK_MS}. */
  look(sample: Sample): void {
    this.#lag.value = (this.#lag.value + sample.loopLagMs) / 2;
    this.#heap.value = sample.heapPercent;
    this.#rss.value = sample.rssBytes;
    this.#held.value = this.#buffered.bytes;
    this.#running.value = this.#inFlight;
    this.#inFlightGauge.set(this.#inFlight);
    this.#lagGauge.set(Math.round(this.#lag.value));
    this.#heldGauge.set(this.#buffered.bytes);
    this.#buffered.tight = this.#buffered.bytes >= this.limits.maxBufferedBytes * TIGHT_SHARE;
    let calm = true;
    for (const one of this.#signals) {
      if (one.limit <= 0) continue;
      measure(one);
      one.high = one.value >= one.limit ? one.high + 1 : 0;
      if (one.value >= one.limit * CALM_SHARE) calm = false;
      if (this.#reason === null && one.high >= one.looks) this.#enter(one);
    }
    if (this.#reason === null) return;
    this.#calm = calm ? this.#calm + 1 : 0;
    if (this.#calm >= CALM_LOOKS) this.#leave();
  }

  #enter(signal: Signal): void {
    const { name, value, limit } = signal;
    measure(signal);
    this.#reason = `${name} ${Math.round(value)}, limit ${limit}`;
    this.#calm = 0;
    this.#state.set(1);
    this.#log.warn("overload.shedding", { signal: name, value: Math.round(value), limit });
  }

  #leave(): void {
    this.#reason = null;
    this.#state.set(0);
    this.#log.info("overload.over", { shed: this.#shed.value });
  }
}

function measure({ gauge, value, limit }: Signal): void {
  gauge?.set(Math.round((value / limit) * 100));
}
