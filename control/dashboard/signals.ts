/** Golden signals from the totals proxies report: rates are differences of two samples. */
import type { ProxyView, Sample } from "../view.ts";
import type { Signals } from "./model.ts";
import type { RouteReport } from "../schema/protocol.ts";

/** What "now" means on the pages. */
export const WINDOW_MS = 10_000;
/** A proxy not heard of for this long has no rate, whatever it said last. */
const STALE_MS = 20_000;
/** A proxy's next report comes within this. */
const REPORT_MS = 6_000;
/** The last minute in steps, for the small pictures. */
const STEPS = 30, STEP_MS = 2_000;

/** A route's counters within the window. */
export interface RouteDelta {
  readonly listener: string;
  readonly backend: string;
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type Wanted = (listener: string) => boolean;

/** What passed through one proxy within the window; also routes with nothing new, so that they can be shown quiet. */
export function recent(proxy: ProxyView, nowMs: number): readonly RouteDelta[] {
  const last = proxy.samples.at(-1);
  if (last === undefined) return [];
  const first = proxy.samples.find((sample) => sample.atMs >= last.atMs - WINDOW_MS) ?? last;
  const fresh = nowMs - last.atMs <= STALE_MS && proxy.state !== "away";
  const seconds = (last.atMs - first.atMs) / 1000;
  const before = byKey(first);
  return last.routes.map((route) => {
    const old = before.get(keyOf(route));
    const moved = fresh && seconds > 0;
    return {
      listener: route.listener,
      backend: route.backend,
      requests: moved ? Math.max(0, route.requests - (old?.requests ?? 0)) : 0,
      errors: moved ? Math.max(0, route.errors - (old?.errors ?? 0)) : 0,
      seconds,
      p50Ms: route.p50Ms,
      p99Ms: route.p99Ms,
    };
  });
}

/**
 * Signals of the wanted listeners of some proxies together. p50 is weighted by requests; p99 is the worst
 * of all: quantiles cannot be added, and a promise about the slowest must not be averaged away.
 */
export function signalsOf(
  proxies: readonly ProxyView[],
  wanted: Wanted,
  nowMs: number,
): Signals {
  let perSecond = 0, requests = 0, errors = 0, weighted = 0, worst = 0;
  for (const proxy of proxies) {
    for (const route of recent(proxy, nowMs)) {
      if (!wanted(route.listener) || route.requests === 0) continue;
      perSecond += route.requests / route.seconds;
      requests += route.requests;
      errors += route.errors;
      weighted += route.p50Ms * route.requests;
      worst = Math.max(worst, route.p99Ms);
    }
  }
  return {
    requestsPerSecond: perSecond,
    successRate: requests === 0 ? null : 1 - errors / requests,
    p50Ms: requests === 0 ? null : weighted / requests,
    p99Ms: requests === 0 ? null : worst,
    history: history(proxies, wanted, nowMs),
  };
}

/** Requests per second at each step of the last minute, oldest first. */
function history(proxies: readonly ProxyView[], wanted: Wanted, nowMs: number): number[] {
  const rates = new Array<number>(STEPS).fill(0);
  for (const proxy of proxies) {
    for (let n = 1; n < proxy.samples.length; n++) {
      const [from, to] = [proxy.samples[n - 1]!, proxy.samples[n]!];
      if (to.atMs <= from.atMs) continue;
      const perSecond = Math.max(0, total(to, wanted) - total(from, wanted)) /
        ((to.atMs - from.atMs) / 1000);
      for (let step = 0; step < STEPS; step++) {
        const at = nowMs - (STEPS - step - 0.5) * STEP_MS;
        // The newest rate holds until the next report is due, else every picture would end in a fall.
        const until = n === proxy.samples.length - 1 ? to.atMs + REPORT_MS : to.atMs;
        if (at >= from.atMs && at < until) rates[step]! += perSecond;
      }
    }
  }
  return rates;
}

function total(sample: Sample, wanted: Wanted): number {
  let sum = 0;
  for (const route of sample.routes) if (wanted(route.listener)) sum += route.requests;
  return sum;
}

function byKey(sample: Sample): Map<string, RouteReport> {
  return new Map(sample.routes.map((route) => [keyOf(route), route]));
}

function keyOf(route: RouteReport): string {
  return `${route.listener} ${route.route} ${route.backend}`;
}
