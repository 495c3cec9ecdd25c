/** The read-only view of a running control plane, over its parts. */
import type { Clock } from "../core/clock.ts";
import type { MarketApi } from "./market/mod.ts";
import type { Nodes } from "./push/nodes.ts";
import type { KnownWorkload, Workloads } from "./push/workloads.ts";
import { ofKind } from "./schema/kinds.ts";
import type { Service } from "./schema/service.ts";
import type { Ledger } from "./store/ledger.ts";
import type { ControlView, FilterView, ServiceView, WorkloadView } from "./view.ts";

export interface ViewParts {
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly nodes: Nodes;
  readonly workloads: Workloads;
  readonly market: MarketApi;
}

export function runningView(parts: ViewParts): ControlView {
  const { trustDomain, clock, ledger, nodes, workloads, market } = parts;
  return {
    trustDomain,
    nowMs: () => clock.nowMs(),
    revision: () => ledger.head,
    resources: () => ledger.resources(),
    services: () => servicesOf(ofKind(ledger.resources(), "Service"), workloads.all()),
    proxies: () => nodes.all().map((node) => node.view()).sort((a, b) => a.id < b.id ? -1 : 1),
    revisions: (limit) => ledger.recent(limit),
    filters: () => filtersOf(nodes, market),
    listings: () => market.list(),
    versions: (name) => market.versions(name),
    listingOf: (digest) => market.byDigest(digest),
  };
}

function servicesOf(
  services: readonly Service[],
  workloads: readonly KnownWorkload[],
): ServiceView[] {
  return services.map(({ metadata: { namespace, name }, spec }) => {
    const { from = name, selector = {}, endpoints, ports } = spec;
    const behind = endpoints !== undefined
      ? []
      : workloads.filter((one) =>
        one.namespace === namespace && one.service === from &&
        Object.entries(selector).every(([key, value]) => one.labels[key] === value)
      );
    return {
      namespace,
      name,
      ports: ports.map((one) => one.port),
      from,
      selector,
      addresses: endpoints ?? null,
      workloads: behind.map(workloadView),
    };
  });
}

function workloadView(workload: KnownWorkload): WorkloadView {
  const { identity, inbound, labels, healthy, connected } = workload;
  return { identity, inbound, labels, healthy, connected };
}

function filtersOf(nodes: Nodes, market: MarketApi): FilterView[] {
  return nodes.connected().flatMap((node) =>
    (node.report?.filters ?? []).map((report) => ({
      proxy: node.id,
      node: node.hello.node,
      report,
      listing: market.byDigest(report.digest),
    }))
  );
}
