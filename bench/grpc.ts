/** Unary gRPC through the pair: HTTP/2 from the client to the app, beside haproxy and Envoy with HTTP/2 throughout. */
import {
  alternate,
  compare,
  type Comparison,
  type Figures,
  round2,
  type Watched,
} from "./figures.ts";
import { h2load } from "./h2load.ts";
import { cpuOf, LOAD_CORE, type Target } from "./load.ts";
import { watchOthers } from "./others.ts";
import { startPairs } from "./pairs.ts";
import { buildGo, haveTools, type Pinned, startPinned } from "./process.ts";

/** Of the message in the request and of that in the response. */
const MESSAGE_BYTES = 256;
/** Before each message: a flag and its length. */
const PREFIX_BYTES = 5;
/** Client connections, and calls at a time on each. */
const SHAPES = [{ connections: 8, streams: 1 }, { connections: 4, streams: 16 }] as const;
const ORIGIN = new URL("./grpc_origin/", import.meta.url).pathname;

export interface GrpcFigures extends Figures, Watched {
  readonly cpuUsPerCall: number;
  readonly callsPerSecond: number;
  readonly meanMs: number;
}

export interface GrpcResult {
  readonly bench: "grpc";
  readonly rounds: number;
  readonly callsPerRound: number;
  readonly messageBytes: number;
  /** By `connections x calls at a time`. */
  readonly at: Readonly<Record<string, Comparison<GrpcFigures>>>;
}

export async function grpc(
  { rounds, calls }: { rounds: number; calls: number },
): Promise<GrpcResult> {
  if (!await haveTools(["haproxy", "h2load", "taskset", "openssl", "go"])) Deno.exit(3);
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  try {
    const origin = `${folder}/origin`, bodyPath = `${folder}/message`;
    await buildGo(ORIGIN, origin);
    await Deno.writeFile(bodyPath, message(MESSAGE_BYTES));
    await using pairs = await startPairs((port) => Promise.resolve(serve(origin, port)), "GRPC");
    const { targets } = pairs;
    const at: Record<string, Comparison<GrpcFigures>> = {};
    for (const shape of SHAPES) {
      const one = (name: string, calls: number): Promise<GrpcFigures> =>
        round(targets[name]!, { ...shape, calls, bodyPath });
      console.error(JSON.stringify(shape));
      for (const name of Object.keys(targets)) await one(name, calls);
      const each = await alternate(rounds, Object.keys(targets), (name) => one(name, calls));
      at[`${shape.connections}x${shape.streams}`] = compare(each);
    }
    return { bench: "grpc", rounds, callsPerRound: calls, messageBytes: MESSAGE_BYTES, at };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function round(
  target: Target,
  options: { connections: number; streams: number; calls: number; bodyPath: string },
): Promise<GrpcFigures> {
  const before = cpuOf(target), others = watchOthers();
  const { calls, ...rest } = options;
  const report = await h2load({
    core: LOAD_CORE,
    url: `${target.url}bench.Echo/Call`,
    authority: target.host ?? "origin",
    requests: calls,
    headers: ["content-type: application/grpc", "te: trailers"],
    ...rest,
  });
  // A call that failed has status 200 as well, but no message.
  const answered = report.dataBytes === calls * (PREFIX_BYTES + MESSAGE_BYTES);
  if (report.failures > 0 || !answered) {
    throw new Error(
      `Of ${calls} calls through ${target.url} ${report.failures} had no status 200, ` +
        `and ${report.dataBytes} bytes of messages came`,
    );
  }
  return {
    cpuUsPerCall: round2((cpuOf(target) - before) * 1e6 / calls),
    callsPerSecond: Math.round(report.requestsPerSecond),
    meanMs: round2(report.meanMs),
    othersPercent: others(),
  };
}

function message(bytes: number): Uint8Array {
  const framed = new Uint8Array(PREFIX_BYTES + bytes);
  new DataView(framed.buffer).setUint32(1, bytes);
  return framed;
}

function serve(origin: string, port: number): Pinned {
  return startPinned(LOAD_CORE, [origin, `${port}`, `${MESSAGE_BYTES}`]);
}
