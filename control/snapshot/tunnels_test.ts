/** TCPRoute, TLSRoute and the listeners and ports they belong to: what is refused, and what proxies are told. */
import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import {
  problemsOf,
  resourcesOf,
  routeText as route,
  snapshotOf,
} from "../../tests/support/snapshots.ts";
import type { ListenerSpec, Snapshot } from "../schema/snapshot.ts";

const BASE = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: 80}, {port: 5432, protocol: TCP}, {port: 8443, protocol: TLS}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: new-db}
spec: {ports: [{port: 5432, protocol: TCP}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: far, namespace: other}
spec: {ports: [{port: 5432, protocol: TCP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: pg, port: 5432, protocol: TCP}
    - {name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}}
    - {name: shop, port: 443, protocol: TLS, tls: {mode: Passthrough}, hostname: "*.shop.example"}
---
`;

const PG = "{name: db, port: 5432}";

const problems = (text: string): string[] => problemsOf(BASE + text);
const build = (text: string, node: Snapshot["node"]): Snapshot =>
  snapshotOf(resourcesOf(BASE + text), node);

const EDGE = { kind: "gateway", namespace: "default", name: "edge" } as const;
const CALLER = { kind: "sidecar", namespace: "default", name: "web" } as const;

function listener(snapshot: Snapshot, name: string): ListenerSpec {
  const found = snapshot.listeners.find((one) => one.name === name);
  ok(found, `no listener ${name}`);
  return found;
}

Deno.test("TCPRoute and TLSRoute are taken in every version they were published in", () => {
  for (const version of ["v1", "v1alpha2"]) {
    same(problems(route("TCPRoute", "name: edge, sectionName: pg", PG, { version })), []);
  }
  for (const version of ["v1", "v1alpha3", "v1alpha2"]) {
    const more = { version, hostnames: "a.example" };
    same(problems(route("TLSRoute", "name: edge", "{name: db, port: 8443}", more)), []);
  }
});

const REFUSED: [what: string, text: string, problem: RegExp][] = [
  [
    "a TCPRoute at an HTTP listener",
    route("TCPRoute", "name: edge, sectionName: http", PG),
    /^spec\.parentRefs\[0\] names Gateway "default\/edge", none of whose listeners takes a TCPRoute: http \(HTTP, takes HTTPRoute and GRPCRoute\)/,
  ],
  [
    "an HTTPRoute at a TCP listener",
    route("HTTPRoute", "name: edge, sectionName: pg", "{name: db, port: 80}"),
    /none of whose listeners takes a HTTPRoute: pg \(TCP, takes TCPRoute\)/,
  ],
  [
    "a TCPRoute to an HTTP port",
    route("TCPRoute", "name: edge, sectionName: pg", "{name: db, port: 80}"),
    /^spec\.rules\[0\]\.backendRefs\[0\]\.port is of Service "default\/db", which has port 80 of protocol HTTP; a TCPRoute is for ports of protocol TCP or TLS/,
  ],
  [
    "an HTTPRoute to a TCP port",
    route("HTTPRoute", "name: edge, sectionName: http", PG),
    /backendRefs\[0\]\.port is of Service "default\/db", which has port 5432 of protocol TCP; an HTTPRoute is for HTTP ports/,
  ],
  [
    "an HTTPRoute of a TCP port",
    route("HTTPRoute", 'group: "", kind: Service, name: db, port: 5432', "{name: db, port: 80}"),
    /^spec\.parentRefs\[0\] names Service "default\/db", which has port 5432 of protocol TCP/,
  ],
  [
    "a TLSRoute of a Service",
    route("TLSRoute", 'group: "", kind: Service, name: db', PG),
    /^spec\.parentRefs\[0\] names Service "default\/db"; a TLSRoute belongs to a Gateway/,
  ],
  [
    "a backend in a namespace that grants nothing to this kind",
    `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service}]
---
` + route("TCPRoute", "name: edge, sectionName: pg", "{name: far, namespace: other, port: 5432}"),
    /no ReferenceGrant for TCPRoutes of namespace "default"/,
  ],
  [
    "host names that the listener does not take",
    route("TLSRoute", "name: edge, sectionName: shop", PG, { hostnames: "a.example" }),
    /^spec\.hostnames have nothing in common/,
  ],
  [
    "two rules",
    route("TCPRoute", "name: edge, sectionName: pg", PG).replace(
      "rules: [",
      "rules: [{backendRefs: [{name: db, port: 5432}]}, ",
    ),
    /^spec\.rules holds more than one rule/,
  ],
  [
    "a rule that leads nowhere",
    route("TCPRoute", "name: edge, sectionName: pg", ""),
    /^spec\.rules\[0\]\.backendRefs is empty/,
  ],
];

for (const [what, text, problem] of REFUSED) {
  Deno.test(`Routes of connections: ${what} is refused`, () => {
    const found = problems(text);
    equal(found.length, 1, found.join("\n"));
    match(found[0]!, problem);
  });
}

const LISTENERS: [what: string, listeners: string, problem: RegExp][] = [
  [
    "TLS without a mode",
    "{name: a, port: 1, protocol: TLS}",
    /\.tls is missing, wanted \{mode: Passthrough\}/,
  ],
  [
    "TLS that ends here",
    "{name: a, port: 1, protocol: TLS, tls: {mode: Terminate}}",
    /tls\.mode is "Terminate", wanted "Passthrough"/,
  ],
  [
    "tls for TCP",
    "{name: a, port: 1, protocol: TCP, tls: {mode: Passthrough}}",
    /\.tls stands beside protocol "TCP"/,
  ],
  [
    "a host name for TCP",
    "{name: a, port: 1, protocol: TCP, hostname: a.example}",
    /\.hostname stands beside protocol TCP/,
  ],
  [
    "two protocols on one port",
    "{name: a, port: 1, protocol: TCP}, {name: b, port: 1, protocol: HTTP}",
    /^spec\.listeners\[1\]\.port is 1, which listener "a" has for protocol TCP/,
  ],
  [
    "routes of another protocol",
    "{name: a, port: 1, protocol: TCP, allowedRoutes: {kinds: [{kind: HTTPRoute}]}}",
    /kinds\[0\]\.kind is "HTTPRoute"; a listener of protocol TCP takes TCPRoute/,
  ],
];

for (const [what, listeners, problem] of LISTENERS) {
  Deno.test(`Gateway refuses ${what}`, () => {
    const found = problems(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: g}
spec: {listeners: [${listeners}]}
`);
    equal(found.length, 1, found.join("\n"));
    match(found[0]!, problem);
  });
}

Deno.test("buildSnapshot gives TCP and TLS listeners their tunnels, by weight and by host", () => {
  const text =
    route("TCPRoute", "name: edge, sectionName: pg", `${PG}, {name: new-db, weight: 3}`) +
    route("TLSRoute", "name: edge, sectionName: tls", "{name: db, port: 8443}", {
      name: "all",
      hostnames: '"*.example", db.example',
    }) +
    route("TLSRoute", "name: edge, sectionName: shop", PG, { name: "shop" });
  const snapshot = build(text, EDGE);
  const pg = listener(snapshot, "pg");
  same([pg.protocol, pg.tls, pg.port], ["tcp", "none", 5432]);
  same(pg.hosts.map((one) => one.hostnames), [["*"]]);
  const [only] = pg.hosts[0]!.routes;
  same([only!.tunnel, only!.matches], [true, []]);
  same(only!.backends.map(({ backend, weight }) => [backend, weight]), [
    ["default/db:5432", 1],
    ["default/new-db:5432", 3],
  ]);
  same(Object.values(snapshot.backends).map(({ name, protocol }) => [name, protocol]), [
    ["default/db:5432", "tcp"],
    ["default/db:8443", "tcp"],
    ["default/new-db:5432", "tcp"],
  ]);
  const tls = listener(snapshot, "tls");
  equal(tls.protocol, "tls");
  same(tls.hosts.map((one) => [one.hostnames, one.group, one.routes.map(({ name }) => name)]), [
    [["*"], "tls", []],
    [["*.example", "db.example"], "tls", ["default/all"]],
    [["*.shop.example"], "shop", ["default/shop"]],
  ]);
  equal(listener(snapshot, "http").protocol, undefined);
});

Deno.test("buildSnapshot lets a TCPRoute split a Service's port among callers, and leaves HTTP ports alone", () => {
  const text = route("TCPRoute", 'group: "", kind: Service, name: db', "{name: new-db, weight: 1}");
  const { hosts } = listener(build(text, CALLER), "outbound");
  const routesAt = (port: number): string[] =>
    hosts.find((one) => one.hostnames.includes("db") && one.port === port)!.routes
      .map(({ name, tunnel, backends }) => `${name} ${tunnel ?? false} ${backends[0]!.backend}`);
  same(routesAt(5432), ["default/r true default/new-db:5432"]);
  same(routesAt(8443), ["default/r true default/new-db:5432"]);
  same(routesAt(80), ["default/db false default/db:80"]);
});

const BALANCED = `
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: balancers}
spec:
  targetRefs: [{kind: Gateway, name: edge}]
  proxyProtocol: {trusted: [10.0.0.0/8], listeners: [LISTENERS]}
---
`;

Deno.test("buildSnapshot tells listeners whose PROXY protocol header they are to believe", () => {
  const trusting = (text: string) =>
    Object.fromEntries(build(text, EDGE).listeners.map((one) => [one.name, one.proxyProtocol]));
  const ten = ["10.0.0.0/8"];
  same(trusting(""), { http: undefined, pg: undefined, tls: undefined });
  same(trusting(BALANCED.replace("LISTENERS", "pg")), { http: undefined, pg: ten, tls: undefined });
  // One socket serves both listeners of a port.
  same(trusting(BALANCED.replace("LISTENERS", "shop")), {
    http: undefined,
    pg: undefined,
    tls: ten,
  });
  same(trusting(BALANCED.replace(", listeners: [LISTENERS]", "")), {
    http: ten,
    pg: ten,
    tls: ten,
  });
});

Deno.test("A listener that a policy names has to be there", () => {
  same(problems(BALANCED.replace("LISTENERS", "pg, ftp")), [
    'spec.proxyProtocol.listeners[1] is "ftp", which Gateway "default/edge" does not have; it has ' +
    "http, pg, tls, shop",
  ]);
});
