/** The tables of `denim get`. */
import type { Listing } from "../control/market/types.ts";
import type { FilterBinding } from "../control/schema/filter_binding.ts";
import type { Resource } from "../control/schema/kinds.ts";
import type { PolicyStatus, RouteStatus } from "../control/snapshot/mod.ts";
import type { FilterView, ProxyView, ServiceView } from "../control/view.ts";
import { grantsText } from "./filter_grants.ts";
import { megabytes, short, span, table } from "./output.ts";

export type Binding = FilterBinding;

export function resourceTable(
  resources: readonly (Resource & { readonly status?: RouteStatus | PolicyStatus })[],
  nowMs: number,
): string {
  return table(
    ["KIND", "NAMESPACE", "NAME", "AGE", "STATUS"],
    resources.map(({ kind, metadata, status }) => [
      kind,
      metadata.namespace,
      metadata.name,
      metadata.creationTimestamp === undefined
        ? "-"
        : span(nowMs - Date.parse(metadata.creationTimestamp)),
      statusText(status),
    ]),
  );
}

/** What a policy did so far, and whether part of it cannot be enforced. */
function policyText({ conditions, counts }: PolicyStatus): string {
  const { refused, audited, wouldRefuse, wouldAllow } = counts;
  const told = [
    [refused, "refused"],
    [audited, "audited"],
    [wouldRefuse, "would be refused"],
    [wouldAllow, "would be allowed"],
  ] as const;
  const parts = told.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const partly = conditions.find((one) => one.status === "True" && one.type !== "Accepted");
  if (partly !== undefined) parts.push(`${partly.reason} (see -o yaml)`);
  return parts.join(", ") || "accepted";
}

/** Of a route: each parent with how it stands to it, or by which reason it is not accepted. */
function statusText(status: RouteStatus | PolicyStatus | undefined): string {
  if (status === undefined) return "-";
  if (!("parents" in status)) return policyText(status);
  return status.parents.map(({ parentRef, conditions }) => {
    const failed = conditions.find((one) =>
      one.status === "False" && (one.type === "Accepted" || one.type === "ResolvedRefs")
    );
    const of = conditions.find((one) => one.type === "denim.dev/Producer")?.reason.toLowerCase();
    const { kind = "Gateway", namespace, name } = parentRef;
    const parent = `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
    return `${failed?.reason ?? of ?? "accepted"} at ${parent}`;
  }).join(", ");
}

export function proxyTable(proxies: readonly ProxyView[], nowMs: number): string {
  return table(
    ["PROXY", "KIND", "STATE", "VERSION", "REVISION", "CERT", "RSS", "REQUESTS", "INBOUND", "WHY"],
    proxies.map((one) => [
      `${one.node.namespace}/${one.node.name}${labelText(one.labels)}`,
      one.node.kind,
      one.state,
      one.version?.slice(0, 8) ?? "-",
      one.revision === null ? "-" : String(one.revision),
      one.report?.certExpiresMs == null ? "-" : span(one.report.certExpiresMs - nowMs),
      one.report === null ? "-" : megabytes(one.report.rssBytes),
      one.report === null ? "-" : short(one.report.routes.reduce((sum, r) => sum + r.requests, 0)),
      one.inbound ?? "-",
      whyOf(one),
    ]),
  );
}

function whyOf(proxy: ProxyView): string {
  if (proxy.reason !== "") return proxy.reason;
  if (proxy.state === "away") return "its connection is gone";
  return proxy.report?.appHealthy === false ? "its application does not answer" : "";
}

export function serviceTable(services: readonly ServiceView[]): string {
  return table(
    ["SERVICE", "PORTS", "FROM", "READY", "ENDPOINTS"],
    services.map((one) => {
      const ready = one.workloads.filter((workload) => workload.healthy).length;
      const places = one.addresses ??
        one.workloads.map((workload) =>
          `${workload.inbound}${workload.healthy ? "" : " (not ready)"}${
            workload.connected ? "" : " (away)"
          }`
        );
      return [
        `${one.namespace}/${one.name}`,
        one.ports.join(","),
        one.addresses === null ? `${one.from}${labelText(one.selector)}` : "fixed addresses",
        one.addresses === null ? `${ready}/${one.workloads.length}` : "-",
        places.join(", ") || "none",
      ];
    }),
  );
}

/** Bindings as they run; those that run nowhere; and what could be bound. */
export function filterTable(
  { running, bindings, listings }: {
    readonly running: readonly FilterView[];
    readonly bindings: readonly Binding[];
    readonly listings: readonly Listing[];
  },
): string {
  const byName = new Map(bindings.map((one) => [
    `${one.metadata.namespace}/${one.metadata.name}`,
    one,
  ]));
  const rows = running.map((one) => runningRow(one, byName.get(one.report.name)));
  const seen = new Set(running.map((one) => one.report.name));
  const bound = new Set(running.map((one) => one.listing?.name));
  for (const { metadata, spec } of bindings) {
    const name = `${metadata.namespace}/${metadata.name}`;
    bound.add(spec.module.name);
    if (seen.has(name)) continue;
    const module = spec.module.name ?? spec.module.digest ?? "";
    rows.push([name, moduleText(module, spec.module.version), "-", "idle", ...EMPTY, IDLE]);
  }
  for (const { name, version } of listings) {
    if (bound.has(name)) continue;
    rows.push(["-", moduleText(name, version), "-", "admitted", ...EMPTY, "no binding names it"]);
  }
  if (rows.length === 0) return "No filter is admitted. Begin with: denim filter new NAME";
  return table(
    [
      "BINDING",
      "MODULE",
      "PROXY",
      "STATE",
      "CALLS",
      "FUEL/CALL",
      "µS/CALL",
      "MEMORY",
      "TRAPS",
      "GRANTED",
      "WHY",
    ],
    rows,
  );
}

const EMPTY = ["-", "-", "-", "-", "-", "-"];
const IDLE = "no connected proxy runs it";

function runningRow(
  { report, node, listing }: FilterView,
  binding: Binding | undefined,
): string[] {
  const { calls, fuel, us } = report;
  const per = (total: number, digits: number): string =>
    calls === 0 ? "-" : digits === 0 ? short(total / calls) : (total / calls).toFixed(digits);
  return [
    report.name,
    listing === null ? report.digest.slice(0, 19) : moduleText(listing.name, listing.version),
    `${node.namespace}/${node.name}`,
    report.state,
    short(calls),
    per(fuel, 0),
    per(us, 1),
    megabytes(report.memoryBytes),
    String(report.traps),
    grantsText(listing, binding),
    filterWhy(report),
  ];
}

function filterWhy({ refused, lastTrap }: FilterView["report"]): string {
  if (refused === undefined) return lastTrap;
  return `goes on with the configuration before, because the newest was refused: ${refused}`;
}

function moduleText(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name}@${version}`;
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(",");
  return text === "" ? "" : ` {${text}}`;
}
