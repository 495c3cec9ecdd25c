import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { parseDocuments } from "../../../control/schema/parse.ts";
import { buildSnapshot, canonicalJson, checkReferences } from "../../../control/snapshot/mod.ts";
import { Fields } from "../../../core/fields.ts";
import { compileRoutes } from "../../../proxy/routing/mod.ts";

const GATEWAY = "gateway.networking.k8s.io";
const name = fc.constantFrom("a", "b", "c");
const namespace = fc.constantFrom("default", "other");
const metadata = fc.record({ name, namespace }, { requiredKeys: ["name"] });
const duration = fc.constantFrom("0s", "1s", "250ms", "1m30s");
const port = fc.constantFrom(80, 81);
const protocol = fc.constantFrom("HTTP", "HTTP2", "GRPC", "TCP", "TLS");

const header = fc.record({ name: name.map((text) => `X-${text}`), value: name });
const modifier = fc.record({
  set: fc.uniqueArray(header, { maxLength: 2, selector: (one) => one.name }),
  remove: fc.uniqueArray(name, { maxLength: 2 }),
}, { requiredKeys: [] });
const pathChange = fc.oneof(
  fc.constant({ type: "ReplaceFullPath", replaceFullPath: "/x" }),
  fc.constant({ type: "ReplacePrefixMatch", replacePrefixMatch: "/y" }),
);
const filter = fc.oneof(
  modifier.map((one) => ({ type: "RequestHeaderModifier", requestHeaderModifier: one })),
  modifier.map((one) => ({ type: "ResponseHeaderModifier", responseHeaderModifier: one })),
  fc.record({ path: pathChange }, { requiredKeys: [] }).map((one) => ({
    type: "URLRewrite",
    urlRewrite: one,
  })),
  fc.record({ path: pathChange }, { requiredKeys: [] })
    .map((one) => ({ type: "RequestRedirect", requestRedirect: one })),
  name.map((one) => ({
    type: "ExtensionRef",
    extensionRef: { group: "denim.dev", kind: "FilterBinding", name: one },
  })),
);
const filters = fc.uniqueArray(filter, { maxLength: 2, selector: (one) => one.type });
const match = fc.record({
  path: fc.record({
    type: fc.constantFrom("Exact", "PathPrefix", "RegularExpression"),
    value: fc.constantFrom("/", "/a", "/a/", "/a/b", "/%7e"),
  }, { requiredKeys: [] }),
  method: fc.constantFrom("GET", "POST"),
  headers: fc.uniqueArray(header, { maxLength: 2, selector: (one) => one.name }),
  queryParams: fc.uniqueArray(fc.record({ name, value: name }), {
    maxLength: 2,
    selector: (o) => o.name,
  }),
}, { requiredKeys: [] });
const backendRef = fc.record({
  name,
  namespace,
  port,
  weight: fc.constantFrom(0, 1, 90),
  filters: filters.map((list) => list.filter((one) => one.type !== "RequestRedirect")),
}, { requiredKeys: ["name"] });
const GRPC_FILTERS = new Set(["RequestHeaderModifier", "ResponseHeaderModifier", "ExtensionRef"]);
const serviceRef = fc.record({ name, namespace, port, weight: fc.constantFrom(0, 1, 90) }, {
  requiredKeys: ["name"],
});
const rule = fc.record({
  matches: fc.array(match, { maxLength: 3 }),
  filters,
  backendRefs: fc.array(backendRef, { maxLength: 3 }),
  timeouts: fc.record({ request: duration, backendRequest: duration }, { requiredKeys: [] }),
  retry: fc.record({
    attempts: fc.constantFrom(1, 3),
    codes: fc.constant([500]),
    backoff: duration,
  }, {
    requiredKeys: [],
  }),
}, { requiredKeys: [] });
const grpcRule = fc.record({
  matches: fc.array(
    fc.record({
      method: fc.record({
        type: fc.constantFrom("Exact", "RegularExpression"),
        service: fc.constantFrom("a", "a.b"),
        method: name,
      }, { requiredKeys: ["service"] }),
      headers: fc.uniqueArray(header, { maxLength: 2, selector: (one) => one.name }),
    }, { requiredKeys: [] }),
    { maxLength: 3 },
  ),
  filters: filters.map((list) => list.filter(({ type }) => GRPC_FILTERS.has(type))),
  backendRefs: fc.array(serviceRef, { maxLength: 3 }),
}, { requiredKeys: [] });
const parentRef = fc.oneof(
  fc.record({ name, namespace, sectionName: name }, { requiredKeys: ["name"] }),
  fc.record({ name, namespace, port }, { requiredKeys: ["name"] })
    .map((one) => ({ group: "", kind: "Service", ...one })),
);
const hostname = fc.constantFrom("a.example", "*.example", "*.a.example");

function resource(
  apiVersion: string,
  kind: string,
  spec: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  return fc.record({
    apiVersion: fc.constant(apiVersion),
    kind: fc.constant(kind),
    metadata,
    spec,
  });
}

const targetRefs = fc.array(
  fc.record({ kind: fc.constantFrom("Service", "HTTPRoute", "GRPCRoute", "Gateway"), name }),
  { minLength: 1, maxLength: 2 },
);
const resources = fc.array(
  fc.oneof(
    resource(
      `${GATEWAY}/v1`,
      "HTTPRoute",
      fc.record({
        parentRefs: fc.array(parentRef, { minLength: 1, maxLength: 2 }),
        hostnames: fc.array(hostname, { maxLength: 2 }),
        rules: fc.array(rule, { minLength: 1, maxLength: 3 }),
      }, { requiredKeys: ["parentRefs"] }),
    ),
    resource(
      `${GATEWAY}/v1`,
      "GRPCRoute",
      fc.record({
        parentRefs: fc.array(parentRef, { minLength: 1, maxLength: 2 }),
        hostnames: fc.array(hostname, { maxLength: 2 }),
        rules: fc.array(grpcRule, { maxLength: 3 }),
      }, { requiredKeys: ["parentRefs"] }),
    ),
    ...["TCPRoute", "TLSRoute"].map((kind) =>
      resource(
        `${GATEWAY}/v1alpha2`,
        kind,
        fc.record({
          parentRefs: fc.array(parentRef, { minLength: 1, maxLength: 2 }),
          ...(kind === "TLSRoute" ? { hostnames: fc.array(hostname, { maxLength: 2 }) } : {}),
          rules: fc.array(fc.record({ backendRefs: fc.array(serviceRef, { minLength: 1 }) }), {
            minLength: 1,
            maxLength: 1,
          }),
        }),
      )
    ),
    resource(
      `${GATEWAY}/v1`,
      "Gateway",
      fc.record({
        listeners: fc.uniqueArray(
          fc.oneof(
            fc.record(
              { name, port: fc.constantFrom(0, 80), protocol: fc.constant("HTTP"), hostname },
              { requiredKeys: ["name", "port", "protocol"] },
            ),
            fc.record({
              name,
              port: fc.constantFrom(0, 443),
              protocol: fc.constant("TLS"),
              tls: fc.constant({ mode: "Passthrough" }),
              hostname,
            }, { requiredKeys: ["name", "port", "protocol", "tls"] }),
            fc.record({ name, port: fc.constantFrom(0, 5432), protocol: fc.constant("TCP") }),
          ),
          { minLength: 1, maxLength: 3, selector: (one) => one.name },
        ),
      }),
    ),
    resource(
      "denim.dev/v1",
      "Service",
      fc.record({
        ports: fc.uniqueArray(
          fc.record({ port, protocol, targetPort: port }, { requiredKeys: ["port"] }),
          { minLength: 1, selector: (one) => one.port },
        ),
        from: name,
        selector: fc.record({ version: name }, { requiredKeys: [] }),
      }, { requiredKeys: ["ports"] }),
    ),
    resource(
      "denim.dev/v1",
      "TrafficPolicy",
      fc.record({
        targetRefs,
        timeouts: fc.record({ request: duration, backendRequest: duration }, { requiredKeys: [] }),
        retry: fc.record({ attempts: fc.constantFrom(0, 2), backoff: duration }, {
          requiredKeys: [],
        }),
      }, { requiredKeys: ["targetRefs"] }),
    ),
    resource(
      "denim.dev/v1",
      "FilterBinding",
      fc.record({
        targetRefs,
        module: fc.record({ name: name.map((one) => `p/${one}`) }),
        phase: fc.constantFrom("AUTHN", "STATS"),
        priority: fc.constantFrom(-1, 1),
        failMode: fc.constantFrom("open", "closed"),
        config: fc.jsonValue(),
      }, { requiredKeys: ["module"] }),
    ),
  ),
  { maxLength: 10 },
);

const modules = [{
  name: "p/a",
  version: "1.0.0",
  digest: `sha256:${"0".repeat(64)}`,
  bytes: 1,
  abi: "proxy-wasm" as const,
}];
const workloads = ["a", "b", "a"].map((service, at) => ({
  namespace: "default",
  service,
  inbound: `10.0.0.1:${at + 1}`,
  labels: { version: service },
  identity: `spiffe://t/ns/default/sa/${service}`,
  healthy: at !== 1,
}));
const nodes = [
  { kind: "sidecar" as const, namespace: "default", name: "a" },
  { kind: "sidecar" as const, namespace: "other", name: "b" },
  { kind: "gateway" as const, namespace: "default", name: "a" },
];

Deno.test("buildSnapshot and compileRoutes are total on whatever the schemas accept", () => {
  let accepted = 0;
  fc.assert(
    fc.property(resources, (input) => {
      const { resources: read } = parseDocuments(input);
      accepted += read.length;
      checkReferences(read, modules); // what it finds is still built: a Service may go any time
      for (const node of nodes) {
        const shared = { workloads, modules, trust: { domain: "t", bundle: [] }, node };
        const snapshot = buildSnapshot({ ...shared, resources: read });
        same(JSON.parse(JSON.stringify(snapshot)), snapshot, "a snapshot is plain JSON");
        const turned = buildSnapshot({ ...shared, resources: read.toReversed() });
        equal(turned.version, snapshot.version, "the order of resources means nothing");
        equal(canonicalJson(turned.backends), canonicalJson(snapshot.backends));
        for (const listener of snapshot.listeners) {
          const matcher = compileRoutes(listener.hosts, (route) => route.name);
          for (const authority of ["a", "b.other", "a.example", "x.a.example:81"]) {
            const head = {
              method: "GET",
              scheme: "http",
              authority,
              path: "/a/b?a=a",
              fields: new Fields(),
            };
            ok(matcher.match(head) === null || matcher.knowsHost(head));
          }
        }
      }
    }),
    { numRuns: 300 },
  );
  ok(accepted > 300, `only ${accepted} resources were accepted; the generator has gone stale`);
});

Deno.test("parseDocuments never throws and names a path for whatever is not a resource", () => {
  const junk = fc.oneof(
    fc.anything(),
    fc.record({ apiVersion: fc.string(), kind: fc.string() }),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.array(junk, { maxLength: 3 }), fc.string({ maxLength: 200 }), (values, text) => {
      same(parseDocuments(values).resources, []);
      same(parseDocuments(text).resources, []);
    }),
    { numRuns: 1000 },
  );
});
