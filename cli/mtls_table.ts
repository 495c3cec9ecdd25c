/** What is left of plaintext at each workload, and whether it can be turned off. */
import type { InboundReport } from "../control/schema/protocol.ts";
import type { ProxyView } from "../control/view.ts";
import { span, table } from "./output.ts";

/** Without plaintext for so long, a workload is taken to have no caller of that kind any more. */
export const QUIET_MS = 24 * 3_600_000;
/** Callers shown of one workload. */
const SHOWN_CALLERS = 10;

/** One workload over all its proxies. */
export interface MtlsView {
  /** `namespace/name`. */
  readonly workload: string;
  readonly mode: "STRICT" | "PERMISSIVE" | "DISABLE";
  readonly mtls: number;
  readonly plaintext: number;
  /** How long the youngest of its proxies has been counting. */
  readonly watchedMs: number;
  readonly callers: readonly {
    readonly address: string;
    readonly requests: number;
    readonly connections: number;
    readonly lastMs: number;
  }[];
  readonly forgotten: number;
  readonly advice: string;
}

export function mtlsViews(proxies: readonly ProxyView[], nowMs: number): MtlsView[] {
  const byWorkload = new Map<string, Reported[]>();
  for (const { node, report } of proxies) {
    if (node.kind !== "sidecar" || report?.inbound === undefined) continue;
    const name = `${node.namespace}/${node.name}`;
    const reports = byWorkload.get(name) ?? [];
    reports.push({ inbound: report.inbound, uptimeMs: report.uptimeMs });
    byWorkload.set(name, reports);
  }
  return [...byWorkload].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([workload, reports]) => viewOf(workload, reports, nowMs));
}

interface Reported {
  readonly inbound: InboundReport;
  readonly uptimeMs: number;
}

const MODES = { mesh: "STRICT", permissive: "PERMISSIVE", none: "DISABLE" } as const;

function viewOf(workload: string, reports: readonly Reported[], nowMs: number): MtlsView {
  const inbound = reports.map((one) => one.inbound);
  const modes = inbound.map((one) => one.mode);
  const wide = modes.find((mode) => mode === "none") ??
    modes.find((mode) => mode === "permissive") ?? "mesh";
  const sum = (of: (one: InboundReport) => number): number =>
    inbound.reduce((total, one) => total + of(one), 0);
  const view = {
    workload,
    mode: MODES[wide],
    mtls: sum((one) => one.mtls.requests),
    plaintext: sum((one) => one.plaintext.requests),
    watchedMs: Math.min(...reports.map((one) => one.uptimeMs)),
    callers: merged(inbound),
    forgotten: sum((one) => one.forgotten),
  };
  return { ...view, advice: adviceOf(view, nowMs) };
}

/** The latest first. */
function merged(inbound: readonly InboundReport[]): MtlsView["callers"] {
  const callers = new Map<string, { requests: number; connections: number; lastMs: number }>();
  for (const { address, requests, connections, lastMs } of inbound.flatMap((one) => one.callers)) {
    const known = callers.get(address) ?? { requests: 0, connections: 0, lastMs: 0 };
    callers.set(address, {
      requests: known.requests + requests,
      connections: known.connections + connections,
      lastMs: Math.max(known.lastMs, lastMs),
    });
  }
  return [...callers].map(([address, rest]) => ({ address, ...rest }))
    .sort((a, b) => b.lastMs - a.lastMs);
}

function adviceOf(view: Omit<MtlsView, "advice">, nowMs: number): string {
  if (view.mode === "STRICT") return "";
  if (view.mode === "DISABLE") return "nobody proves who they are; begin with PERMISSIVE";
  const [latest] = view.callers;
  if (latest !== undefined && nowMs - latest.lastMs < QUIET_MS) {
    return `wait: ${latest.address} came in plaintext ${span(nowMs - latest.lastMs)} ago`;
  }
  const quietMs = Math.min(view.watchedMs, latest === undefined ? Infinity : nowMs - latest.lastMs);
  if (quietMs < QUIET_MS) {
    return `no plaintext in ${span(quietMs)}; look again when it is ${span(QUIET_MS)}`;
  }
  return `safe to turn STRICT: no plaintext in ${span(quietMs)}`;
}

export function mtlsTable(views: readonly MtlsView[], nowMs: number): string {
  const rows = views.flatMap((view): string[][] => [
    [
      view.workload,
      view.mode,
      String(view.mtls),
      String(view.plaintext),
      "",
      "",
      view.advice,
    ],
    ...(view.mode === "STRICT" ? [] : view.callers.slice(0, SHOWN_CALLERS).map((caller) => [
      "",
      "",
      "",
      String(caller.requests),
      caller.address,
      `${span(nowMs - caller.lastMs)} ago`,
      "",
    ])),
    ...moreRow(view),
  ]);
  return table(["WORKLOAD", "MTLS", "BY MTLS", "PLAINTEXT", "FROM", "LAST", "ADVICE"], rows);
}

function moreRow({ mode, callers, forgotten }: MtlsView): string[][] {
  const more = Math.max(0, callers.length - SHOWN_CALLERS) + forgotten;
  if (mode === "STRICT" || more === 0) return [];
  return [["", "", "", "", `${more} more`, "", ""]];
}
