/** Two promises about a sidecar measured on real ones: memory after many requests, and process start to ready. */
import { haveTools, memoryOf } from "./process.ts";
import { median } from "./figures.ts";
import { startPair } from "./sidecars.ts";
import { wrk } from "./wrk.ts";

export const MAX_RSS_BYTES = 100_000_000, MAX_READY_MS = 500;
const BODY_BYTES = 1024, CONNECTIONS = 32, SLICE_SECONDS = 3, LOAD_CORE = 1;

export interface MemoryResult {
  readonly bench: "memory";
  readonly requests: number;
  /** The sidecar of the caller (plaintext in, mTLS out) and that of the called (mTLS in, plaintext out). */
  readonly client: MemoryFigures;
  readonly server: MemoryFigures;
  readonly limitBytes: number;
  readonly withinLimit: boolean;
}

export interface MemoryFigures {
  readonly idleBytes: number;
  readonly rssBytes: number;
  readonly peakBytes: number;
}

/** Resident memory of two sidecars after at least `requests` requests through both. */
export async function memory(requests: number): Promise<MemoryResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  await using pair = await startPair(BODY_BYTES);
  const [clientPid, serverPid] = pair.mesh.local().services.map((one) => one.pid) as [
    number,
    number,
  ];
  const idle = [memoryOf(clientPid).rssBytes, memoryOf(serverPid).rssBytes] as const;
  let done = 0;
  while (done < requests) {
    const report = await wrk({
      core: LOAD_CORE,
      url: `${pair.outbound}/`,
      seconds: SLICE_SECONDS,
      connections: CONNECTIONS,
      headers: ["Host: origin"],
    });
    if (report.failures > 0) {
      throw new Error(`${report.failures} requests failed: nothing measured`);
    }
    done += report.requests;
  }
  const client = { idleBytes: idle[0], ...memoryOf(clientPid) };
  const server = { idleBytes: idle[1], ...memoryOf(serverPid) };
  return {
    bench: "memory",
    requests: done,
    client,
    server,
    limitBytes: MAX_RSS_BYTES,
    withinLimit: Math.max(client.rssBytes, server.rssBytes) < MAX_RSS_BYTES,
  };
}

export interface StartResult {
  readonly bench: "start";
  readonly starts: number;
  /** With its identity and last snapshot on disk, and the control plane there. */
  readonly medianMs: number;
  readonly maxMs: number;
  /** The same while the control plane is away. */
  readonly aloneMedianMs: number;
  readonly limitMs: number;
  readonly withinLimit: boolean;
}

/** Time from process start to the ready line of a sidecar that was here before. */
export async function start(starts: number): Promise<StartResult> {
  if (!await haveTools(["haproxy", "taskset"])) Deno.exit(3);
  await using pair = await startPair(BODY_BYTES);
  const sidecar = pair.mesh.proxies.get("origin")!;
  const once = async (): Promise<number> => {
    await sidecar.stop();
    const startedMs = performance.now();
    await sidecar.start();
    return performance.now() - startedMs;
  };
  const times: number[] = [], alone: number[] = [];
  for (let n = 0; n < starts; n++) times.push(await once());
  await pair.mesh.control.stop();
  for (let n = 0; n < starts; n++) alone.push(await once());
  const medianMs = Math.round(median(times));
  return {
    bench: "start",
    starts,
    medianMs,
    maxMs: Math.round(Math.max(...times)),
    aloneMedianMs: Math.round(median(alone)),
    limitMs: MAX_READY_MS,
    withinLimit: medianMs < MAX_READY_MS,
  };
}
