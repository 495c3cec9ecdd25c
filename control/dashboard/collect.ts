/** From what the control plane holds to what the overview shows. */
import type { ControlView, FilterView, ProxyView, ServiceView } from "../view.ts";
import type { Edge, FilterRow, Overview, ProxyRow, RevisionRow, ServiceRow } from "./model.ts";
import { recent, signalsOf } from "./signals.ts";

/** Revisions the page lists; `denim history` has all. */
const LISTED_REVISIONS = 10;

export function overviewOf(view: ControlView): Overview {
  const nowMs = view.nowMs();
  const proxies = view.proxies();
  return {
    trustDomain: view.trustDomain,
    nowMs,
    revision: view.revision(),
    totals: totalsOf(proxies, nowMs),
    services: view.services().map((service) => serviceRow(service, proxies, nowMs)),
    edges: edgesOf(proxies, nowMs),
    proxies: proxies.map((proxy) => proxyRow(proxy, nowMs)),
    revisions: view.revisions(LISTED_REVISIONS).map(revisionRow),
    filters: filterRows(view),
  };
}

/** Requests that come in from the world; without a gateway, what the sidecars let in. */
function totalsOf(proxies: readonly ProxyView[], nowMs: number): Overview["totals"] {
  const gateways = proxies.filter((proxy) => proxy.node.kind === "gateway");
  if (gateways.length > 0) return signalsOf(gateways, () => true, nowMs);
  return signalsOf(proxies, (listener) => listener === "inbound", nowMs);
}

function serviceRow(
  service: ServiceView,
  proxies: readonly ProxyView[],
  nowMs: number,
): ServiceRow {
  const own = proxies.filter((proxy) => belongs(proxy, service));
  const signals = signalsOf(own, (listener) => listener === "inbound", nowMs);
  const workloads = service.addresses?.length ?? service.workloads.length;
  const ready = service.addresses?.length ??
    service.workloads.filter((one) => one.healthy && one.connected).length;
  return {
    namespace: service.namespace,
    name: service.name,
    health: healthOf(ready, workloads, signals.successRate),
    ready,
    workloads,
    signals,
  };
}

/** Below the first share of good answers a service is not called healthy, below the second it fails. */
const HEALTHY_SUCCESS = 0.99, FAILING_SUCCESS = 0.5;

function healthOf(
  ready: number,
  workloads: number,
  successRate: number | null,
): ServiceRow["health"] {
  if (workloads === 0) return "empty";
  if (ready === 0) return "down";
  if ((successRate ?? 1) < FAILING_SUCCESS) return "failing";
  return ready < workloads || (successRate ?? 1) < HEALTHY_SUCCESS ? "degraded" : "healthy";
}

function belongs(proxy: ProxyView, service: ServiceView): boolean {
  if (proxy.node.kind !== "sidecar" || service.addresses !== null) return false;
  if (proxy.node.namespace !== service.namespace || proxy.node.name !== service.from) return false;
  return Object.entries(service.selector).every(([key, value]) => proxy.labels[key] === value);
}

/** One edge for each pair of caller and called Service, from the callers' outbound and gateway routes. */
function edgesOf(proxies: readonly ProxyView[], nowMs: number): Edge[] {
  const sums = new Map<
    string,
    { from: string; to: string; rate: number; ok: number; all: number }
  >();
  for (const proxy of proxies) {
    for (const route of recent(proxy, nowMs)) {
      if (route.listener === "inbound" || route.backend === "") continue;
      const from = proxy.node.name, to = serviceOf(route.backend, proxy.node.namespace);
      const key = `${from} ${to}`;
      const sum = sums.get(key) ?? { from, to, rate: 0, ok: 0, all: 0 };
      sum.rate += route.seconds > 0 ? route.requests / route.seconds : 0;
      sum.ok += route.requests - route.errors;
      sum.all += route.requests;
      sums.set(key, sum);
    }
  }
  return [...sums.values()].map(({ from, to, rate, ok, all }) => ({
    from,
    to,
    requestsPerSecond: rate,
    successRate: all === 0 ? null : ok / all,
  })).sort((a, b) => `${a.from} ${a.to}` < `${b.from} ${b.to}` ? -1 : 1);
}

/** `default/catalog:80` is `catalog` for callers of the same namespace, `default/catalog` for others. */
function serviceOf(backend: string, namespace: string): string {
  const name = backend.replace(/:\d+$/, "");
  return name.startsWith(`${namespace}/`) ? name.slice(namespace.length + 1) : name;
}

function proxyRow(proxy: ProxyView, nowMs: number): ProxyRow {
  const { report } = proxy;
  return {
    kind: proxy.node.kind,
    name: proxy.node.name,
    identity: proxy.identity,
    labels: Object.entries(proxy.labels).map(([key, value]) => `${key}=${value}`),
    state: proxy.state,
    version: proxy.version ?? "",
    reason: proxy.reason,
    certExpiresMs: report?.certExpiresMs ?? null,
    rssBytes: report?.rssBytes ?? null,
    // What it said, and the time since it said so.
    uptimeMs: report === null
      ? null
      : report.uptimeMs + Math.max(0, nowMs - (proxy.samples.at(-1)?.atMs ?? nowMs)),
  };
}

function revisionRow(revision: ReturnType<ControlView["revisions"]>[number]): RevisionRow {
  return {
    revision: revision.revision,
    message: revision.message,
    author: revision.author,
    createdMs: revision.createdMs,
    changes: revision.changes.map((change) =>
      `${change.action} ${change.kind} ${change.namespace}/${change.name}`
    ),
  };
}

/** Worst first, so that one bad proxy decides what is shown of a binding. */
const SEVERITY: readonly FilterRow["state"][] = ["tripped", "backing-off", "running"];

/** One row for each FilterBinding; those nobody reported yet are only bound. */
function filterRows(view: ControlView): FilterRow[] {
  const reported = Map.groupBy(view.filters(), (one) => one.report.name);
  const rows = [...reported].map(([binding, ones]) => filterRow(binding, ones));
  for (const resource of view.resources()) {
    if (resource.kind !== "FilterBinding") continue;
    const binding = `${resource.metadata.namespace}/${resource.metadata.name}`;
    if (reported.has(binding)) continue;
    const { module } = resource.spec;
    rows.push({
      ...filterRow(binding, []),
      module: module.name ?? "",
      version: module.version ?? "",
    });
  }
  return rows.sort((a, b) => a.binding < b.binding ? -1 : 1);
}

function filterRow(binding: string, ones: readonly FilterView[]): FilterRow {
  const sum = (of: (one: FilterView) => number): number =>
    ones.reduce((total, one) => total + of(one), 0);
  const calls = sum((one) => one.report.calls);
  const worst = SEVERITY.find((state) => ones.some((one) => one.report.state === state));
  const listing = ones.find((one) => one.listing !== null)?.listing ?? null;
  return {
    binding,
    module: listing?.name ?? "",
    version: listing?.version ?? "",
    state: worst ?? "bound",
    proxies: ones.length,
    calls,
    fuelPerCall: calls === 0 ? 0 : sum((one) => one.report.fuel) / calls,
    usPerCall: calls === 0 ? 0 : sum((one) => one.report.us) / calls,
    memoryBytes: Math.max(0, ...ones.map((one) => one.report.memoryBytes)),
    traps: sum((one) => one.report.traps),
    lastTrap: ones.find((one) => one.report.lastTrap !== "")?.report.lastTrap ?? "",
    refused: ones.find((one) => one.report.refused !== undefined)?.report.refused ?? "",
  };
}
