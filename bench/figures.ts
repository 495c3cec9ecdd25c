/** What one round of load says about what carried it, and medians over rounds. */
import { cpuSeconds } from "./process.ts";
import { wrk } from "./wrk.ts";

/** What is measured has the first core to itself; load and origin share the second. */
export const PROXY_CORE = 0, LOAD_CORE = 1;

export interface Figures {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Where load goes, and whose time it costs. */
export interface Target {
  readonly url: string;
  readonly headers?: readonly string[];
  /** Every process on the way that is under measurement. */
  readonly pids: readonly number[];
}

/** One round of closed-loop load. Throws when a request fails. */
export async function loadRound(
  target: Target,
  connections: number,
  seconds: number,
): Promise<Figures> {
  const cpu = (): number => target.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = cpu();
  const report = await wrk({
    core: LOAD_CORE,
    url: target.url,
    seconds,
    connections,
    headers: target.headers ?? [],
  });
  if (report.failures > 0) throw new Error(`${report.failures} requests failed: nothing measured`);
  return {
    cpuUsPerRequest: round2((cpu() - before) * 1e6 / report.requests),
    requestsPerSecond: Math.round(report.requestsPerSecond),
    p50Ms: round2(report.p50Ms),
    p99Ms: round2(report.p99Ms),
  };
}

export interface Round {
  readonly denim: Figures;
  readonly haproxy: Figures;
}

/** Rounds of both, one after the other; who goes first alternates, so that a drift favours nobody. */
export async function alternate(
  rounds: number,
  one: (which: keyof Round) => Promise<Figures>,
): Promise<Round[]> {
  const each: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) {
      const denim = await one("denim");
      each.push({ denim, haproxy: await one("haproxy") });
    } else {
      const haproxy = await one("haproxy");
      each.push({ denim: await one("denim"), haproxy });
    }
    console.error(`round ${round + 1}: ${JSON.stringify(each.at(-1))}`);
  }
  return each;
}

export interface Comparison extends Round {
  /** Denim's figure divided by haproxy's: below 1 is cheaper, above 1 is faster. */
  readonly ratio: { readonly cpuPerRequest: number; readonly throughput: number };
  readonly each: readonly Round[];
}

/** Medians and their ratios. */
export function compare(each: readonly Round[]): Comparison {
  const denim = medians(each.map((round) => round.denim));
  const haproxy = medians(each.map((round) => round.haproxy));
  return {
    denim,
    haproxy,
    ratio: {
      cpuPerRequest: round2(denim.cpuUsPerRequest / haproxy.cpuUsPerRequest),
      throughput: round2(denim.requestsPerSecond / haproxy.requestsPerSecond),
    },
    each,
  };
}

function medians(figures: readonly Figures[]): Figures {
  return {
    cpuUsPerRequest: median(figures.map((one) => one.cpuUsPerRequest)),
    requestsPerSecond: median(figures.map((one) => one.requestsPerSecond)),
    p50Ms: median(figures.map((one) => one.p50Ms)),
    p99Ms: median(figures.map((one) => one.p99Ms)),
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return round2((sorted[middle - 1]! + sorted[middle]!) / 2);
}

export function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
