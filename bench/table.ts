/** The one table of all benches: rows from results as they stand in bench/history. */
import {
  type Comparison,
  type Figures,
  MAX_OTHERS_PERCENT,
  median,
  type Round,
} from "./figures.ts";
import type { AuthzResult } from "./authz.ts";
import type { CaResult } from "./ca.ts";
import type { FairnessResult } from "./fairness.ts";
import type { GrpcResult } from "./grpc.ts";
import type { HandshakeResult } from "./handshake.ts";
import type { HopResult } from "./hop.ts";
import type { IdleResult } from "./idle.ts";
import type { LatencyResult } from "./latency.ts";
import type { MemoryResult } from "./memory.ts";
import type { MtlsPairResult } from "./mtls_pair.ts";
import type { StartResult } from "./start.ts";
import type { StreamResult } from "./stream.ts";
import type { WasmResult } from "./wasm.ts";
import { wasmRows } from "./wasm/rows.ts";

export type Result =
  | AuthzResult
  | CaResult
  | FairnessResult
  | GrpcResult
  | HandshakeResult
  | HopResult
  | IdleResult
  | LatencyResult
  | MemoryResult
  | MtlsPairResult
  | StartResult
  | StreamResult
  | WasmResult;

/** In the order of the table. */
export const BENCHES = [
  "hop",
  "mtls-pair",
  "handshake",
  "latency",
  "grpc",
  "stream",
  "fairness",
  "idle",
  "memory",
  "start",
  "authz",
  "wasm",
  "ca",
] as const satisfies readonly Result["bench"][];

export interface Row {
  readonly what: string;
  /** By contender. */
  readonly values: Readonly<Record<string, number>>;
  readonly aim: string;
}

const CONTENDERS = ["denim", "haproxy", "haproxy-h2", "nginx", "envoy"];
const HEAD = ["What", "Denim", "haproxy", "haproxy, h2", "nginx", "Envoy", "÷ haproxy", "Aim"];

/** Markdown, without padding. */
export function table(results: readonly Result[]): string {
  const align = HEAD.map((_, column) => column === 0 ? ":--" : "--:");
  return [HEAD, align, ...results.flatMap(cells)].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

/** The rows one result gives. */
export function cells(result: Result): string[][] {
  return rows(result).map(({ what, values, aim }) => {
    const { denim, haproxy } = values;
    const ratio = denim === undefined || haproxy === undefined || haproxy === 0
      ? ""
      : (denim / haproxy).toFixed(2);
    return [what, ...CONTENDERS.map((name) => shown(values[name])), ratio, aim];
  });
}

function rows(result: Result): Row[] {
  switch (result.bench) {
    case "hop":
      return [
        row("One HTTP/1.1 hop, CPU µs a request", result, "cpuUsPerRequest", "≤ 1.35"),
        row("One HTTP/1.1 hop, requests/s", result, "requestsPerSecond", "≥ 0.8"),
      ];
    case "mtls-pair":
      return at(result.at, (connections, one) => [
        row(
          `Two sidecars, ${connections} connections, CPU µs a request`,
          one,
          "cpuUsPerRequest",
          "",
        ),
        row(
          `Two sidecars, ${connections} connections, requests/s`,
          one,
          "requestsPerSecond",
          connections === "8" ? "≥ 1" : "≥ 1.5",
        ),
      ]);
    case "handshake":
      return [
        row("Full mTLS handshake and a request, CPU µs", result, "cpuUsPerHandshake", ""),
        row("Full mTLS handshakes/s, a request each", result, "handshakesPerSecond", ""),
      ];
    case "latency":
      return at(result.at, (rate, one) => [
        row(`Two sidecars add at ${rate}/s, p50 µs`, one, "addedP50Us", ""),
        row(`Two sidecars add at ${rate}/s, p99 µs`, one, "addedP99Us", "≤ 1.2"),
        row(`Two sidecars add at ${rate}/s, p99.9 µs`, one, "addedP999Us", ""),
      ]);
    case "grpc":
      return at(result.at, (shape, one) => [
        row(`Unary gRPC, ${shape}, CPU µs a call`, one, "cpuUsPerCall", ""),
        row(`Unary gRPC, ${shape}, calls/s`, one, "callsPerSecond", ""),
      ]);
    case "stream":
      return at(result.at, (direction, one) => [
        row(`${result.bytes / 1e9} GB ${direction}, MB/s`, one, "mbPerSecond", "≥ 0.8"),
        row(`${result.bytes / 1e9} GB ${direction}, CPU s a GB`, one, "cpuSecondsPerGb", ""),
      ]);
    case "fairness":
      return fairnessRows(result);
    case "idle":
      return [idleRow("plain", result), idleRow("mtls", result)];
    case "memory":
      return memoryRows(result);
    case "wasm":
      return wasmRows(result);
    case "ca":
      return [{
        what: "Identities issued per second and core",
        values: { denim: result.median.issuedPerCore },
        aim: "",
      }];
    case "authz":
      return [{
        what: `${result.policies} authorization policies, CPU µs a request added`,
        values: { denim: result.addedUs },
        aim: `< ${result.limitUs}`,
      }];
    case "start":
      return [{
        what: "Sidecar, start to ready, ms",
        values: { denim: result.medianMs },
        aim: `≤ ${result.limitMs}`,
      }];
  }
}

function at<F extends Figures>(
  all: Readonly<Record<string, Comparison<F>>>,
  rowsAt: (key: string, one: Comparison<F>) => Row[],
): Row[] {
  return Object.entries(all).flatMap(([key, one]) => rowsAt(key, one));
}

function row<F extends Figures>(
  what: string,
  { medians, each }: Comparison<F>,
  figure: keyof F & string,
  aim: string,
): Row {
  const busy = disturbed(each) ? " (busy machine)" : "";
  const values = Object.entries(medians).map(([name, figures]) => [name, figures[figure]!]);
  return { what: `${what}${busy}`, values: Object.fromEntries(values), aim };
}

/** Whether others took so much in most rounds that the medians say little. */
export function disturbed(each: readonly Round<Figures>[]): boolean {
  const shares = each.flatMap((round) =>
    Object.values(round).map((figures) => figures["othersPercent"] ?? 0)
  );
  return shares.length > 0 && median(shares) > MAX_OTHERS_PERCENT;
}

/** The first aim is for Denim's own figure, as the promise is. */
function fairnessRows(result: FairnessResult): Row[] {
  const small = `Beside a ${result.downloadBytes / 1e9} GB download, ${result.perSecond}/s`;
  return [
    row(`${small}, p99 ÷ alone`, result, "moved", "Denim ≤ 2"),
    row(`${small}, p99 ÷ beside one apart`, result, "movedBySharing", ""),
    row(`${small}, p99 µs`, result, "besideP99Us", ""),
    row("That download, MB/s", result, "mbPerSecond", ""),
  ];
}

function idleRow(kind: "plain" | "mtls", result: IdleResult): Row {
  const { denim, haproxy } = result[kind];
  const all = denim.stoppedBy === null ? "" : ` (Denim took ${denim.connections})`;
  return {
    what: `${result.connections} idle ${kind} connections${all}, MB`,
    values: { denim: toMb(denim.bytesAfter), haproxy: toMb(haproxy.bytesAfter) },
    aim: "",
  };
}

function memoryRows({ client, server, requests, connections, limitBytes }: MemoryResult): Row[] {
  const aim = `≤ ${toMb(limitBytes)}`;
  const most = (figure: "afterRequestsBytes" | "afterConnectionsBytes"): Row["values"] => ({
    denim: toMb(Math.max(client[figure], server[figure])),
  });
  return [
    { what: `Memory after ${requests} requests, MB`, values: most("afterRequestsBytes"), aim },
    {
      what: `Memory after ${connections} connections more, MB`,
      values: most("afterConnectionsBytes"),
      aim,
    },
  ];
}

function toMb(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function shown(value: number | undefined): string {
  return value === undefined ? "" : `${value}`;
}
