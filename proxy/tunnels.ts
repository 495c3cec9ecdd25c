/** The tunnels of one listener: what they carry is counted while they last, and idle ones end. */
import { FAULTS } from "../core/fault.ts";
import type { Gauge, Metrics } from "../core/metrics.ts";
import type { Exchange } from "./exchange.ts";

interface Seen {
  up: number;
  down: number;
  movedMs: number;
}

export class Tunnels {
  readonly #open = new Map<Exchange, Seen>();
  readonly #metrics: Metrics;
  #gauge: Gauge;

  constructor(metrics: Metrics, listener: string) {
    this.#metrics = metrics;
    this.#gauge = gaugeOf(metrics, listener);
  }

  rename(listener: string): void {
    this.#gauge.add(-this.#open.size);
    this.#gauge = gaugeOf(this.#metrics, listener);
    this.#gauge.add(this.#open.size);
  }

  add(x: Exchange, nowMs: number): void {
    this.#open.set(x, { up: 0, down: 0, movedMs: nowMs });
    this.#gauge.set(this.#open.size);
  }

  ended(x: Exchange): void {
    const seen = this.#open.get(x);
    if (seen === undefined) return;
    count(x, seen);
    this.#open.delete(x);
    this.#gauge.set(this.#open.size);
  }

  /** To be called every second. */
  sweep(nowMs: number, idleMs: number): void {
    for (const [x, seen] of this.#open) {
      if (count(x, seen)) seen.movedMs = nowMs;
      else if (nowMs - seen.movedMs > idleMs) x.fail(FAULTS["tunnel.idle"]);
    }
  }
}

/** Adds what has passed since the last look; false: nothing has. */
function count(x: Exchange, seen: Seen): boolean {
  const up = x.tunnelledUp - seen.up, down = x.tunnelledDown - seen.down;
  if (up === 0 && down === 0) return false;
  seen.up += up;
  seen.down += down;
  x.route.stats.carried(up, down);
  return true;
}

function gaugeOf(metrics: Metrics, listener: string): Gauge {
  return metrics.gauge("denim_tunnels_open", "Tunnels open now", { listener });
}
