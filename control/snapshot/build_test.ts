import {
  deepStrictEqual as same,
  notStrictEqual,
  ok,
  strictEqual as equal,
  throws,
} from "node:assert/strict";
import { parseDocuments } from "../schema/parse.ts";
import type { Resource } from "../schema/kinds.ts";
import type { HostSpec, ListenerSpec, NodeRef, RouteSpec, Snapshot } from "../schema/snapshot.ts";
import { buildSnapshot, buildSnapshots, buildStandalone, moduleFiles } from "./build.ts";
import { type AdmittedModule, compareVersions } from "./modules.ts";
import type { Workload } from "./work.ts";

const DEMO = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: catalog}
spec: {ports: [{port: 80}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: reviews}
spec: {ports: [{port: 8080, name: http}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: reviews-v1}
spec: {ports: [{port: 8080}], from: reviews, selector: {version: v1}}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: reviews-v2}
spec: {ports: [{port: 8080}], from: reviews, selector: {version: v2}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: reviews}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews}]
  rules:
    - matches: [{headers: [{name: x-version, value: v2}]}]
      backendRefs: [{name: reviews-v2}]
    - backendRefs: [{name: reviews-v1, weight: 90}, {name: reviews-v2, weight: 10}]
`;

const EDGE = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners:
    - {name: http, port: 8080, protocol: HTTP}
    - {name: shop, port: 8080, protocol: HTTP, hostname: "*.shop.example"}
    - {name: admin, port: 9090, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  rules:
    - matches: [{path: {value: /old/}}]
      filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /new}}}]
    - filters:
        - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: b}], remove: [X-B]}}
      backendRefs: [{name: catalog}]
`;

const TRUST = { domain: "mesh.local", bundle: ["PEM"] };

function read(text: string): Resource[] {
  const { resources, errors } = parseDocuments(text);
  same(errors, []);
  return resources;
}

function workload(service: string, port: number, version = "v1", healthy = true): Workload {
  return {
    namespace: "default",
    service,
    inbound: `10.0.0.1:${port}`,
    labels: { version },
    identity: `spiffe://mesh.local/ns/default/sa/${service}`,
    healthy,
  };
}

const WORKLOADS = [
  workload("catalog", 1),
  workload("reviews", 2, "v1"),
  workload("reviews", 3, "v2"),
  workload("reviews", 4, "v1", false),
];

function sidecar(name: string, namespace = "default"): NodeRef {
  return { kind: "sidecar", namespace, name };
}

function build(
  text: string,
  node: NodeRef = sidecar("web"),
  modules: AdmittedModule[] = [],
): Snapshot {
  return buildSnapshot({
    resources: read(text),
    workloads: WORKLOADS,
    modules,
    trust: TRUST,
    node,
  });
}

function listener(snapshot: Snapshot, name: string): ListenerSpec {
  const found = snapshot.listeners.find((one) => one.name === name);
  ok(found, `no listener ${name}`);
  return found;
}

function host(snapshot: Snapshot, name: string, of = "outbound", port?: number): HostSpec {
  const found = listener(snapshot, of).hosts.find((one) =>
    one.hostnames.includes(name) && (port === undefined || one.port === port)
  );
  ok(found, `no host ${name}`);
  return found;
}

function kinds(route: RouteSpec, backend = 0): string[] {
  return [...route.filters, ...route.backends[backend]?.filters ?? []].map((one) => one.kind);
}

Deno.test("buildSnapshot gives a sidecar an mTLS inbound and a plaintext outbound listener", () => {
  const snapshot = build(DEMO, sidecar("catalog"));
  same(snapshot.listeners.map((one) => [one.name, one.role, one.tls]), [
    ["inbound", "inbound", "mesh"],
    ["outbound", "outbound", "none"],
  ]);
  const [inbound] = host(snapshot, "*", "inbound").routes;
  same([inbound!.name, inbound!.backends[0]!.backend], ["default/catalog", "app"]);
  same(kinds(inbound!), ["retry"]);
  same(snapshot.backends.app!.endpoints, []);
  same(snapshot.trust, TRUST);
});

Deno.test("buildSnapshot names a Service in the ways its callers may write it", () => {
  same(host(build(DEMO), "catalog").hostnames, [
    "catalog",
    "catalog.default",
    "catalog.default.svc",
    "catalog.default.svc.cluster.local",
    "catalog.default.mesh",
  ]);
  const stranger = build(DEMO, sidecar("web", "other"));
  ok(!listener(stranger, "outbound").hosts.some((one) => one.hostnames.includes("catalog")));
  ok(host(stranger, "catalog.default"));
});

Deno.test("buildSnapshot takes the first port for a request without one", () => {
  const snapshot = build(DEMO);
  same(host(snapshot, "catalog").port, 80);
  same(
    host(snapshot, "reviews", "outbound", 80).routes,
    host(snapshot, "reviews", "outbound", 8080).routes,
  );
});

Deno.test("buildSnapshot picks healthy workloads by name and labels, with their identities", () => {
  const { backends } = build(DEMO);
  const identity = "spiffe://mesh.local/ns/default/sa/reviews";
  same(backends["default/reviews-v1:8080"]!.endpoints, [{ address: "10.0.0.1:2", identity }]);
  same(backends["default/reviews-v2:8080"]!.endpoints, [{ address: "10.0.0.1:3", identity }]);
  same(backends["default/catalog:80"]!.endpoints.map((one) => one.address), ["10.0.0.1:1"]);
});

Deno.test("buildSnapshot puts an attached route in the place of the implicit one", () => {
  const { routes } = host(build(DEMO), "reviews");
  same(
    routes.map((route) => [route.name, route.backends.map((one) => [one.backend, one.weight])]),
    [
      ["default/reviews/0", [["default/reviews-v2:8080", 1]]],
      ["default/reviews/1", [["default/reviews-v1:8080", 90], ["default/reviews-v2:8080", 10]]],
    ],
  );
  same(routes[0]!.matches, [{ headers: [{ name: "x-version", type: "Exact", value: "v2" }] }]);
  same(host(build(DEMO), "catalog").routes.map((route) => route.name), ["default/catalog"]);
});

Deno.test("buildSnapshot fills in the default timeout and retry", () => {
  const [route] = host(build(DEMO), "catalog").routes;
  same(route!.filters, [{
    kind: "timeout",
    name: "denim-system/default:timeout",
    config: { requestMs: 15000, backendRequestMs: 0, untilHead: true },
  }]);
  same(route!.backends[0]!.filters, [{
    kind: "retry",
    name: "denim-system/default:retry",
    config: {
      attempts: 1,
      codes: [502, 503, 504],
      on: ["connect-failure", "reset", "status"],
      backoffMs: 25,
      backoffMaxMs: 250,
      budgetPercent: 20,
      budgetIntervalMs: 10000,
      minRetriesPerSecond: 10,
    },
  }]);
});

const POLICIES = `---
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: p}
spec:
  targetRefs: [{kind: Service, name: reviews}]
  timeouts: {request: 2s}
  retry: {attempts: 3, budget: {percent: 50}}
  circuitBreaker: {maxRequests: 7, maxPending: 8, maxConnections: 9, openFor: 5s}
  outlierDetection: {consecutive5xx: 2, baseEjection: 1m}
  loadBalancer: {algorithm: round_robin}
---
apiVersion: denim.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {defaults: {retry: {backoff: 100ms, attempts: 2}}}
`;

Deno.test("buildSnapshot layers settings: the Service, the Service it is a subset of, the mesh", () => {
  const snapshot = build(DEMO + POLICIES);
  const backend = snapshot.backends["default/reviews-v1:8080"]!;
  same(backend.pool, { maxConnections: 9, maxPending: 8, idleTimeoutMs: 30000 });
  same(backend.outlier, { consecutive5xx: 2, baseEjectionMs: 60000, maxEjectionPercent: 50 });
  equal(backend.balancer.algorithm, "round_robin");
  const [route] = host(snapshot, "reviews").routes;
  same(kinds(route!), ["timeout", "breaker", "retry"]);
  same(route!.filters[0]!.config, { requestMs: 2000, backendRequestMs: 0 });
  same(route!.backends[0]!.filters[0]!.config, {
    maxRequests: 7,
    consecutiveFailures: 0,
    openMs: 5000,
  });
  const retry = route!.backends[0]!.filters[1]!.config as Record<string, unknown>;
  same([retry.attempts, retry.budgetPercent, retry.backoffMs, retry.backoffMaxMs], [
    3,
    50,
    100,
    1000,
  ]);
  same(kinds(host(snapshot, "catalog").routes[0]!), ["timeout", "retry"]);
});

Deno.test("buildSnapshot lets a rule's own timeouts and retry stand before every policy", () => {
  const text = DEMO.replace(
    "- matches: [{headers",
    "- timeouts: {request: 0s}\n      retry: {attempts: 4, codes: [500], backoff: 10ms}\n      matches: [{headers",
  );
  const [route] = host(build(text + POLICIES), "reviews").routes;
  same(kinds(route!), ["breaker", "retry"]);
  const retry = route!.backends[0]!.filters[1]!.config as Record<string, unknown>;
  same([retry.attempts, retry.codes, retry.on, retry.backoffMs, retry.budgetPercent], [
    4,
    [500],
    ["connect-failure", "reset", "status", "timeout"],
    10,
    50,
  ]);
});

Deno.test("buildSnapshot limits the attempt after retry, so that a back-off is not part of it", () => {
  const text = POLICIES.replace("{request: 2s}", "{request: 2s, backendRequest: 1s}");
  const [route] = host(build(DEMO + text), "reviews").routes;
  same(kinds(route!), ["timeout", "breaker", "retry", "timeout"]);
  same(route!.filters[0]!.config, { requestMs: 2000, backendRequestMs: 0 });
  same(route!.backends[0]!.filters[2]!.config, { requestMs: 0, backendRequestMs: 1000 });
});

Deno.test("buildSnapshot gives each backend its own timeout where they differ", () => {
  const own = POLICIES.replace("name: reviews}", "name: reviews-v2}");
  const [, route] = host(build(DEMO + own), "reviews").routes;
  same(kinds(route!, 0), ["timeout", "retry"]);
  same(kinds(route!, 1), ["timeout", "breaker", "retry"]);
  same(route!.filters, []);
});

Deno.test("buildSnapshot gives a Gateway one listener for each port, and hosts in groups", () => {
  const snapshot = build(DEMO + "---" + EDGE, {
    kind: "gateway",
    namespace: "default",
    name: "edge",
  });
  same(snapshot.listeners.map((one) => [one.name, one.role, one.port, one.tls]), [
    ["http", "gateway", 8080, "none"],
    ["admin", "gateway", 9090, "none"],
  ]);
  same(snapshot.listeners[0]!.hosts.map((one) => [one.hostnames, one.group, one.routes.length]), [
    [["*"], "http", 2],
    [["*.shop.example"], "shop", 0],
  ]);
  const [redirect, forward] = host(snapshot, "*", "http").routes;
  same(redirect!.backends, []);
  same(redirect!.filters.map((one) => one.config), [{
    statusCode: 302,
    path: { type: "ReplacePrefixMatch", value: "/new", prefix: "/old" },
  }]);
  same(kinds(forward!), ["timeout", "request-headers", "retry"]);
  same(forward!.filters[1]!.config, {
    set: [{ name: "x-a", value: "b" }],
    add: [],
    remove: ["x-b"],
  });
  same(Object.keys(snapshot.backends), ["default/catalog:80"]);
});

Deno.test("buildSnapshot gives an empty configuration to proxies of a deleted Gateway", () => {
  same(build(DEMO, { kind: "gateway", namespace: "default", name: "gone" }).listeners, []);
});

Deno.test("buildSnapshot answers 500 for backends that are gone and for none", () => {
  const gone = DEMO.replace("[{name: reviews-v2}]", "[{name: gone, port: 81}]")
    .replace(
      "[{name: reviews-v1, weight: 90}, {name: reviews-v2, weight: 10}]",
      "[{name: reviews-v1, weight: 0}]",
    );
  const snapshot = build(gone);
  const { routes } = host(snapshot, "reviews");
  same(routes.map((route) => route.backends.map((one) => one.backend)), [
    ["default/gone:81"],
    ["no-backend"],
  ]);
  ok(!("default/gone:81" in snapshot.backends) && !("no-backend" in snapshot.backends));
});

const CROSS = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cross, namespace: other}
spec:
  parentRefs: [{name: edge, namespace: default, sectionName: admin}]
  rules: [{backendRefs: [{name: catalog, namespace: default}]}]
`;
const GRANT = `---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}]
  to: [{group: "", kind: Service}]
`;

Deno.test("buildSnapshot crosses namespaces at a Gateway only with a ReferenceGrant", () => {
  const node: NodeRef = { kind: "gateway", namespace: "default", name: "edge" };
  const backend = (text: string) =>
    host(build(text, node), "*", "admin").routes[0]!.backends[0]!.backend;
  equal(backend(DEMO + "---" + EDGE + CROSS), "not-granted:default/catalog");
  equal(backend(DEMO + "---" + EDGE + CROSS + GRANT), "default/catalog:80");
});

Deno.test("buildSnapshot lets consumer routes of the caller's namespace win over producer routes", () => {
  const consumer = `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: mine, namespace: other}
spec:
  parentRefs: [{group: "", kind: Service, name: reviews, namespace: default}]
  rules: [{backendRefs: [{name: reviews-v2, namespace: default}]}]
`;
  const names = (namespace: string) =>
    host(build(DEMO + consumer, sidecar("web", namespace)), "reviews.default").routes.map((r) =>
      r.name
    );
  same(names("default"), ["default/reviews/0", "default/reviews/1"]);
  same(names("other"), ["other/mine/0"]);
  same(names("third"), ["default/reviews/0", "default/reviews/1"]);
});

Deno.test("buildSnapshot attaches a route to one port of a Service where it names one", () => {
  const text = DEMO.replace("{port: 8080, name: http}", "{port: 8080}, {port: 9090}")
    .replace("kind: Service, name: reviews}", "kind: Service, name: reviews, port: 9090}");
  const snapshot = build(text);
  same(host(snapshot, "reviews", "outbound", 8080).routes.map((one) => one.name), [
    "default/reviews",
  ]);
  same(host(snapshot, "reviews", "outbound", 9090).routes.length, 2);
});

const MODULE: AdmittedModule = {
  name: "acme/tag",
  version: "1.2.0",
  digest: `sha256:${"a".repeat(64)}`,
  bytes: 10,
  abi: "proxy-wasm",
};

function binding(name: string, spec: string): string {
  return `---
apiVersion: denim.dev/v1
kind: FilterBinding
metadata: {name: ${name}}
spec: {${spec}}
`;
}

Deno.test("buildSnapshot orders bindings by phase, priority and name, around the route's own filters", () => {
  const bind = (name: string, more: string) =>
    binding(name, `module: {name: acme/tag}, targetRefs: [{kind: HTTPRoute, name: web}], ${more}`);
  const text = DEMO + "---" + EDGE + bind("d", "phase: STATS") + bind("c", "phase: TRANSFORM") +
    bind("b", "phase: AUTHN, priority: 1") + bind("a", "phase: AUTHN") + bind("e", "phase: AUTHZ");
  const node: NodeRef = { kind: "gateway", namespace: "default", name: "edge" };
  const snapshot = build(text, node, [MODULE]);
  const [, route] = host(snapshot, "*", "http").routes;
  same([...route!.filters, ...route!.backends[0]!.filters].map((one) => one.name), [
    "denim-system/default:timeout",
    "default/b",
    "default/a",
    "default/e",
    "default/web/1/filters/0",
    "default/c",
    "default/d",
    "denim-system/default:retry",
  ]);
  same(snapshot.modules, [{ digest: MODULE.digest, bytes: 10, abi: "proxy-wasm" }]);
});

Deno.test("buildSnapshot binds filters of a Service to the inbound chain of the workloads it selects", () => {
  const text = DEMO + binding(
    "v2-only",
    "module: {name: acme/tag}, targetRefs: [{kind: Service, name: reviews-v2}], config: {a: 1}, limits: {fuelPerCall: 5000, memoryMiB: 2}, capabilities: [tick], failMode: open",
  );
  const [v2, v1, other] = ["v2", "v1", ""].map((version) =>
    buildSnapshot({
      resources: read(text),
      workloads: [],
      modules: [MODULE],
      trust: TRUST,
      node: sidecar(version === "" ? "catalog" : "reviews"),
      nodeLabels: { version },
    })
  );
  same(host(v2!, "*", "inbound").routes[0]!.filters, [{
    kind: "wasm",
    name: "default/v2-only",
    config: {
      abi: "proxy-wasm",
      digest: MODULE.digest,
      module: "acme/tag",
      version: "1.2.0",
      config: '{"a":1}',
      fuelPerCall: 5000,
      memoryBytes: 2 * 1024 * 1024,
      failMode: "open",
      capabilities: ["tick"],
      phases: ["TRANSFORM"],
    },
  }]);
  same(host(v1!, "*", "inbound").routes[0]!.filters, []);
  same(v1!.modules, []);
  same(host(other!, "*", "inbound").routes[0]!.filters, []);
});

Deno.test("buildSnapshot closes a route whose filter is gone, unless the filter fails open", () => {
  const bind = (mode: string) =>
    binding(
      "f",
      `module: {name: acme/gone}, targetRefs: [{kind: HTTPRoute, name: reviews}], failMode: ${mode}`,
    );
  const backends = (mode: string) =>
    host(build(DEMO + bind(mode)), "reviews").routes[0]!.backends.map((one) => one.backend);
  same(backends("closed"), ["missing-filter:default/f"]);
  same(backends("open"), ["default/reviews-v2:8080"]);
});

Deno.test("buildSnapshot takes the newest version of a listing, or the one named", () => {
  const modules = ["1.2.0", "1.10.0", "1.10.0-rc.1"].map((version, at) => ({
    ...MODULE,
    version,
    digest: `sha256:${String(at).repeat(64)}`,
  }));
  const version = (ref: string) => {
    const text = DEMO +
      binding("f", `module: ${ref}, targetRefs: [{kind: Service, name: catalog}]`);
    const [route] = host(build(text, sidecar("catalog"), modules), "*", "inbound").routes;
    return (route!.filters[0]!.config as { version: string }).version;
  };
  equal(version("{name: acme/tag}"), "1.10.0");
  equal(version("{name: acme/tag, version: 1.2.0}"), "1.2.0");
  equal(version(`{digest: "sha256:${"2".repeat(64)}"}`), "1.10.0-rc.1");
});

Deno.test("compareVersions orders as Semantic Versioning says", () => {
  const ordered = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0",
    "1.2.0",
    "1.10.0",
  ];
  same(ordered.toReversed().sort(compareVersions), ordered);
});

Deno.test("buildSnapshot gives one version for one content, whatever the order of its input", () => {
  const resources = read(DEMO + POLICIES);
  const input = {
    resources,
    workloads: WORKLOADS,
    modules: [],
    trust: TRUST,
    node: sidecar("web"),
  };
  const { version } = buildSnapshot(input);
  ok(/^[0-9a-f]{64}$/.test(version));
  equal(
    buildSnapshot({
      ...input,
      resources: resources.toReversed(),
      workloads: WORKLOADS.toReversed(),
    }).version,
    version,
  );
  equal(buildSnapshots(input, [input])[0]!.version, version);
  notStrictEqual(buildSnapshot({ ...input, workloads: WORKLOADS.slice(1) }).version, version);
});

Deno.test("buildSnapshot lets the older of two policies hold, then the first by name", () => {
  const policy = (name: string, created: string, seconds: number) =>
    `---
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: ${name}, creationTimestamp: "${created}"}
spec: {targetRefs: [{kind: Service, name: catalog}], timeouts: {request: ${seconds}s}}
`;
  const ms = (text: string) =>
    (host(build(DEMO + text), "catalog").routes[0]!.filters[0]!.config as { requestMs: number })
      .requestMs;
  equal(ms(policy("a", "2026-02-01T00:00:00Z", 1) + policy("b", "2026-01-01T00:00:00Z", 2)), 2000);
  equal(ms(policy("b", "2026-01-01T00:00:00Z", 1) + policy("a", "2026-01-01T00:00:00Z", 2)), 2000);
});

Deno.test("buildSnapshot tells every listener to keep escaped slashes where MeshConfig says so", () => {
  const config = (value: string) =>
    `---
apiVersion: denim.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {paths: {escapedSlashes: ${value}}}
`;
  const kept = (text: string) => build(text).listeners.map((one) => one.escapedSlashes);
  same(kept(DEMO + config("keep")), ["keep", "keep"]);
  same(kept(DEMO + config("reject")), [undefined, undefined]);
  same(kept(DEMO), [undefined, undefined]);
});

Deno.test("buildSnapshot tells every listener how MeshConfig names the proxies in Via", () => {
  const config = `---
apiVersion: denim.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {via: {name: acme, responses: false}, paths: {escapedSlashes: keep}}
`;
  const { listeners } = build(DEMO + config);
  same(listeners.map((one) => one.via), listeners.map(() => ({ name: "acme", responses: false })));
  same(listeners.map((one) => one.escapedSlashes), listeners.map(() => "keep"));
  same(build(DEMO).listeners.map((one) => one.via), [undefined, undefined]);
});

Deno.test("buildStandalone runs the one Gateway with fixed endpoints", () => {
  const text = EDGE + `---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: catalog}
spec: {ports: [{port: 80}], endpoints: ["127.0.0.1:7", "127.0.0.1:6"]}
` + binding("f", "module: {file: ./a.wasm}, targetRefs: [{kind: Gateway, name: edge}]");
  const resources = read(text);
  same(moduleFiles(resources), ["./a.wasm"]);
  const modules = [{ ...MODULE, name: "file:./a.wasm", version: "0.0.0" }];
  const snapshot = buildStandalone(resources, { modules });
  same(snapshot.backends["default/catalog:80"]!.endpoints, [
    { address: "127.0.0.1:7" },
    { address: "127.0.0.1:6" },
  ]);
  same(snapshot.node, { kind: "gateway", namespace: "default", name: "edge" });
  ok(kinds(host(snapshot, "*", "http").routes[1]!).includes("wasm"));
  throws(() => buildStandalone(read(DEMO)), /the configuration has none; wanted exactly one/);
  throws(() => buildStandalone(resources, { gateway: "x" }), /"x" was asked for/);
});

const PORTS = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: reviews}
spec:
  ports:
    - {port: 80}
    - {port: 9090, targetPort: 9091}
    - {port: 5432, protocol: TCP, targetPort: 5433}
    - {port: 8443, protocol: TLS}
`;

Deno.test("buildSnapshot leads tunnels to TCP and TLS ports and tells the sidecar which port is meant", () => {
  const snapshot = build(PORTS);
  const route = (port: number) => host(snapshot, "reviews", "outbound", port).routes[0]!;
  same([80, 9090, 5432, 8443].map((port) => route(port).tunnel), [
    undefined,
    undefined,
    true,
    true,
  ]);
  const field = (port: number) =>
    route(port).backends[0]!.filters.filter((one) => one.kind === "request-headers")
      .map((one) => one.config);
  const set = (value: string) => [{ set: [{ name: "x-denim-port", value }], add: [], remove: [] }];
  same(field(80), []);
  same(field(9090), set("default/reviews:9090"));
  same(field(5432), set("default/reviews:5432"));
  same(field(8443), set("default/reviews:8443"));
  const backend = (port: number) => snapshot.backends[`default/reviews:${port}`]!;
  same([80, 9090, 5432, 8443].map((port) => backend(port).protocol), [
    undefined,
    undefined,
    "tcp",
    "tcp",
  ]);
});

Deno.test("buildSnapshot opens a sidecar to the ports of its own Services and refuses others by name", () => {
  const mine = listener(build(PORTS, sidecar("reviews")), "inbound").hosts[0]!.routes;
  same(mine.map((one) => [one.name, one.tunnel ?? false, one.backends[0]!.backend]), [
    ["default/reviews:9090", false, "app:9091"],
    ["default/reviews:5432", true, "app:5433/tcp"],
    ["default/reviews:8443", true, "app/tcp"],
    ["default/reviews:unknown-port", false, "unknown-port"],
    ["default/reviews", false, "app"],
  ]);
  const other = build(PORTS, sidecar("web"));
  same(listener(other, "inbound").hosts[0]!.routes.map((one) => one.name), ["default/web"]);
  same(Object.keys(other.backends).filter((name) => name.startsWith("app")), ["app"]);
});

Deno.test("buildSnapshot reaches HTTP2 and GRPC ports over HTTP/2, with the rules of gRPC for their time", () => {
  const yaml = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: reviews}
spec:
  ports:
    - {port: 80}
    - {port: 50051, protocol: GRPC}
    - {port: 8082, protocol: TCP, appProtocol: kubernetes.io/h2c, targetPort: 9082}
---
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: reviews}
spec:
  targetRefs: [{kind: Service, name: reviews}]
  timeouts: {request: 0s, backendRequest: 2s}
`;
  const snapshot = build(yaml);
  const backend = (port: number) => snapshot.backends[`default/reviews:${port}`]!.protocol;
  same([80, 50051, 8082].map(backend), [undefined, "h2", "h2"]);
  const timeouts = (port: number) => {
    const { filters, backends } = host(snapshot, "reviews", "outbound", port).routes[0]!;
    return [...filters, ...backends[0]!.filters].filter((one) => one.kind === "timeout")
      .map((one) => one.config);
  };
  same(timeouts(80), [{ requestMs: 0, backendRequestMs: 2000 }]);
  const grpc = [
    { requestMs: 0, backendRequestMs: 0, grpc: true },
    { requestMs: 0, backendRequestMs: 2000, grpc: true },
  ];
  same([50051, 8082].map(timeouts), [grpc, grpc]);

  const own = build(yaml, sidecar("reviews"));
  same(listener(own, "inbound").hosts[0]!.routes.map((one) => one.backends[0]!.backend), [
    "app/h2",
    "app:9082/h2",
    "unknown-port",
    "app",
  ]);
  same(own.backends["app/h2"]!.protocol, "h2");
});
