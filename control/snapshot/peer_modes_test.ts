import assert from "node:assert/strict";
import { problemsOf, resourcesOf } from "../../tests/support/snapshots.ts";
import type { Snapshot } from "../schema/snapshot.ts";
import { buildSnapshot } from "./build.ts";
import type { Workload } from "./work.ts";

const SHOP = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: shop}
spec: {ports: [{port: 80}, {port: 9090, targetPort: 9091}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: shop-v2}
spec: {ports: [{port: 80}], from: shop, selector: {version: v2}}
---
`;

const policy = (name: string, spec: string, namespace = "default"): string => `
apiVersion: denim.dev/v1
kind: PeerAuthentication
metadata: {name: ${name}, namespace: ${namespace}}
spec: ${spec}
---
`;
const MESH = (mode: string): string => policy("mesh", `{mtls: {mode: ${mode}}}`, "denim-system");
const SPACE = (mode: string): string => policy("space", `{mtls: {mode: ${mode}}}`);
const OF = (service: string, mode: string, ports = ""): string =>
  policy(
    `of-${service}`,
    `{targetRefs: [{kind: Service, name: ${service}}], mtls: {mode: ${mode}}, ${ports}}`,
  );
const PORT = (mode: string): string => `portLevelMtls: {"9090": {mode: ${mode}}}`;

const WORKLOAD: Workload = {
  namespace: "default",
  service: "shop",
  inbound: "10.0.0.1:15006",
  labels: { version: "v2" },
  identity: "spiffe://t/ns/default/sa/shop",
  healthy: true,
};

function built(policies: string, kind: "shop" | "caller"): Snapshot {
  return buildSnapshot({
    resources: resourcesOf(SHOP + policies),
    workloads: [WORKLOAD],
    modules: [],
    trust: { domain: "t", bundle: [] },
    node: { kind: "sidecar", namespace: "default", name: kind },
    nodeLabels: kind === "shop" ? WORKLOAD.labels : {},
  });
}

/** The workload's listener, which of its routes refuse plaintext, and how callers come to each port. */
function outcome(policies: string): string {
  const inbound = built(policies, "shop").listeners.find((one) => one.name === "inbound")!;
  const guarded = inbound.hosts[0]!.routes
    .filter((route) => route.filters.some((filter) => filter.kind === "mtls"))
    .map((route) => route.name);
  const { backends } = built(policies, "caller");
  const by = (name: string): string => {
    const endpoint = backends[name]!.endpoints[0]!;
    return endpoint.identity !== undefined ? "mtls" : endpoint.sidecar === true ? "plain" : "out";
  };
  const ways = [by("default/shop:80"), by("default/shop-v2:80"), by("default/shop:9090")];
  return `${inbound.tls} [${guarded.join(" ")}] ${ways.join(" ")}`;
}

const CASES: readonly [what: string, policies: string, outcome: string][] = [
  ["nothing said", "", "mesh [] mtls mtls mtls"],
  ["the mesh permissive", MESH("PERMISSIVE"), "permissive [] mtls mtls mtls"],
  ["the mesh off", MESH("DISABLE"), "none [] plain plain plain"],
  ["a namespace before the mesh", MESH("DISABLE") + SPACE("STRICT"), "mesh [] mtls mtls mtls"],
  [
    "a Service before its namespace",
    SPACE("DISABLE") + OF("shop", "STRICT"),
    "mesh [] mtls mtls mtls",
  ],
  [
    "a port before its Service",
    OF("shop", "STRICT", PORT("PERMISSIVE")),
    "permissive [default/shop] mtls mtls mtls",
  ],
  [
    "a port in plaintext only",
    OF("shop", "STRICT", PORT("DISABLE")),
    "permissive [default/shop] mtls mtls plain",
  ],
  [
    "a port alone that is strict",
    SPACE("PERMISSIVE") + OF("shop", "PERMISSIVE", PORT("STRICT")),
    "permissive [default/shop:9090] mtls mtls mtls",
  ],
  [
    "the strictest of the Services that lead to the main port",
    OF("shop", "DISABLE") + OF("shop-v2", "STRICT"),
    "permissive [default/shop] mtls mtls plain",
  ],
];

for (const [what, policies, expected] of CASES) {
  Deno.test(`PeerAuthentication decides for the workload and its callers alike: ${what}`, () => {
    assert.equal(outcome(policies), expected);
  });
}

Deno.test("Of two policies with the same reach the older holds", () => {
  const dated = (name: string, day: number, mode: string): string => `
apiVersion: denim.dev/v1
kind: PeerAuthentication
metadata: {name: ${name}, creationTimestamp: "2026-01-0${day}T00:00:00Z"}
spec: {mtls: {mode: ${mode}}}
---
`;
  assert.equal(
    outcome(dated("a", 2, "DISABLE") + dated("b", 1, "PERMISSIVE")),
    "permissive [] mtls mtls mtls",
  );
});

Deno.test("A PeerAuthentication that could mean nothing is refused", () => {
  const refused = (spec: string): string[] => problemsOf(SHOP + policy("p", spec));
  assert.match(refused("{}")[0]!, /^spec.mtls is missing, wanted \{mode: "STRICT"\}/);
  assert.match(
    refused("{mtls: {mode: STRICTISH}}")[0]!,
    /^spec.mtls.mode is "STRICTISH", wanted "STRICT", "PERMISSIVE" or "DISABLE"/,
  );
  assert.match(
    refused('{portLevelMtls: {"80": {mode: STRICT}}}')[0]!,
    /^spec.portLevelMtls is for the ports of a Service/,
  );
  assert.match(
    refused(
      '{targetRefs: [{kind: Service, name: shop}], portLevelMtls: {"81": {mode: STRICT}}}',
    )[0]!,
    /^spec.portLevelMtls\["81"\] is no port of Service "default\/shop"; it has 80, 9090/,
  );
  assert.match(
    refused("{targetRefs: [{kind: Service, name: shoop}], mtls: {mode: STRICT}}")[0]!,
    /did you mean "default\/shop"/,
  );
  const fixed = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: fixed}
spec: {ports: [{port: 80}], endpoints: ["10.0.0.7:80"]}
---
`;
  assert.match(
    problemsOf(fixed + OF("fixed", "DISABLE"))[0]!,
    /names Service "default\/fixed", whose fixed addresses have no sidecar/,
  );
});
