import assert from "node:assert/strict";
import { problemsOf, resourcesOf, snapshotOf } from "../../tests/support/snapshots.ts";
import { extAuthzSpec, PROVIDER_TIMEOUT_MS } from "./ext_authz.ts";
import { Shared, Work } from "./work.ts";

const SERVICES = `
apiVersion: denim.dev/v1
kind: Service
metadata: {name: opa, namespace: security}
spec: {ports: [{port: 80}, {port: 9191, protocol: GRPC, targetPort: 9191}]}
---
apiVersion: denim.dev/v1
kind: Service
metadata: {name: login, namespace: outside}
spec: {ports: [{port: 80}], endpoints: ["10.0.0.9:4180"]}
---
`;
const config = (providers: string): string => `
apiVersion: denim.dev/v1
kind: MeshConfig
metadata: {name: default}
spec: {extensionProviders: [${providers}]}
---
`;
const OPA = "{name: opa, envoyExtAuthzGrpc: {service: opa.security.svc.cluster.local, port: 9191}}";
const LOGIN = `{name: login, envoyExtAuthzHttp: {
  service: login.outside, port: 80, timeout: 2s, failOpen: true, statusOnError: "503",
  pathPrefix: /check, includeRequestHeadersInCheck: [Cookie], headersToUpstreamOnAllow: ["X-Auth-*"],
  includeAdditionalHeadersInCheck: {X-Shop: "42"},
  includeRequestBodyInCheck: {maxRequestBytes: 100, allowPartialMessage: true},
  headersToDownstreamOnDeny: [Set-Cookie]}}`;

const POLICIES = [{ name: "default/ask", rules: [] }];
const PLACE = { trustDomain: "t", ports: [80] };

function workOf(namespace: string, name: string, providers: string): Work {
  const resources = resourcesOf(SERVICES + config(providers));
  const workloads = [{
    namespace: "security",
    service: "opa",
    inbound: "10.0.0.1:15006",
    labels: {},
    identity: "spiffe://t/ns/security/sa/opa",
    healthy: true,
  }];
  const trust = { domain: "t", bundle: [] };
  const shared = new Shared({ resources, workloads, modules: [], trust });
  return new Work(shared, { kind: "sidecar", namespace, name });
}

Deno.test("A provider in the mesh is asked with mTLS, at the port it has", () => {
  const work = workOf("default", "web", OPA);
  const { config } = extAuthzSpec(work, "opa", POLICIES, PLACE)!;
  assert.equal(config.backend, "security/opa:9191");
  assert.deepEqual(config.fields, [{ name: "x-denim-port", value: "security/opa:9191" }]);
  assert.deepEqual([config.timeoutMs, config.failOpen], [PROVIDER_TIMEOUT_MS, false]);
  assert.equal(config.destination.principal, "spiffe://t/ns/default/sa/web");
  assert.equal(config.http, undefined);
  const backend = work.backends["security/opa:9191"]!;
  assert.equal(backend.endpoints[0]!.identity, "spiffe://t/ns/security/sa/opa");
});

Deno.test("A provider by HTTP is asked as MeshConfig says, names in lower case", () => {
  const { config } = extAuthzSpec(workOf("default", "web", LOGIN), "login", POLICIES, PLACE)!;
  const { backend, fields, timeoutMs, failOpen, statusOnError, body, http } = config;
  assert.deepEqual({ backend, fields, timeoutMs, failOpen, statusOnError, body, http }, {
    backend: "outside/login:80",
    fields: [{ name: "x-shop", value: "42" }],
    timeoutMs: 2000,
    failOpen: true,
    statusOnError: 503,
    body: { maxBytes: 100, allowPartial: true, packAsBytes: false },
    http: {
      pathPrefix: "/check",
      include: ["cookie"],
      toUpstream: ["x-auth-*"],
      toClientOnAllow: [],
      toClientOnDeny: ["set-cookie"],
    },
  });
});

Deno.test("A provider does not ask itself whether it may be asked", () => {
  assert.equal(extAuthzSpec(workOf("security", "opa", OPA), "opa", POLICIES, PLACE), null);
});

Deno.test("A provider that is gone refuses everything, failOpen or not", () => {
  const work = workOf("default", "web", OPA);
  const { config } = extAuthzSpec(work, "gone", POLICIES, PLACE)!;
  assert.deepEqual([config.failOpen, work.backends[config.backend]], [false, undefined]);
});

Deno.test("Providers that cannot be asked are refused at apply", () => {
  const problem = (providers: string): string => problemsOf(SERVICES + config(providers))[0] ?? "";
  assert.equal(problem(`${OPA}, ${LOGIN}`), "");
  const grpc = (service: string, port: number): string =>
    problem(`{name: a, envoyExtAuthzGrpc: {service: ${service}, port: ${port}}}`);
  assert.match(grpc("opa.secrity", 9191), /service names Service "secrity\/opa".*did you mean/);
  assert.match(grpc("opa.security", 1), /port is 1, which .* does not have; it has 80, 9191/);
  assert.match(grpc("opa.security", 80), /port is 80, whose protocol is not GRPC/);
  assert.match(grpc("opa", 80), /service is "opa", wanted a Service with its namespace/);
  assert.match(problem("{name: a}"), /wanted either envoyExtAuthzHttp or envoyExtAuthzGrpc/);
  assert.match(problem(`${OPA}, ${OPA}`), /\[1\]\.name is "opa", which another has/);
});

Deno.test("CUSTOM policies ask their providers before others decide, each provider once", () => {
  const policy = (name: string, spec: string): string => `
apiVersion: denim.dev/v1
kind: AuthorizationPolicy
metadata: {name: ${name}}
spec: ${spec}
---
`;
  const resources = resourcesOf(
    SERVICES + config(`${OPA}, ${LOGIN}`) +
      policy("a", "{action: CUSTOM, provider: {name: opa}, rules: [{}]}") +
      policy("b", "{action: CUSTOM, provider: {name: login}, rules: [{}]}") +
      policy("c", "{action: CUSTOM, provider: {name: opa}, rules: [{}]}") +
      policy("d", "{action: DENY, rules: [{}]}"),
  );
  const { listeners } = snapshotOf(resources, {
    kind: "sidecar",
    namespace: "default",
    name: "web",
  });
  const { filters } = listeners[0]!.hosts[0]!.routes.at(-1)!;
  assert.deepEqual(filters.map(({ kind, name }) => `${kind} ${name}`), [
    "ext-authz default/web:ext-authz:login",
    "ext-authz default/web:ext-authz:opa",
    "authz default/web:authz",
  ]);
  const { policies } = filters[1]!.config as { policies: { name: string }[] };
  assert.deepEqual(policies.map(({ name }) => name), ["default/a", "default/c"]);
});

Deno.test("A CUSTOM policy names a provider that there is", () => {
  const policy = `
apiVersion: denim.dev/v1
kind: AuthorizationPolicy
metadata: {name: a}
spec: {action: CUSTOM, provider: {name: opaa}, rules: [{}]}
`;
  assert.match(
    problemsOf(SERVICES + config(OPA) + policy)[0]!,
    /^spec\.provider\.name is "opaa", which no extensionProvider of MeshConfig is called.*"opa"/,
  );
});
