/** Two promises of the proxy measured: memory after many requests, and the time from start to ready. */
import { proxyConfig, startProxy } from "./denim.ts";
import { originConfig, startHaproxy } from "./haproxy.ts";
import { median } from "./hop.ts";
import { freePorts, haveTools, memoryOf, untilListening } from "./process.ts";
import { wrk } from "./wrk.ts";

export const MAX_RSS_BYTES = 100_000_000, MAX_READY_MS = 500;

export interface MemoryResult {
  readonly bench: "memory";
  readonly requests: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
  readonly idleRssBytes: number;
  readonly limitBytes: number;
  readonly withinLimit: boolean;
}

/** Resident memory of one standalone proxy with a sidecar's flags after at least `requests` requests. */
export async function memory(requests: number): Promise<MemoryResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const [originPort, port] = freePorts(2) as [number, number];
  await using _origin = await startHaproxy(1, originConfig(originPort, 1024));
  await untilListening(originPort);
  await using proxy = await startProxy(0, proxyConfig(port, originPort));
  const idleRssBytes = memoryOf(proxy.pid).rssBytes;
  let done = 0;
  while (done < requests) {
    const url = `http://127.0.0.1:${port}/`;
    const report = await wrk({ core: 1, url, seconds: 3, connections: 32 });
    if (report.failures > 0) {
      throw new Error(`${report.failures} requests failed: nothing measured`);
    }
    done += report.requests;
  }
  const { rssBytes, peakBytes } = memoryOf(proxy.pid);
  return {
    bench: "memory",
    requests: done,
    rssBytes,
    peakBytes,
    idleRssBytes,
    limitBytes: MAX_RSS_BYTES,
    withinLimit: rssBytes < MAX_RSS_BYTES,
  };
}

export interface StartResult {
  readonly bench: "start";
  readonly starts: number;
  readonly medianMs: number;
  readonly maxMs: number;
  readonly limitMs: number;
  readonly withinLimit: boolean;
}

/** Time from process start to the ready line of one standalone proxy, `starts` times after one warm-up. */
export async function start(starts: number): Promise<StartResult> {
  const [originPort, port] = freePorts(2) as [number, number];
  const times: number[] = [];
  for (let n = 0; n <= starts; n++) {
    await using proxy = await startProxy(0, proxyConfig(port, originPort));
    if (n > 0) times.push(proxy.readyMs);
  }
  const medianMs = Math.round(median(times));
  return {
    bench: "start",
    starts,
    medianMs,
    maxMs: Math.round(Math.max(...times)),
    limitMs: MAX_READY_MS,
    withinLimit: medianMs < MAX_READY_MS,
  };
}
