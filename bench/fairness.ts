/**
 * Small requests at a fixed rate, alone and beside a download of 1 GB: how far it moves their slowest.
 *
 *   alone    small ──▶ pair
 *   beside   small ──▶ pair ◀── download      the same connections between the two sidecars
 *   apart    small ──▶ pair, download ──▶ another pair of the same kind, on the same core, to the same origin
 *
 * The download takes processor time from everybody. `apart` has the same of that, so that beside ÷ apart is
 * what sharing sidecars and connections costs, and beside ÷ alone is what is felt.
 */
import { GIVING_WAY, startDownloads } from "./downloads.ts";
import {
  alternate,
  compare,
  type Comparison,
  type Figures,
  round2,
  type Watched,
} from "./figures.ts";
import type { DownloadReport } from "./load_client/downloads.ts";
import type { LatencyReport } from "./load_client/schedule.ts";
import { LOAD_CORE, type Target } from "./load.ts";
import { openLoop, realTime } from "./open_loop.ts";
import { watchOthers } from "./others.ts";
import { startPairs } from "./pairs.ts";
import { mixedOriginConfig, startHaproxy } from "./peers/haproxy.ts";
import { freePorts, haveTools, startPinned, untilListening } from "./process.ts";
import { program } from "./stream.ts";

const PER_SECOND = 500, CONNECTIONS = 64, WARM_UP_SECONDS = 1, BODY_BYTES = 1024;
const LONG_PATH = "/long", LONG_BYTES = 1e9;

export interface FairnessFigures extends Figures, Watched {
  readonly aloneP50Us: number;
  readonly aloneP99Us: number;
  readonly besideP50Us: number;
  readonly besideP99Us: number;
  readonly apartP50Us: number;
  readonly apartP99Us: number;
  /** p99 beside the download ÷ alone. */
  readonly moved: number;
  /** p99 beside the download ÷ beside one through another pair. */
  readonly movedBySharing: number;
  /** Of the download beside the small requests. */
  readonly mbPerSecond: number;
  readonly apartMbPerSecond: number;
}

export interface FairnessResult extends Comparison<FairnessFigures> {
  readonly bench: "fairness";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly perSecond: number;
  readonly bodyBytes: number;
  readonly downloadBytes: number;
}

export async function fairness(
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<FairnessResult> {
  if (!await haveTools(["haproxy", "taskset", "openssl"])) Deno.exit(3);
  await using pairs = await startPairs(mixedOrigin);
  await using others = await startPairs(pairs.originPort);
  const first = await realTime();
  const one = (name: string, seconds: number): Promise<FairnessFigures> =>
    round(pairs.targets[name]!, others.targets[name]!, seconds, first);
  const names = Object.keys(pairs.targets);
  for (const name of names) await one(name, 1);
  const each = await alternate(rounds, names, (name) => one(name, seconds));
  return {
    bench: "fairness",
    rounds,
    secondsPerRound: seconds,
    perSecond: PER_SECOND,
    bodyBytes: BODY_BYTES,
    downloadBytes: LONG_BYTES,
    ...compare(each),
  };
}

/** Small answers from haproxy's memory; the long one comes through it from a process of its own. */
async function mixedOrigin(port: number): Promise<AsyncDisposable> {
  const [longPort] = freePorts(1) as [number];
  const stack = new AsyncDisposableStack();
  const stream = program("stream_origin", [`${longPort}`, `${LONG_BYTES}`]);
  stack.use(startPinned(LOAD_CORE, [...GIVING_WAY, ...stream]));
  const config = mixedOriginConfig(port, BODY_BYTES, LONG_PATH, longPort);
  stack.use(await startHaproxy(LOAD_CORE, config));
  await untilListening(longPort);
  return stack;
}

/** `apart` is another pair of the same kind. */
async function round(
  target: Target,
  apart: Target,
  seconds: number,
  first: readonly string[],
): Promise<FairnessFigures> {
  const load = {
    perSecond: PER_SECOND,
    seconds,
    warmUpSeconds: WARM_UP_SECONDS,
    connections: CONNECTIONS,
  };
  const small = (): Promise<LatencyReport> => openLoop(target, load, first);
  const besideOne = async (through: Target): Promise<Beside> => {
    await using downloads = await startDownloads(through, LONG_PATH);
    return { small: await small(), download: await downloads.stop() };
  };
  const others = watchOthers();
  const alone = await small(), beside = await besideOne(target);
  return figuresOf(alone, beside, await besideOne(apart), others());
}

export interface Beside {
  readonly small: LatencyReport;
  readonly download: DownloadReport;
}

export function figuresOf(
  alone: LatencyReport,
  beside: Beside,
  apart: Beside,
  othersPercent: number,
): FairnessFigures {
  return {
    aloneP50Us: alone.p50Us,
    aloneP99Us: alone.p99Us,
    besideP50Us: beside.small.p50Us,
    besideP99Us: beside.small.p99Us,
    apartP50Us: apart.small.p50Us,
    apartP99Us: apart.small.p99Us,
    moved: round2(beside.small.p99Us / alone.p99Us),
    movedBySharing: round2(beside.small.p99Us / apart.small.p99Us),
    mbPerSecond: mbPerSecond(beside.download),
    apartMbPerSecond: mbPerSecond(apart.download),
    othersPercent,
  };
}

function mbPerSecond({ bytes, seconds }: DownloadReport): number {
  return Math.round(bytes / 1e6 / seconds);
}
