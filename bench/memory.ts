/** Resident memory of two sidecars: after many requests, then after many connections; it must stay low, and flat. */
import { LOAD_CORE, PROXY_CORE } from "./load.ts";
import { haveTools, memoryOf } from "./process.ts";
import { answering, type Pair, startPair } from "./sidecars.ts";
import { slope } from "./slope.ts";
import { wrk } from "./wrk.ts";

export const MAX_RSS_BYTES = 100_000_000;
/** What a sidecar may grow by per million requests, or connections, once it is warm: noise of the collector. */
export const FLAT_BYTES_PER_MILLION = 10_000_000;
const BODY_BYTES = 1024, CONNECTIONS = 32, SLICE_SECONDS = 3;

export interface MemoryOptions {
  readonly requests: number;
  readonly connections: number;
}

export interface MemoryResult {
  readonly bench: "memory";
  readonly requests: number;
  readonly connections: number;
  /** The sidecar of the caller (plaintext in, mTLS out) and that of the called (mTLS in, plaintext out). */
  readonly client: MemoryFigures;
  readonly server: MemoryFigures;
  readonly limitBytes: number;
  readonly withinLimit: boolean;
}

export interface MemoryFigures {
  readonly idleBytes: number;
  readonly afterRequestsBytes: number;
  readonly afterConnectionsBytes: number;
  readonly peakBytes: number;
  /** Growth over the second half of the requests, per million of them. */
  readonly bytesPerMillionRequests: number;
  /** The sizes it was seen at while requests passed, in MB. */
  readonly seenMb: readonly number[];
}

export async function memory({ requests, connections }: MemoryOptions): Promise<MemoryResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  await using pair = await startPair(answering(BODY_BYTES), { core: PROXY_CORE });
  const idle = sizes(pair);
  const seen: [requests: number, sizes: readonly number[]][] = [];
  const requested = await slices(pair, requests, [], (done) => {
    seen.push([done, sizes(pair)]);
    console.error(`${done} requests: ${sizes(pair).map(mb).join(" and ")} MB`);
  });
  const afterRequests = sizes(pair);
  const connected = await slices(pair, connections, ["Connection: close"], (done) => {
    console.error(`${done} connections: ${sizes(pair).map(mb).join(" and ")} MB`);
  });
  const afterConnections = sizes(pair);
  const [client, server] = pair.pids.map((pid, which): MemoryFigures => ({
    idleBytes: idle[which]!,
    afterRequestsBytes: afterRequests[which]!,
    afterConnectionsBytes: afterConnections[which]!,
    peakBytes: memoryOf(pid).peakBytes,
    bytesPerMillionRequests: growth(seen.map(([done, each]) => [done, each[which]!])),
    seenMb: seen.map(([, each]) => mb(each[which]!)),
  })) as [MemoryFigures, MemoryFigures];
  return {
    bench: "memory",
    requests: requested,
    connections: connected,
    client,
    server,
    limitBytes: MAX_RSS_BYTES,
    withinLimit: [client, server].every(isWithin),
  };
}

export function isWithin(one: MemoryFigures): boolean {
  return Math.max(one.afterRequestsBytes, one.afterConnectionsBytes) <= MAX_RSS_BYTES &&
    one.bytesPerMillionRequests <= FLAT_BYTES_PER_MILLION;
}

/** Load until that many requests have passed; the number that did. */
async function slices(
  pair: Pair,
  requests: number,
  headers: readonly string[],
  after: (done: number) => void,
): Promise<number> {
  let done = 0;
  while (done < requests) {
    const report = await wrk({
      core: LOAD_CORE,
      url: `${pair.outbound}/`,
      seconds: SLICE_SECONDS,
      connections: CONNECTIONS,
      headers: ["Host: origin", ...headers],
    });
    if (report.failures > 0) {
      throw new Error(`${report.failures} requests failed: nothing measured`);
    }
    done += report.requests;
    after(done);
  }
  return done;
}

/** Per million, over the second half. */
function growth(seen: readonly (readonly [number, number])[]): number {
  return Math.round(slope(seen.slice(seen.length >> 1)) * 1e6);
}

function sizes(pair: Pair): number[] {
  return pair.pids.map((pid) => memoryOf(pid).rssBytes);
}

function mb(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
