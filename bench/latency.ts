/** Open loop at fixed rates: what the way through two sidecars adds to the latency without any, beside the rivals' pairs. */
import {
  alternate,
  compare,
  type Comparison,
  type Figures,
  round2,
  type Watched,
} from "./figures.ts";
import { cpuOf, type Target } from "./load.ts";
import { type OpenLoad, openLoop, realTime } from "./open_loop.ts";
import { watchOthers } from "./others.ts";
import { startPairs } from "./pairs.ts";
import { haveTools } from "./process.ts";
import { answering } from "./sidecars.ts";

const BODY_BYTES = 1024, RATES = [1000, 5000], CONNECTIONS = 64, WARM_UP_SECONDS = 1;
/** A client that is later than this itself has nothing to say about latencies. */
export const MAX_CLIENT_LATE_P99_US = 250;

export interface LatencyFigures extends Figures, Watched {
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly addedP50Us: number;
  readonly addedP99Us: number;
  readonly addedP999Us: number;
  readonly cpuUsPerRequest: number;
  readonly clientLateP99Us: number;
}

export interface LatencyResult {
  readonly bench: "latency";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly connections: number;
  readonly bodyBytes: number;
  /** By requests per second. `direct` is the origin alone. */
  readonly at: Readonly<Record<string, Comparison<LatencyFigures>>>;
  /** False when the load client itself was too late for its figures to mean anything. */
  readonly precise: boolean;
}

export async function latency(
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<LatencyResult> {
  if (!await haveTools(["haproxy", "taskset", "openssl"])) Deno.exit(3);
  await using pairs = await startPairs(answering(BODY_BYTES));
  const targets: Readonly<Record<string, Target>> = {
    direct: { url: pairs.direct, pids: [] },
    ...pairs.targets,
  };
  const first = await realTime();
  const at: Record<string, Comparison<LatencyFigures>> = {};
  for (const perSecond of RATES) {
    console.error(`${perSecond} requests a second`);
    for (const target of Object.values(targets)) await round(target, perSecond, 1, first);
    const each = await alternate(
      rounds,
      Object.keys(targets),
      (name) => round(targets[name]!, perSecond, seconds, first),
    );
    at[perSecond] = compare(each.map(withAdded));
  }
  const late = Object.values(at).map(({ medians }) => medians["direct"]!.clientLateP99Us);
  return {
    bench: "latency",
    rounds,
    secondsPerRound: seconds,
    connections: CONNECTIONS,
    bodyBytes: BODY_BYTES,
    at,
    precise: Math.max(...late) <= MAX_CLIENT_LATE_P99_US,
  };
}

async function round(
  target: Target,
  perSecond: number,
  seconds: number,
  first: readonly string[],
): Promise<LatencyFigures> {
  const load: OpenLoad = {
    perSecond,
    seconds,
    warmUpSeconds: WARM_UP_SECONDS,
    connections: CONNECTIONS,
  };
  const before = cpuOf(target), others = watchOthers();
  const report = await openLoop(target, load, first);
  const all = perSecond * (seconds + WARM_UP_SECONDS);
  return {
    p50Us: report.p50Us,
    p99Us: report.p99Us,
    p999Us: report.p999Us,
    addedP50Us: 0,
    addedP99Us: 0,
    addedP999Us: 0,
    cpuUsPerRequest: round2((cpuOf(target) - before) * 1e6 / all),
    clientLateP99Us: report.lateP99Us,
    othersPercent: others(),
  };
}

/** Percentiles of a round less those of the origin alone in the same round. */
export function withAdded(
  round: Readonly<Record<string, LatencyFigures>>,
): Record<string, LatencyFigures> {
  const direct = round["direct"]!;
  const entries = Object.entries(round).map(([name, figures]) => [name, {
    ...figures,
    addedP50Us: figures.p50Us - direct.p50Us,
    addedP99Us: figures.p99Us - direct.p99Us,
    addedP999Us: figures.p999Us - direct.p999Us,
  }]);
  return Object.fromEntries(entries);
}
