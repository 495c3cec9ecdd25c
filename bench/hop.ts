/** One plain HTTP/1.1 hop beside haproxy, in alternating rounds on the same cores: CPU per request, throughput. */
import { proxyConfig, startProxy } from "./denim.ts";
import { hopConfig, originConfig, startHaproxy } from "./haproxy.ts";
import { cpuSeconds, freePorts, haveTools, untilListening } from "./process.ts";
import { wrk } from "./wrk.ts";

/** The measured proxy has the first core to itself; load and origin share the second. */
const PROXY_CORE = 0, LOAD_CORE = 1;
const BODY_BYTES = 1024, CONNECTIONS = 32;

export interface HopOptions {
  readonly rounds: number;
  readonly seconds: number;
}

export interface HopFigures {
  readonly cpuUsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface HopResult {
  readonly bench: "hop";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly connections: number;
  readonly bodyBytes: number;
  /** Medians over the rounds. */
  readonly denim: HopFigures;
  readonly haproxy: HopFigures;
  /** Denim's figure divided by haproxy's: below 1 is cheaper, above 1 is faster. */
  readonly ratio: { readonly cpuPerRequest: number; readonly throughput: number };
  readonly each: readonly { readonly denim: HopFigures; readonly haproxy: HopFigures }[];
}

export async function hop(options: HopOptions): Promise<HopResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const [originPort, haproxyPort, denimPort] = freePorts(3) as [number, number, number];
  await using _origin = await startHaproxy(LOAD_CORE, originConfig(originPort, BODY_BYTES));
  await untilListening(originPort);
  await using haproxy = await startHaproxy(PROXY_CORE, hopConfig(haproxyPort, originPort));
  await untilListening(haproxyPort);
  await using denim = await startProxy(PROXY_CORE, proxyConfig(denimPort, originPort));

  // The first round lets the JIT compile and the pools fill; it is thrown away.
  await measure(denim.pid, denimPort, options.seconds);
  await measure(haproxy.pid, haproxyPort, 1);
  const each: { denim: HopFigures; haproxy: HopFigures }[] = [];
  for (let round = 0; round < options.rounds; round++) {
    // Who goes first alternates, so that a slow drift of the machine favours nobody.
    if (round % 2 === 0) {
      const first = await measure(denim.pid, denimPort, options.seconds);
      each.push({
        denim: first,
        haproxy: await measure(haproxy.pid, haproxyPort, options.seconds),
      });
    } else {
      const first = await measure(haproxy.pid, haproxyPort, options.seconds);
      each.push({ denim: await measure(denim.pid, denimPort, options.seconds), haproxy: first });
    }
    console.error(`round ${round + 1}: ${JSON.stringify(each.at(-1))}`);
  }
  return summary(options, each);
}

async function measure(pid: number, port: number, seconds: number): Promise<HopFigures> {
  const before = cpuSeconds(pid);
  const report = await wrk({
    core: LOAD_CORE,
    url: `http://127.0.0.1:${port}/`,
    seconds,
    connections: CONNECTIONS,
  });
  if (report.failures > 0) throw new Error(`${report.failures} requests failed: nothing measured`);
  return {
    cpuUsPerRequest: round2((cpuSeconds(pid) - before) * 1e6 / report.requests),
    requestsPerSecond: Math.round(report.requestsPerSecond),
    p50Ms: round2(report.p50Ms),
    p99Ms: round2(report.p99Ms),
  };
}

/** Medians and their ratios. */
export function summary(
  options: HopOptions,
  each: readonly { readonly denim: HopFigures; readonly haproxy: HopFigures }[],
): HopResult {
  const denim = medians(each.map((round) => round.denim));
  const haproxy = medians(each.map((round) => round.haproxy));
  return {
    bench: "hop",
    rounds: options.rounds,
    secondsPerRound: options.seconds,
    connections: CONNECTIONS,
    bodyBytes: BODY_BYTES,
    denim,
    haproxy,
    ratio: {
      cpuPerRequest: round2(denim.cpuUsPerRequest / haproxy.cpuUsPerRequest),
      throughput: round2(denim.requestsPerSecond / haproxy.requestsPerSecond),
    },
    each,
  };
}

function medians(figures: readonly HopFigures[]): HopFigures {
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

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
