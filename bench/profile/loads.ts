/** What both sidecars can be profiled under. */
import { LOAD_CORE } from "../load.ts";
import { answering, type Pair, type StartOrigin } from "../sidecars.ts";
import { streamOrigin, transferOnce } from "../stream.ts";
import { wrk } from "../wrk.ts";

export interface Load {
  readonly name: string;
  /** Runs for at least so long; how many requests, or gigabytes, passed. */
  readonly run: (pair: Pair, seconds: number) => Promise<number>;
}

export interface LoadKind {
  /** What `run` counts. */
  readonly unit: "request" | "GB";
  readonly origin: StartOrigin;
  readonly loads: readonly Load[];
}

const STREAM_BYTES = 250_000_000;

export const LOADS = {
  requests: {
    unit: "request",
    origin: answering(1024),
    loads: [8, 32, 128].map((connections) => ({
      name: `${connections} connections`,
      run: (pair, seconds) => requests(pair, connections, seconds),
    })),
  },
  stream: {
    unit: "GB",
    origin: streamOrigin(STREAM_BYTES),
    loads: (["down", "up"] as const).map((direction) => ({
      name: direction,
      run: (pair, seconds) => gigabytes(pair, direction, seconds),
    })),
  },
} as const satisfies Readonly<Record<string, LoadKind>>;

async function requests(pair: Pair, connections: number, seconds: number): Promise<number> {
  const report = await wrk({
    core: LOAD_CORE,
    url: `${pair.outbound}/`,
    seconds,
    connections,
    headers: ["Host: origin"],
  });
  return report.requests;
}

async function gigabytes(pair: Pair, direction: "down" | "up", seconds: number): Promise<number> {
  const untilMs = performance.now() + seconds * 1000;
  const target = { url: pair.outbound, host: "origin", pids: pair.pids };
  let bytes = 0;
  while (performance.now() < untilMs) {
    await transferOnce(target, direction, STREAM_BYTES);
    bytes += STREAM_BYTES;
  }
  return bytes / 1e9;
}
