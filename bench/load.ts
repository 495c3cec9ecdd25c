/** One round of closed-loop HTTP load: throughput, latency, and CPU time of what carried it. */
import { type Figures, round2, type Watched } from "./figures.ts";
import { watchOthers } from "./others.ts";
import { cpuSeconds } from "./process.ts";
import { wrk } from "./wrk.ts";

/** What is measured has the first core to itself; load and origin share the second. */
export const PROXY_CORE = 0, LOAD_CORE = 1;

export interface LoadFigures extends Figures, Watched {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Where load goes, and whose time it costs. */
export interface Target {
  readonly url: string;
  /** For the `Host` header; that of the URL without it. */
  readonly host?: string;
  /** Further lines of each request: `Name: value`. */
  readonly headers?: readonly string[];
  /** Every process on the way that is under measurement. */
  readonly pids: readonly number[];
}

export type Targets = Readonly<Record<string, Target>>;

/** One round by wrk. Throws when a request fails. */
export async function loadRound(
  target: Target,
  connections: number,
  seconds: number,
): Promise<LoadFigures> {
  const before = cpuOf(target), others = watchOthers();
  const report = await wrk({
    core: LOAD_CORE,
    url: target.url,
    seconds,
    connections,
    headers: [
      ...(target.host === undefined ? [] : [`Host: ${target.host}`]),
      ...(target.headers ?? []),
    ],
  });
  if (report.failures > 0) {
    const said = await answerOf(target);
    throw new Error(`${report.failures} requests to ${target.url} failed, and now it says ${said}`);
  }
  return {
    cpuUsPerRequest: round2((cpuOf(target) - before) * 1e6 / report.requests),
    requestsPerSecond: Math.round(report.requestsPerSecond),
    p50Ms: round2(report.p50Ms),
    p99Ms: round2(report.p99Ms),
    othersPercent: others(),
  };
}

/** Status and beginning of the body: tells why a round failed. */
async function answerOf({ url, host }: Target): Promise<string> {
  try {
    const response = await fetch(url, { headers: host === undefined ? {} : { host } });
    return `${response.status} ${(await response.text()).slice(0, 200)}`;
  } catch (problem) {
    return String(problem);
  }
}

/** CPU seconds that all processes on the way have taken so far. */
export function cpuOf(target: Target): number {
  return target.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
}

/** Lets the JIT compile and the pools fill; what it measures is thrown away. */
export async function warmUp(targets: Targets, connections: number): Promise<void> {
  for (const [name, target] of Object.entries(targets)) {
    await loadRound(target, connections, name === "denim" ? 4 : 1);
  }
}
