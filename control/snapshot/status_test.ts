import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import { parseDocuments } from "../schema/parse.ts";
import { Mesh } from "./mesh.ts";
import { type Condition, isRoute, routeStatus } from "./status.ts";

const MESH = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{port: 80}, {port: 5432, protocol: TCP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: shop}
spec:
  listeners:
    - {name: http, port: 80, protocol: HTTP}
    - {name: shared, port: 81, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: named, namespace: shop}
spec: {listeners: [{name: http, port: 80, protocol: HTTP, hostname: a.example}]}
---
`;

/** The conditions of the first route of the text at each of its parents. */
function conditions(text: string): Record<string, Condition>[] {
  const { resources, errors } = parseDocuments(MESH + text);
  same(errors, []);
  const route = resources.find(isRoute);
  ok(route);
  return routeStatus(new Mesh(resources), route).parents.map((parent) =>
    Object.fromEntries(parent.conditions.map((one) => [one.type, one]))
  );
}

function route(namespace: string, parents: string, backend = "name: cart, namespace: shop") {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r, namespace: ${namespace}}
spec:
  parentRefs: [${parents}]
  rules: [{backendRefs: [{${backend}, port: 80}]}]
---
`;
}

const CART = '{group: "", kind: Service, name: cart, namespace: shop}';

Deno.test("A producer route says that it holds for all callers, and for whom it does not", () => {
  const alone = conditions(route("shop", CART))[0]!;
  same([alone.Accepted!.status, alone.ResolvedRefs!.status], ["True", "True"]);
  const producer = alone["denim.dev/Producer"]!;
  same([producer.status, producer.reason], ["True", "Producer"]);
  equal(producer.message, 'Holds for all callers of Service "shop/cart"');
  const [withOthers] = conditions(
    route("shop", CART) + route("red", CART) + route("blue", CART),
  );
  match(withOthers!["denim.dev/Producer"]!.message, /except where .* of their own: blue, red$/);
});

Deno.test("A consumer's override says that it holds for its own namespace only", () => {
  const [at] = conditions(route("blue", CART));
  equal(at!.Accepted!.status, "True");
  const { status, reason, message } = at!["denim.dev/Producer"]!;
  same([status, reason], ["False", "Consumer"]);
  match(message, /for sidecars of namespace "blue" and for nobody else/);
});

Deno.test("A route of a Gateway says at which listeners it hangs, parent by parent", () => {
  const parents = "{name: gw, namespace: shop}, " +
    "{name: gone, namespace: shop}, {group: '', kind: Service, name: cart, namespace: shop, port: 9}";
  const [gateway, gone, service] = conditions(
    route("blue", parents) + `
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g, namespace: shop}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: blue}]
  to: [{group: "", kind: Service}]
`,
  );
  equal(gateway!.Accepted!.message, 'Attached to Gateway "shop/gw" at shared');
  same(gateway!["denim.dev/Producer"], undefined);
  same([gone, service].map((one) => [one!.Accepted!.status, one!.Accepted!.reason]), [
    ["False", "NoMatchingParent"],
    ["False", "NoMatchingParent"],
  ]);
  equal(gateway!.ResolvedRefs!.status, "True");
});

const REASONS: [what: string, text: string, type: string, reason: string][] = [
  [
    "a closed listener",
    route("blue", "{name: gw, namespace: shop, sectionName: http}"),
    "Accepted",
    "NotAllowedByListeners",
  ],
  [
    "a backend without a grant",
    route("blue", "{name: gw, namespace: shop}"),
    "ResolvedRefs",
    "RefNotPermitted",
  ],
  [
    "a backend that is not there",
    route("shop", CART, "name: gone"),
    "ResolvedRefs",
    "BackendNotFound",
  ],
  [
    "a backend of another kind of port",
    route("shop", CART).replace("port: 80}", "port: 5432}"),
    "ResolvedRefs",
    "InvalidKind",
  ],
  [
    "a Service port of another protocol",
    route("shop", CART.replace("}", ", port: 5432}")),
    "Accepted",
    "UnsupportedValue",
  ],
  [
    "a host name the listener does not have",
    route("shop", "{name: named}").replace("rules", "hostnames: [b.example]\n  rules"),
    "Accepted",
    "NoMatchingListenerHostname",
  ],
];

for (const [what, text, type, reason] of REASONS) {
  Deno.test(`The status of a route names ${what} as ${reason}`, () => {
    const [at] = conditions(text);
    same([at![type]!.status, at![type]!.reason], ["False", reason]);
    ok(at![type]!.message.startsWith("spec."));
  });
}

Deno.test("Conditions carry the generation they were computed for", () => {
  const { resources } = parseDocuments(MESH + route("shop", CART));
  const found = resources.find(isRoute)!;
  const stored = { ...found, metadata: { ...found.metadata, generation: 7 } } as typeof found;
  const [parent] = routeStatus(new Mesh(resources), stored).parents;
  same(parent!.conditions.map((one) => one.observedGeneration), [7, 7, 7]);
  equal(parent!.controllerName, "denim.dev/control");
});
