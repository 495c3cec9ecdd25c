import { deepStrictEqual as same, match, strictEqual as equal } from "node:assert/strict";
import { TestKey } from "../../filters/jwt/fakes.ts";
import type { JwtConfig } from "../schema/filter_config.ts";
import { parseDocuments } from "../schema/parse.ts";
import type { RouteSpec } from "../schema/snapshot.ts";
import { buildSnapshot } from "./build.ts";
import { checkReferences } from "./check.ts";

const KEY = new TestKey("ES256").jwk;
const URI = "https://issuer.example/keys";

const BASE = [
  service("shop"),
  service("bank"),
  service("till", "other"),
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: "edge" },
    spec: { listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  },
  {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "web" },
    spec: {
      parentRefs: [{ name: "edge" }],
      rules: [{ backendRefs: [{ name: "shop", port: 80 }] }],
    },
  },
];

function service(name: string, namespace = "default") {
  const ports = [{ port: 80 }, { port: 5432, protocol: "TCP" }];
  return {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { ports },
  };
}

function authentication(
  name: string,
  { namespace = "default", ...spec }: Record<string, unknown> = {},
) {
  const rule = { issuer: name, audiences: ["a"], jwksUri: URI };
  const metadata = { name, namespace };
  const kind = "RequestAuthentication";
  return { apiVersion: "denim.dev/v1", kind, metadata, spec: { jwtRules: [rule], ...spec } };
}

const ON = (kind: string, name: string) => ({ targetRefs: [{ kind, name }] });

function parsed(...more: unknown[]) {
  const { resources, errors } = parseDocuments([...BASE, ...more]);
  same(errors, []);
  return resources;
}

function routes(
  node: { kind: "sidecar" | "gateway"; name: string; namespace?: string },
  more: unknown[],
  fetched = new Map([[URI, [KEY]]]),
): readonly RouteSpec[] {
  const snapshot = buildSnapshot({
    resources: parsed(...more),
    workloads: [],
    modules: [],
    trust: { domain: "mesh.local", bundle: [] },
    fetchedKeys: fetched,
    node: { namespace: "default", ...node },
  });
  shared = snapshot.shared ?? {};
  return snapshot.listeners[0]!.hosts[0]!.routes;
}

/** Of the snapshot that was built last. */
let shared: Readonly<Record<string, unknown>> = {};

/** The policies of the first link of a route, which is jwt's; none when there is no such link. */
function policies(route: RouteSpec): JwtConfig["policies"] {
  const at = route.filters.findIndex((one) => one.kind === "jwt");
  equal(route.filters.filter((one) => one.kind === "jwt").length <= 1, true);
  return at < 0 ? [] : (shared[route.filters[at]!.shared!] as JwtConfig).policies;
}

const names = (route: RouteSpec) => policies(route).map((one) => one.name);

Deno.test("RequestAuthentication holds for the mesh, a namespace, or the Services it names", () => {
  const all = [
    authentication("mesh", { namespace: "denim-system" }),
    authentication("all"),
    authentication("shop", ON("Service", "shop")),
    authentication("edge", ON("Gateway", "edge")),
    authentication("elsewhere", { namespace: "other" }),
  ];
  const of = (name: string, namespace = "default") =>
    routes({ kind: "sidecar", name, namespace }, all).map(names);
  const shop = ["default/all", "default/shop", "denim-system/mesh"];
  const rest = ["default/all", "denim-system/mesh"];
  same(of("shop"), [shop, [], shop]); // its TCP port, unknown ports, its main one
  same(of("bank"), [rest, [], rest]);
  same(of("till", "other").at(-1), ["denim-system/mesh", "other/elsewhere"]);
  same(routes({ kind: "gateway", name: "edge" }, all).map(names), [["default/edge"]]);
  same(routes({ kind: "gateway", name: "edge" }, all.slice(0, 3)).map(names), [[]]);
});

Deno.test("A snapshot holds the rules of a place once, however many routes it has", () => {
  routes({ kind: "sidecar", name: "shop" }, [authentication("all")]);
  equal(Object.keys(shared).length, 1);
});

Deno.test("jwt comes after the timeout and before all other filters of a route", () => {
  const [route] = routes({ kind: "gateway", name: "edge" }, [
    authentication("edge", ON("Gateway", "edge")),
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "web2" },
      spec: {
        parentRefs: [{ name: "edge" }],
        rules: [{
          filters: [{
            type: "RequestHeaderModifier",
            requestHeaderModifier: { remove: ["authorization"] },
          }],
          backendRefs: [{ name: "shop", port: 80 }],
        }],
      },
    },
  ]).filter((one) => one.name === "default/web2/0");
  same(route!.filters.map((one) => one.kind), ["timeout", "jwt", "request-headers"]);
});

Deno.test("A rule gets the keys that have been fetched, its own, or none", () => {
  const own = authentication("own", {
    jwtRules: [{ issuer: "own", audiences: ["a"], jwks: JSON.stringify({ keys: [KEY] }) }],
  });
  const keysOf = (more: unknown, fetched?: Map<string, typeof KEY[]>) =>
    policies(routes({ kind: "sidecar", name: "shop" }, [more], fetched).at(-1)!)[0]!.rules[0]!;
  same(keysOf(own).keys, [KEY]);
  equal(keysOf(own).source, "");
  same(keysOf(authentication("remote")).keys, [KEY]);
  equal(keysOf(authentication("remote")).source, URI);
  equal(keysOf(authentication("remote"), new Map()).keys, undefined);
});

Deno.test("A RequestAuthentication names what is there, and places that may be asked", () => {
  const check = (more: unknown[], standalone = false) =>
    checkReferences(parsed(...more), [], { standalone })
      .filter((one) => one.resource.startsWith("RequestAuthentication"))
      .map((one) => `${one.path} ${one.message}`).join("\n");
  const at = (jwksUri: string) =>
    authentication("a", { jwtRules: [{ issuer: "a", audiences: ["a"], jwksUri }] });
  const config = (jwks: unknown) => ({
    apiVersion: "denim.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { jwks },
  });
  equal(check([at(URI)]), "");
  match(
    check([authentication("a", ON("Service", "shap"))]),
    /"default\/shap".*did you mean "default\/shop"/,
  );
  match(
    check([at("https://169.254.169.254/latest/meta-data")]),
    /^spec\.jwtRules\[0\]\.jwksUri leads to 169/,
  );
  match(check([at("http://issuer.example/keys")]), /plaintext/);
  equal(check([at("http://issuer.example/"), config({ allowedHosts: ["issuer.example"] })]), "");
  equal(check([at("http://10.0.0.1/"), config({ allowedNetworks: ["10.0.0.0/8"] })]), "");
  match(check([at(URI)], true), /standalone proxy has not/);
});
