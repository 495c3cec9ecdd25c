/** Who may say where requests for a host go: its Service's namespace, a caller for himself, a listener's owner. */
import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import type { Resource } from "../schema/kinds.ts";
import { parseDocuments } from "../schema/parse.ts";
import type { HostSpec, NodeRef, Snapshot } from "../schema/snapshot.ts";
import { buildSnapshot } from "./build.ts";
import { checkReferences } from "./check.ts";

function service(name: string, ports = "{port: 80}"): string {
  const [namespace, own] = name.split("/");
  return `---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: ${own}, namespace: ${namespace}}
spec: {ports: [${ports}]}
`;
}

/** A route of `namespace/name` with one rule to a backend, likewise named. */
function route(name: string, parent: string, backend: string, more = "", kind = "HTTPRoute") {
  const [namespace, own] = name.split("/"), [home, target] = backend.split("/");
  return `---
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${own}, namespace: ${namespace}}
spec: {parentRefs: [{${parent}}], ${more} rules: [{backendRefs: [{name: ${target}, namespace: ${home}${
    kind === "TCPRoute" ? ", port: 5432" : kind === "GRPCRoute" ? ", port: 50051" : ", port: 80"
  }}]}]}
`;
}

const ofService = (name: string): string => {
  const [namespace, own] = name.split("/");
  return `group: "", kind: Service, name: ${own}, namespace: ${namespace}`;
};

const PORTS = "{port: 80}, {port: 5432, protocol: TCP}, {port: 50051, protocol: GRPC}";
const SERVICES = ["shop/cart", "shop/spare", "blue/mock", "red/trap", "other/far"]
  .map((name) => service(name, PORTS)).join("");

function read(text: string): Resource[] {
  const { resources, errors } = parseDocuments(text);
  same(errors, []);
  return resources;
}

function build(text: string, node: NodeRef): Snapshot {
  const trust = { domain: "mesh.local", bundle: [] };
  return buildSnapshot({ resources: read(text), workloads: [], modules: [], trust, node });
}

function hostOf(snapshot: Snapshot, name: string, port: number): HostSpec {
  const hosts = snapshot.listeners.flatMap((one) => one.hosts);
  const found = hosts.find((one) => one.hostnames.includes(name) && one.port === port);
  ok(found, `no host ${name}:${port}`);
  return found;
}

/** Backends a sidecar of each namespace sends requests for a Service to. */
function seenBy(text: string, name: string, port = 80): Record<string, string[]> {
  const [home, own] = name.split("/");
  const seen = ["shop", "blue", "red", "other"].map((namespace) => {
    const snapshot = build(SERVICES + text, { kind: "sidecar", namespace, name: "app" });
    const { routes } = hostOf(snapshot, `${own}.${home}`, port);
    return [namespace, routes.flatMap((one) => one.backends.map((to) => to.backend))];
  });
  return Object.fromEntries(seen);
}

for (
  const [kind, port] of [["HTTPRoute", 80], ["GRPCRoute", 50051], ["TCPRoute", 5432]] as const
) {
  const to = (name: string): string[] => [`${name}:${port}`];
  const producer = route("shop/own", ofService("shop/cart"), "shop/spare", "", kind);
  const blue = route("blue/mine", ofService("shop/cart"), "blue/mock", "", kind);
  const red = route("red/mine", ofService("shop/cart"), "red/trap", "", kind);

  Deno.test(`A ${kind} of the Service's namespace holds for callers of all namespaces`, () => {
    const all = to("shop/spare");
    same(seenBy(producer, "shop/cart", port), { shop: all, blue: all, red: all, other: all });
  });

  Deno.test(`A ${kind} of another namespace touches sidecars of that namespace only`, () => {
    const own = to("shop/cart");
    same(seenBy(blue, "shop/cart", port), {
      shop: own,
      blue: to("blue/mock"),
      red: own,
      other: own,
    });
  });

  Deno.test(`Two namespaces that override a Service by ${kind}s do not see each other's`, () => {
    same(seenBy(producer + blue + red, "shop/cart", port), {
      shop: to("shop/spare"),
      blue: to("blue/mock"),
      red: to("red/trap"),
      other: to("shop/spare"),
    });
  });
}

Deno.test("An override of one port leaves the Service's other ports alone", () => {
  const blue = route("blue/mine", `${ofService("shop/cart")}, port: 80`, "blue/mock");
  same(seenBy(blue, "shop/cart", 80).blue, ["blue/mock:80"]);
  same(seenBy(blue, "shop/cart", 50051).blue, ["shop/cart:50051"]);
});

Deno.test("A route of a third namespace cannot send one namespace's callers to another's Service", () => {
  const red = route("red/mine", ofService("shop/cart"), "red/trap") +
    route("red/theirs", ofService("blue/mock"), "red/trap");
  const before = seenBy("", "shop/cart"), after = seenBy(red, "shop/cart");
  same({ ...after, red: before.red }, before);
  same({ ...seenBy(red, "blue/mock"), red: before.red }, {
    ...seenBy("", "blue/mock"),
    red: before.red,
  });
});

const GRANT = `---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: to-far, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: "", kind: Service, name: far}]
`;

Deno.test("A producer route sends its callers into another namespace only with that one's grant", () => {
  const producer = route("shop/own", ofService("shop/cart"), "other/far");
  const [problem, ...more] = checkReferences(read(SERVICES + producer), []);
  same(more, []);
  equal(problem?.reason, "RefNotPermitted");
  match(
    problem.message,
    /has no ReferenceGrant for HTTPRoutes of namespace "shop" to Service "far"/,
  );
  same(seenBy(producer, "shop/cart").blue, ["not-granted:other/far:80"]);
  same(checkReferences(read(SERVICES + producer + GRANT), []), []);
  same(seenBy(producer + GRANT, "shop/cart").blue, ["other/far:80"]);
});

Deno.test("A consumer's override needs no grant: its sidecars may call there anyway", () => {
  const blue = route("blue/mine", ofService("shop/cart"), "other/far");
  same(checkReferences(read(SERVICES + blue), []), []);
  same(seenBy(blue, "shop/cart").blue, ["other/far:80"]);
});

/** A Gateway in `edge` whose listener `open` takes routes of all, and whose others only their own. */
const EDGE = SERVICES + service("edge/site") + `---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: edge}
spec:
  listeners:
    - {name: open, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
    - {name: pay, port: 80, protocol: HTTP, hostname: pay.example}
    - {name: wild, port: 80, protocol: HTTP, hostname: "*.shop.example"}
    - {name: apart, port: 0, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
    - name: chosen
      port: 81
      protocol: HTTP
      allowedRoutes:
        namespaces:
          from: Selector
          selector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [blue, shop]}]}
    - {name: shut, port: 82, protocol: HTTP, allowedRoutes: {namespaces: {from: None}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay, namespace: edge}
spec: {parentRefs: [{name: gw, sectionName: pay}], rules: [{backendRefs: [{name: site}]}]}
`;
const gateway: NodeRef = { kind: "gateway", namespace: "edge", name: "gw" };

function stranger(section: string, hostnames: string[], namespace = "red"): string {
  const names = `hostnames: [${hostnames.map((one) => JSON.stringify(one)).join(", ")}],`;
  const parent = `name: gw, namespace: edge${section === "" ? "" : `, sectionName: ${section}`}`;
  return route(
    `${namespace}/take`,
    parent,
    `${namespace}/${namespace === "red" ? "trap" : "mock"}`,
    hostnames.length === 0 ? "" : names,
  );
}

/** Host names on the Gateway's port (by its first listener) that a route of `red` or `blue` serves. */
function taken(text: string): string[] {
  return build(EDGE + text, gateway).listeners.flatMap((listener) =>
    listener.hosts.filter((host) => host.routes.some((one) => /\/take\//.test(one.name)))
      .flatMap((host) => host.hostnames.map((name) => `${listener.name} ${name}`))
  ).sort();
}

const TAKEOVERS: [what: string, text: string, taken: string[], reason: string | null][] = [
  [
    "a listener that takes its own namespace's routes",
    stranger("pay", []),
    [],
    "NotAllowedByListeners",
  ],
  ["a listener that takes none", stranger("shut", []), [], "NotAllowedByListeners"],
  ["a listener for chosen namespaces", stranger("chosen", []), [], "NotAllowedByListeners"],
  [
    "the name of a closed listener through an open one of the port",
    stranger("open", ["pay.example"]),
    [],
    "NoMatchingListenerHostname",
  ],
  [
    "a name below a closed listener's wildcard through an open one",
    stranger("open", ["a.shop.example"]),
    [],
    "NoMatchingListenerHostname",
  ],
  [
    "that wildcard itself, or a narrower one",
    stranger("open", ["*.shop.example", "*.a.shop.example"]),
    [],
    "NoMatchingListenerHostname",
  ],
  [
    "names of closed listeners beside one that is free",
    stranger("open", ["pay.example", "free.example"]),
    ["open free.example"],
    null,
  ],
  [
    "all listeners at once",
    stranger("", ["pay.example", "free.example"]),
    ["apart free.example", "apart pay.example", "open free.example"],
    null,
  ],
  [
    "a wildcard above a closed listener's name",
    stranger("open", ["*.example"]),
    ["open *.example"],
    null,
  ],
  ["everything that is left", stranger("open", []), ["open *"], null],
  ["a chosen listener, from a namespace that is chosen", stranger("chosen", [], "blue"), [
    "chosen *",
  ], null],
];

for (const [what, text, expected, reason] of TAKEOVERS) {
  const title = reason === null ? "gets what it may of" : "cannot take";
  Deno.test(`A stranger's route ${title} ${what}`, () => {
    same(taken(text), expected);
    const problems = checkReferences(read(EDGE + text), []);
    same(problems.map((one) => one.reason), reason === null ? [] : [reason]);
  });
}

Deno.test("A closed listener keeps its hosts whatever order the listeners stand in", () => {
  const swapped = EDGE.replace(/ {4}- \{name: open.*\n/, "").replace(
    "    - {name: apart",
    "    - {name: open, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}\n    - {name: apart",
  );
  for (const base of [EDGE, swapped]) {
    const [port80] =
      build(base + stranger("open", ["pay.example", "x.example"]), gateway).listeners;
    const pay = port80!.hosts.filter((host) => host.hostnames.includes("pay.example"));
    same(pay.map((host) => [host.group, host.routes.map((one) => one.name)]), [
      ["pay", ["edge/pay/0"]],
    ]);
  }
});

const SELECTORS: [namespaces: string, path: string, message: RegExp][] = [
  ["{from: Selector}", "selector", /is missing, wanted the namespaces/],
  [
    "{from: All, selector: {matchLabels: {kubernetes.io/metadata.name: a}}}",
    "selector",
    /stands beside from "All"/,
  ],
  ["{from: Selector, selector: {}}", "selector", /is empty, which would be every namespace/],
  [
    "{from: Selector, selector: {matchExpressions: [{key: team, operator: In, values: [a]}]}}",
    "selector.matchExpressions[0].key",
    /is "team", wanted "kubernetes.io\/metadata.name"/,
  ],
  [
    "{from: Selector, selector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: Exists, values: [a]}]}}",
    "selector.matchExpressions[0].operator",
    /wanted "In" or "NotIn"/,
  ],
];

Deno.test("A namespace selector that would not mean what it seems to is refused", () => {
  for (const [namespaces, path, message] of SELECTORS) {
    const { errors } = parseDocuments(`
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw}
spec: {listeners: [{name: a, port: 80, protocol: HTTP, allowedRoutes: {namespaces: ${namespaces}}}]}
`);
    equal(errors[0]?.path, `spec.listeners[0].allowedRoutes.namespaces.${path}`, namespaces);
    match(errors[0].message, message);
  }
});
