import { deepStrictEqual as same, match, ok, strictEqual as equal } from "node:assert/strict";
import { parseAuthzConfig } from "../../filters/authz/config.ts";
import type { Resource } from "../schema/kinds.ts";
import { ofKind } from "../schema/kinds.ts";
import { parseDocuments } from "../schema/parse.ts";
import type { NodeRef, RouteSpec, Snapshot } from "../schema/snapshot.ts";
import type { AuthzConfig } from "../schema/filter_config.ts";
import { buildSnapshot } from "./build.ts";
import { checkReferences } from "./check.ts";
import { Mesh } from "./mesh.ts";
import { policyStatus } from "./policy_status.ts";

type Fields = Record<string, unknown>;

function resources(...documents: Fields[]): Resource[] {
  const { resources, errors } = parseDocuments(documents.map((one) => ({
    apiVersion: "denim.dev/v1",
    ...one,
  })));
  same(errors, []);
  return resources;
}

function policy(name: string, spec: Fields, namespace = "shop"): Fields {
  return { kind: "AuthorizationPolicy", metadata: { name, namespace }, spec };
}

const SERVICES = [
  {
    kind: "Service",
    metadata: { name: "db", namespace: "shop" },
    spec: {
      ports: [
        { port: 80 },
        { port: 5432, protocol: "TCP", targetPort: 15432 },
        { port: 50051, protocol: "GRPC" },
      ],
    },
  },
  {
    kind: "Service",
    metadata: { name: "web", namespace: "shop" },
    spec: { ports: [{ port: 80 }] },
  },
];
const GATEWAY: Fields = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: "edge", namespace: "shop" },
  spec: {
    gatewayClassName: "denim",
    listeners: [
      { name: "http", port: 8080, protocol: "HTTP" },
      { name: "tcp", port: 9000, protocol: "TCP" },
    ],
  },
};
function route(name: string, parentRef: Fields): Fields {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: "shop" },
    spec: {
      parentRefs: [parentRef],
      rules: [
        { backendRefs: [{ name: "web", port: 80 }] },
        {
          matches: [{ path: { value: "/old" } }],
          filters: [{ type: "RequestRedirect", requestRedirect: { hostname: "new.example" } }],
        },
      ],
    },
  };
}
const DB: NodeRef = { kind: "sidecar", namespace: "shop", name: "db" };
const EDGE: NodeRef = { kind: "gateway", namespace: "shop", name: "edge" };

function build(all: readonly Resource[], node: NodeRef): Snapshot {
  const trust = { domain: "mesh.local", bundle: [] };
  return buildSnapshot({ resources: all, workloads: [], modules: [], trust, node });
}

function configAt(snapshot: Snapshot, route: RouteSpec): AuthzConfig | null {
  const link = route.filters.find((one) => one.kind === "authz");
  if (link === undefined) return null;
  const config = snapshot.shared![link.shared!] as AuthzConfig;
  parseAuthzConfig(config); // as the filter reads it
  return config;
}

/** By route: which policies are enforced there, at which ports. */
function enforced(snapshot: Snapshot, listener: string): Record<string, string> {
  const { hosts } = snapshot.listeners.find((one) => one.name === listener)!;
  const found: Record<string, string> = {};
  for (const route of hosts.flatMap((host) => host.routes)) {
    const config = configAt(snapshot, route);
    if (config === null) continue;
    const names = config.policies.map((one) => `${one.name}${one.dryRun === true ? " (dry)" : ""}`);
    found[route.name] = `${names.join(" ")} @${config.ports}${config.l4 ? " l4" : ""}`;
  }
  return found;
}

const ALL = [{ to: [{ operation: { ports: ["80"] } }] }];
const TO_DB = { targetRefs: [{ kind: "Service", name: "db" }] };

Deno.test("Policies of a Service, its namespace and the mesh hold together at its sidecars", () => {
  const all = resources(
    ...SERVICES,
    policy("own", { ...TO_DB, rules: ALL }),
    policy("other", { targetRefs: [{ kind: "Service", name: "web" }], rules: ALL }),
    policy("whole", { rules: ALL }),
    policy("whole", { rules: ALL }, "elsewhere"),
    policy("mesh", { action: "DENY", rules: ALL }, "denim-system"),
    policy("edge", { targetRefs: [{ kind: "Gateway", name: "edge" }], rules: ALL }),
    GATEWAY,
  );
  same(checkReferences(all, []), []);
  same(enforced(build(all, DB), "inbound"), {
    "shop/db": "denim-system/mesh shop/own shop/whole @80",
    "shop/db:5432": "denim-system/mesh shop/own shop/whole @5432,15432 l4",
    "shop/db:50051": "denim-system/mesh shop/own shop/whole @50051",
  });
  same(enforced(build(all, DB), "outbound"), {});
});

Deno.test("Policies of a Gateway hold at all of its routes, redirects too, those of a route at its own", () => {
  const all = resources(
    ...SERVICES,
    GATEWAY,
    route("site", { name: "edge" }),
    route("api", { name: "edge" }),
    route("inner", { kind: "Service", group: "", name: "web" }),
    policy("edge", { targetRefs: [{ kind: "Gateway", name: "edge" }], rules: ALL }),
    policy("api", { targetRefs: [{ kind: "HTTPRoute", name: "api" }], rules: ALL }),
    policy("whole", { rules: ALL }),
    policy("mesh", { rules: ALL }, "denim-system"),
    {
      kind: "MeshConfig",
      metadata: { name: "default" },
      spec: { authorization: { default: "deny" } },
    },
  );
  same(checkReferences(all, []), []);
  const snapshot = build(all, EDGE);
  same(enforced(snapshot, "http"), {
    "shop/api/0": "shop/edge shop/api @8080",
    "shop/api/1": "shop/edge shop/api @8080",
    "shop/site/0": "shop/edge @8080",
    "shop/site/1": "shop/edge @8080",
  });
  const kinds = snapshot.listeners[0]!.hosts[0]!.routes[0]!.filters.map((one) => one.kind);
  equal(kinds.find((kind) => kind !== "timeout"), "authz");
});

Deno.test("The mesh's default denies inbound at every sidecar by one line, and can be tried first", () => {
  const config = (authorization: Fields) => ({
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { authorization },
  });
  const at = (authorization: Fields) =>
    enforced(build(resources(...SERVICES, config(authorization)), DB), "inbound")["shop/db"];
  equal(at({ default: "deny" }), "(default deny) @");
  equal(at({ default: "deny", dryRun: true }), "(default deny) (dry) @");
  equal(at({ default: "allow" }), undefined);
});

Deno.test("What many routes share is in a snapshot once", () => {
  const many = Array.from({ length: 50 }, (_, at) => route(`r${at}`, { name: "edge" }));
  const edge = policy("edge", { targetRefs: [{ kind: "Gateway", name: "edge" }], rules: [{}] });
  const snapshot = build(resources(...SERVICES, GATEWAY, edge, ...many), EDGE);
  equal(Object.keys(enforced(snapshot, "http")).length, 100);
  equal(Object.keys(snapshot.shared!).length, 1);
});

Deno.test("Every field of a policy arrives on the wire, with its names made whole", () => {
  const all = resources(
    ...SERVICES,
    policy("p", {
      ...TO_DB,
      action: "DENY",
      dryRun: true,
      rules: [{
        from: [{
          source: {
            principals: ["mesh.local/ns/a/sa/b", "spiffe://x/ns/a/sa/b", "*/sa/c", "*"],
            notNamespaces: ["a"],
            serviceAccounts: ["web", "a/web"],
            notIpBlocks: ["10.0.0.0/8"],
            remoteIpBlocks: ["::1"],
            requestPrincipals: ["*"],
          },
        }],
        to: [{
          operation: { hosts: ["Shop.Example"], notMethods: ["GET"], paths: ["/a/*"], ports: [80] },
        }],
        when: [
          { key: "request.headers[X-Team]", values: ["a"], notValues: ["b"] },
          { key: "request.auth.claims[a.b][c]", values: ["d"] },
          { key: "request.auth.claims.a.b", values: ["d"] },
          { key: "source.serviceAccount", values: ["job"] },
          { key: "destination.port", notValues: ["81"] },
        ],
      }],
    }),
  );
  const snapshot = build(all, DB);
  const routes = snapshot.listeners[0]!.hosts[0]!.routes;
  same(configAt(snapshot, routes.at(-1)!)!.policies, [{
    name: "shop/p",
    action: "DENY",
    dryRun: true,
    rules: [{
      from: [[
        {
          key: "identity",
          values: ["spiffe://mesh.local/ns/a/sa/b", "spiffe://x/ns/a/sa/b", "*/sa/c", "*"],
        },
        { key: "namespace", not: true, values: ["a"] },
        { key: "service-account", values: ["shop/web", "a/web"] },
        { key: "ip", not: true, values: ["10.0.0.0/8"] },
        { key: "remote-ip", values: ["::1"] },
        { key: "request-principal", values: ["*"] },
      ]],
      to: [[
        { key: "host", values: ["shop.example"] },
        { key: "port", values: ["80"] },
        { key: "method", not: true, values: ["GET"] },
        { key: "path", values: ["/a/*"] },
      ]],
      when: [
        { key: "header", name: "x-team", values: ["a"] },
        { key: "header", name: "x-team", not: true, values: ["b"] },
        { key: "claim", path: ["a.b", "c"], values: ["d"] },
        { key: "claim", path: ["a", "b"], values: ["d"] },
        { key: "service-account", values: ["shop/job"] },
        { key: "port", not: true, values: ["81"] },
      ],
    }],
  }]);
});

Deno.test("A policy whose target enforces nothing is refused", () => {
  const problems = (...documents: Fields[]) =>
    checkReferences(resources(...SERVICES, ...documents), []).map((one) =>
      `${one.path} ${one.message}`
    );
  match(
    problems(policy("a", { targetRefs: [{ kind: "Service", name: "dp" }] }))[0]!,
    /did you mean/,
  );
  const fixed = {
    kind: "Service",
    metadata: { name: "out", namespace: "shop" },
    spec: { ports: [{ port: 80 }], endpoints: ["10.0.0.1:80"] },
  };
  match(
    problems(fixed, policy("a", { targetRefs: [{ kind: "Service", name: "out" }] }))[0]!,
    /fixed addresses have no sidecar to enforce it/,
  );
  match(
    problems(
      route("inner", { kind: "Service", group: "", name: "web" }),
      policy("a", { targetRefs: [{ kind: "HTTPRoute", name: "inner" }] }),
    )[0]!,
    /runs in the sidecars of callers/,
  );
});

Deno.test("The status of a policy says where it holds, and which rules bare TCP leaves without effect", () => {
  const all = resources(
    ...SERVICES,
    policy("a", {
      ...TO_DB,
      rules: [
        { from: [{ source: { principals: ["*"] } }], to: [{ operation: { ports: ["5432"] } }] },
        { to: [{ operation: { methods: ["GET"] } }] },
      ],
    }),
    policy("b", {
      targetRefs: [{ kind: "Service", name: "web" }],
      rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
    }),
  );
  const mesh = new Mesh(all);
  const counts = { refused: 1, audited: 0, wouldRefuse: 0, wouldAllow: 0 };
  const [a, b] = ofKind(all, "AuthorizationPolicy").map((one) => policyStatus(mesh, one, counts));
  same(a!.counts, counts);
  equal(a!.conditions[0]!.message, 'Holds at Service "shop/db"');
  equal(a!.conditions[1]!.reason, "HttpRuleOnTcp");
  match(a!.conditions[1]!.message, /^At Service shop\/db:5432, .* rules\[1\] never allow anything/);
  ok(b!.conditions[1]!.status === "False");
});
