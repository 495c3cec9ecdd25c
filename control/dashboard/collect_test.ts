/** What the overview says of a control plane: rates from samples, health, edges, filters. */
import assert from "node:assert/strict";
import type { RouteReport } from "../schema/protocol.ts";
import type { ControlView, FilterView, ProxyView, ServiceView } from "../view.ts";
import { overviewOf } from "./collect.ts";

const NOW_MS = 1_000_000;

function route(over: Partial<RouteReport>): RouteReport {
  return {
    listener: "inbound",
    route: "r",
    backend: "app",
    requests: 0,
    errors: 0,
    p50Ms: 2,
    p99Ms: 8,
    ...over,
  };
}

function proxy(name: string, over: Partial<ProxyView> = {}): ProxyView {
  return {
    id: name,
    node: { kind: "sidecar", namespace: "default", name },
    identity: `spiffe://mesh.local/ns/default/sa/${name}`,
    labels: {},
    inbound: "127.0.0.1:1",
    admin: "127.0.0.1:2",
    pid: 1,
    state: "in force",
    connectedMs: 0,
    heardMs: NOW_MS,
    target: "v",
    version: "v",
    revision: 1,
    reason: "",
    report: null,
    samples: [],
    ...over,
  };
}

function service(name: string, over: Partial<ServiceView> = {}): ServiceView {
  return {
    namespace: "default",
    name,
    ports: [80],
    from: name,
    selector: {},
    addresses: null,
    workloads: [],
    ...over,
  };
}

const workload = (healthy: boolean, connected = true) => ({
  identity: "x",
  inbound: "127.0.0.1:1",
  labels: {},
  healthy,
  connected,
});

function view(over: Partial<ControlView>): ControlView {
  return {
    trustDomain: "mesh.local",
    nowMs: () => NOW_MS,
    revision: () => 1,
    resources: () => [],
    services: () => [],
    proxies: () => [],
    revisions: () => [],
    filters: () => [],
    listings: () => [],
    versions: () => [],
    listingOf: () => null,
    ...over,
  };
}

/** Totals now and ten seconds ago. */
const samples = (before: RouteReport[], after: RouteReport[], atMs = NOW_MS) => [
  { atMs: atMs - 10_000, routes: before },
  { atMs, routes: after },
];

Deno.test("overviewOf takes rates from the difference of two samples", () => {
  const web = proxy("web", {
    samples: samples([route({ requests: 1_000, errors: 50 })], [
      route({ requests: 1_200, errors: 60 }),
    ]),
  });
  const { services } = overviewOf(view({
    proxies: () => [web],
    services: () => [service("web", { workloads: [workload(true)] })],
  }));
  const { signals, health } = services[0]!;
  assert.equal(signals.requestsPerSecond, 20);
  assert.equal(signals.successRate, 0.95);
  assert.equal(signals.p99Ms, 8);
  assert.equal(health, "degraded");
  assert.equal(signals.history.length, 30);
  assert.equal(Math.max(...signals.history), 20);
});

Deno.test("overviewOf calls a service failing when most of its answers are errors", () => {
  const web = proxy("web", {
    samples: samples([route({})], [route({ requests: 100, errors: 80 })]),
  });
  const { services } = overviewOf(view({
    proxies: () => [web],
    services: () => [service("web", { workloads: [workload(true)] })],
  }));
  assert.equal(services[0]!.health, "failing");
});

Deno.test("overviewOf has no rate for a proxy that is away or was not heard for long", () => {
  const moved = samples([route({})], [route({ requests: 100 })]);
  const old = samples([route({})], [route({ requests: 100 })], NOW_MS - 60_000);
  for (
    const silent of [
      proxy("web", { state: "away", samples: moved }),
      proxy("web", { samples: old }),
    ]
  ) {
    const { services } = overviewOf(view({
      proxies: () => [silent],
      services: () => [service("web", { workloads: [workload(true)] })],
    }));
    assert.equal(services[0]!.signals.requestsPerSecond, 0);
    assert.equal(services[0]!.signals.successRate, null);
  }
});

Deno.test("overviewOf counts a route that is new since the older sample from zero", () => {
  const web = proxy("web", { samples: samples([], [route({ requests: 30 })]) });
  const { services } = overviewOf(view({
    proxies: () => [web],
    services: () => [service("web", { workloads: [workload(true)] })],
  }));
  assert.equal(services[0]!.signals.requestsPerSecond, 3);
});

Deno.test("overviewOf names a service's health by its workloads", () => {
  const health = (one: Partial<ServiceView>): string =>
    overviewOf(view({ services: () => [service("a", one)] })).services[0]!.health;
  assert.equal(health({}), "empty");
  assert.equal(health({ workloads: [workload(true), workload(true)] }), "healthy");
  assert.equal(health({ workloads: [workload(true), workload(false)] }), "degraded");
  assert.equal(health({ workloads: [workload(false), workload(true, false)] }), "down");
  assert.equal(health({ addresses: ["10.0.0.1:80"] }), "healthy");
});

Deno.test("overviewOf gives a subset only the traffic of its own workloads", () => {
  const reviews = (version: string, requests: number) =>
    proxy("reviews", {
      id: version,
      labels: { version },
      samples: samples([route({})], [route({ requests })]),
    });
  const { services } = overviewOf(view({
    proxies: () => [reviews("v1", 900), reviews("v2", 100)],
    services: () => [
      service("reviews"),
      service("reviews-v2", { from: "reviews", selector: { version: "v2" } }),
    ],
  }));
  assert.deepEqual(services.map((one) => one.signals.requestsPerSecond), [100, 10]);
});

Deno.test("overviewOf draws edges from callers' proxies and totals from gateways", () => {
  const edge = proxy("edge", {
    node: { kind: "gateway", namespace: "default", name: "edge" },
    samples: samples([], [route({ listener: "http", backend: "default/web:80", requests: 40 })]),
  });
  const web = proxy("web", {
    samples: samples([], [
      route({ requests: 40 }),
      route({ listener: "outbound", backend: "default/catalog:80", requests: 10, errors: 5 }),
      route({ listener: "outbound", route: "b", backend: "default/catalog:80", requests: 10 }),
      route({ listener: "outbound", route: "c", backend: "other/db:80", requests: 0 }),
    ]),
  });
  const { edges, totals } = overviewOf(view({ proxies: () => [edge, web] }));
  assert.deepEqual(edges, [
    { from: "edge", to: "web", requestsPerSecond: 4, successRate: 1 },
    { from: "web", to: "catalog", requestsPerSecond: 2, successRate: 0.75 },
    { from: "web", to: "other/db", requestsPerSecond: 0, successRate: null },
  ]);
  assert.equal(totals.requestsPerSecond, 4);
});

Deno.test("overviewOf shows the worst state of a filter over all proxies", () => {
  const filter = (state: "running" | "tripped", lastTrap: string): FilterView => ({
    proxy: state,
    node: { kind: "sidecar", namespace: "default", name: "web" },
    report: {
      name: "default/guard",
      digest: "sha256:0",
      state,
      calls: 10,
      fuel: 1_000,
      us: 50,
      memoryBytes: 4_096,
      traps: state === "tripped" ? 3 : 0,
      lastTrap,
    },
    listing: null,
  });
  const { filters } = overviewOf(view({
    filters: () => [filter("running", ""), filter("tripped", "out of fuel")],
    resources: () => [{
      apiVersion: "denim.dev/v1",
      kind: "FilterBinding",
      metadata: { name: "new", namespace: "default", labels: {}, annotations: {} },
      spec: { module: { name: "denim/stamp" } },
    }],
  }));
  assert.deepEqual(
    filters.map((one) => [one.binding, one.state, one.proxies, one.fuelPerCall, one.lastTrap]),
    [
      ["default/guard", "tripped", 2, 100, "out of fuel"],
      ["default/new", "bound", 0, 0, ""],
    ],
  );
});
