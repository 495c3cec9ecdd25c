/** GRPCRoutes at Gateways and Services: what is refused, and what proxies are told. */
import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import {
  resourcesOf,
  type RouteMore,
  routeText,
  snapshotOf,
} from "../../tests/support/snapshots.ts";
import type { Snapshot } from "../schema/snapshot.ts";
import { checkReferences } from "./check.ts";

const BASE = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: greeter}
spec: {ports: [{port: 80}, {port: 50051, protocol: GRPC}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: far, namespace: other}
spec: {ports: [{port: 50051, protocol: GRPC}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: grpc, port: 81, protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}
---
`;

const EDGE = { kind: "gateway", namespace: "default", name: "edge" } as const;
const CALLER = { kind: "sidecar", namespace: "default", name: "web" } as const;
const AT_SERVICE = 'group: "", kind: Service, name: greeter';

function route(
  parent: string,
  backend: string,
  { kind = "GRPCRoute", ...more }: RouteMore & { kind?: string } = {},
): string {
  return routeText(kind, parent, `{${backend}}`, more);
}

const GRPC = "name: greeter, port: 50051";

const problems = (text: string): string[] =>
  checkReferences(resourcesOf(BASE + text), [])
    .map((one) => `${one.resource} ${one.path} ${one.message}`);
const build = (text: string, node: Snapshot["node"]): Snapshot =>
  snapshotOf(resourcesOf(BASE + text), node);

const REFUSED: [what: string, text: string, problem: RegExp][] = [
  [
    "to an HTTP port",
    route("name: edge", "name: greeter, port: 80"),
    /backendRefs\[0\]\.port is of Service "default\/greeter", which has port 80 of protocol HTTP; a GRPCRoute is for ports of protocol GRPC or HTTP2/,
  ],
  [
    "of an HTTP port",
    route(`${AT_SERVICE}, port: 80`, GRPC),
    /parentRefs\[0\] names Service "default\/greeter", which has port 80 of protocol HTTP/,
  ],
  [
    "of a listener for other kinds",
    route("name: edge, sectionName: grpc", GRPC, { kind: "HTTPRoute" }),
    /none of whose listeners takes a HTTPRoute: grpc \(HTTP, takes GRPCRoute\)/,
  ],
  [
    "to a namespace that grants nothing to this kind",
    `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service}]
---
` + route("name: edge", "name: far, namespace: other, port: 50051"),
    /no ReferenceGrant for GRPCRoutes of namespace "default"/,
  ],
  [
    "with a host name an older HTTPRoute has",
    route("name: edge", GRPC, { kind: "HTTPRoute", name: "old", hostnames: '"*.shop.test"' }) +
    route("name: edge, sectionName: http", GRPC, { created: 2, hostnames: "a.shop.test" }),
    /^GRPCRoute default\/r spec\.hostnames meet those of HTTPRoute "default\/old" at listener "http"/,
  ],
  [
    "and the other way round, with none given",
    route("name: edge", GRPC, { name: "old" }) +
    route("name: edge, sectionName: http", GRPC, { kind: "HTTPRoute", created: 2 }),
    /^HTTPRoute default\/r spec\.hostnames are not given and so meet those of GRPCRoute "default\/old"/,
  ],
];

for (const [what, text, problem] of REFUSED) {
  Deno.test(`GRPCRoute: one ${what} is refused`, () => {
    const found = problems(text);
    equal(found.length, 1, found.join("\n"));
    match(found[0]!, problem);
  });
}

Deno.test("GRPCRoute is taken beside an HTTPRoute with host names of its own, though their names are one", () => {
  const text = route("name: edge", GRPC, { kind: "HTTPRoute", hostnames: "a.test" }) +
    route("name: edge", GRPC, { hostnames: "b.test" });
  same(problems(text), []);
  const { hosts } = build(text, EDGE).listeners.find((one) => one.name === "http")!;
  same(hosts.map((one) => [one.hostnames, one.routes.map((spec) => spec.matches)]), [
    [["*"], []],
    [["a.test"], [[]]],
    [["b.test"], [[{ grpc: { type: "Exact" } }]]],
  ]);
});

Deno.test("GRPCRoute takes the place of an HTTPRoute at a Service, at ports of its protocol only", () => {
  const text = route(AT_SERVICE, GRPC, { kind: "HTTPRoute", name: "http" }) +
    route(AT_SERVICE, GRPC, { name: "grpc", created: 2 });
  same(problems(text), []);
  const { hosts } = build(text, CALLER).listeners.find((one) => one.name === "outbound")!;
  const at = (port: number): string[] => {
    const found = hosts.find((one) => one.hostnames.includes("greeter") && one.port === port);
    ok(found);
    return found.routes.map((spec) => spec.name);
  };
  same([at(80), at(50051)], [["default/http/0"], ["default/grpc/0"]]);
});

Deno.test("A TrafficPolicy of a GRPCRoute holds for its rules", () => {
  const text = route("name: edge", GRPC) + `
apiVersion: denim.dev/v1
kind: TrafficPolicy
metadata: {name: p}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: GRPCRoute, name: r}]
  timeouts: {request: 3s}
  retry: {attempts: 2, on: [unavailable, cancelled]}
`;
  same(problems(text), []);
  const [spec] = build(text, EDGE).listeners[0]!.hosts[0]!.routes;
  const config = (kind: string) =>
    [...spec!.filters, ...spec!.backends[0]!.filters].find((one) => one.kind === kind)!.config;
  same(config("timeout"), { requestMs: 3000, backendRequestMs: 0, grpc: true });
  same((config("retry") as { on: string[] }).on, ["unavailable", "cancelled"]);
  const missing = text.replace("kind: GRPCRoute, name: r", "kind: GRPCRoute, name: x");
  match(problems(missing)[0]!, /names GRPCRoute "default\/x", which does not exist/);
});
