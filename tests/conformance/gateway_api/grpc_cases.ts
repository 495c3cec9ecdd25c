/** GRPCRoute: what its CRD accepts and refuses, and which backend gets a call, from the text of the API. */
import type { MatchingGroup } from "./matching_cases.ts";
import type { ValidationCase } from "./validation_cases.ts";

const PARENT = { parentRefs: [{ name: "edge" }] };

function rule(fields: Record<string, unknown>): Record<string, unknown> {
  return { ...PARENT, rules: [fields] };
}

function method(fields: Record<string, unknown>): Record<string, unknown> {
  return rule({ matches: [{ method: fields }] });
}

const METHOD_AT = "rules[0].matches[0].method";
const SERVICES = {
  good: ["a", "Foo", "foo.bar.v1.Baz_2", ".foo.Bar", "_x"],
  bad: ["foo/bar", "foo.", "foo..bar", "2foo", "foo bar", "f-o", "foo.2b", "x".repeat(1025)],
};
const METHODS = { good: ["Get", "_get2"], bad: ["Get/", "a.b", "2get", "a-b", "x".repeat(1025)] };
const REQUEST = {
  type: "RequestHeaderModifier",
  requestHeaderModifier: { set: [{ name: "a", value: "b" }] },
};
const RESPONSE = {
  type: "ResponseHeaderModifier",
  responseHeaderModifier: { remove: ["a"] },
};
const EXTENSION = {
  type: "ExtensionRef",
  extensionRef: { group: "denim.dev", kind: "FilterBinding", name: "f" },
};
const BACKEND = { name: "a", port: 50051 };

function filters(...list: unknown[]): Record<string, unknown> {
  return rule({ filters: list, backendRefs: [BACKEND] });
}

function refused(
  what: string,
  spec: Record<string, unknown>,
  at: string,
): ValidationCase {
  return { rule: what, spec, at };
}

function accepted(what: string, spec: Record<string, unknown>): ValidationCase {
  return { rule: what, spec, at: null };
}

export const GRPC_ROUTE_CASES: readonly ValidationCase[] = [
  accepted("no rules", PARENT),
  accepted("an empty list of rules", { ...PARENT, rules: [] }),
  accepted("a rule without matches", rule({ backendRefs: [BACKEND] })),
  accepted("a Service as parent", {
    parentRefs: [{ group: "", kind: "Service", name: "a", port: 50051 }],
  }),
  ...SERVICES.good.map((service) => accepted(`service ${service}`, method({ service }))),
  ...SERVICES.bad.map((service) =>
    refused(`service ${service.slice(0, 20)}`, method({ service }), `${METHOD_AT}.service`)
  ),
  ...METHODS.good.map((name) => accepted(`method ${name}`, method({ method: name }))),
  ...METHODS.bad.map((name) =>
    refused(`method ${name.slice(0, 20)}`, method({ method: name }), `${METHOD_AT}.method`)
  ),
  accepted(
    "a service and any method, said with an empty one",
    method({ service: "a", method: "" }),
  ),
  refused("neither a service nor a method", method({ type: "Exact" }), METHOD_AT),
  refused("two empty ones", method({ service: "", method: "" }), METHOD_AT),
  accepted(
    "patterns",
    method({ type: "RegularExpression", service: "foo\\.(bar|baz)", method: "Get.*" }),
  ),
  refused(
    "a pattern that is none",
    method({ type: "RegularExpression", service: "(" }),
    `${METHOD_AT}.service`,
  ),
  refused("a type there is not", method({ type: "Prefix", service: "a" }), `${METHOD_AT}.type`),
  accepted(
    "headers by value and pattern",
    rule({
      matches: [{
        headers: [{ name: "version", value: "2" }, {
          type: "RegularExpression",
          name: "x",
          value: "a.*",
        }],
      }],
    }),
  ),
  refused(
    "a header twice",
    rule({ matches: [{ headers: [{ name: "A", value: "1" }, { name: "a", value: "2" }] }] }),
    "rules[0].matches[0].headers[1].name",
  ),
  refused("a path", rule({ matches: [{ path: { value: "/" } }] }), "rules[0].matches[0].path"),
  refused(
    "timeouts, which it has none of",
    rule({ timeouts: { request: "1s" } }),
    "rules[0].timeouts",
  ),
  accepted("its filters", filters(REQUEST, RESPONSE, EXTENSION, EXTENSION)),
  refused("a filter twice", filters(REQUEST, REQUEST), "rules[0].filters[1]"),
  refused(
    "a redirect",
    filters({ type: "RequestRedirect", requestRedirect: {} }),
    "rules[0].filters[0].type",
  ),
  refused(
    "a mirror, which this version does not do",
    filters({ type: "RequestMirror", requestMirror: { backendRef: BACKEND } }),
    "rules[0].filters[0].type",
  ),
  accepted("filters of a backend", rule({ backendRefs: [{ ...BACKEND, filters: [REQUEST] }] })),
  refused(
    "a filter of a backend twice",
    rule({ backendRefs: [{ ...BACKEND, filters: [RESPONSE, RESPONSE] }] }),
    "rules[0].backendRefs[0].filters[1]",
  ),
  refused("more than 16 rules", { ...PARENT, rules: Array(17).fill({}) }, "rules"),
  refused(
    "more than 64 matches in a rule",
    rule({ matches: Array(65).fill({}) }),
    "rules[0].matches",
  ),
  refused(
    "more than 128 matches in all",
    { ...PARENT, rules: Array(3).fill({ matches: Array(43).fill({}) }) },
    "rules",
  ),
  refused(
    "a rule's name twice",
    { ...PARENT, rules: [{ name: "a" }, { name: "a" }] },
    "rules[1].name",
  ),
  refused(
    "a field this version does not do",
    rule({ sessionPersistence: {} }),
    "rules[0].sessionPersistence",
  ),
];

interface RouteOptions {
  readonly kind?: string;
  readonly created?: number;
  readonly hostnames?: readonly string[];
}

function route(name: string, rules: string, options: RouteOptions = {}): string {
  const { kind = "GRPCRoute", created = 1, hostnames = [] } = options;
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}, creationTimestamp: "2026-01-0${created}T00:00:00Z"}
spec:
  parentRefs: [{name: edge}]
  hostnames: ${JSON.stringify(hostnames)}
  rules:
${rules}
---`;
}

function to(backend: string, ...matches: string[]): string {
  return `    - {matches: [${matches}], backendRefs: [{name: ${backend}}]}\n`;
}

const call = (request: string, backend: string | null) => ({
  request,
  method: "POST",
  to: backend,
});

export const GRPC_MATCHING: readonly MatchingGroup[] = [
  {
    clause: "GRPCMethodMatch Exact: service and method, each by its whole name and case",
    routes: route(
      "r",
      to("a", "{method: {service: foo.Bar, method: Get}}") +
        to("b", "{method: {service: foo.Bar}}") +
        to("c", "{method: {method: Health}}"),
    ),
    cases: [
      call("/foo.Bar/Get", "a"),
      call("/foo.Bar/Get?x=1", "a"),
      call("/foo.Bar/get", "b"),
      call("/foo.Bar/GetAll", "b"),
      call("/foo.Bar/Health", "b"),
      call("/foo.bar/Get", null),
      call("/foo.Bar.v2/Get", null),
      call("/other.S/Health", "c"),
      call("/foo.Bar", "b"),
      call("/", null),
    ],
  },
  {
    clause: "GRPCMethodMatch RegularExpression: the whole name fits",
    routes: route(
      "r",
      to("a", "{method: {type: RegularExpression, service: 'foo\\.v[0-9]+\\.Bar'}}") +
        to("b", "{method: {type: RegularExpression, method: 'Get.*'}}"),
    ),
    cases: [
      call("/foo.v12.Bar/X", "a"),
      call("/xfoo.v12.Bar/X", null),
      call("/foo.v12.Bars/Get", "b"),
      call("/any.S/GetAll", "b"),
      call("/any.S/Forget", null),
    ],
  },
  {
    clause: "GRPCRouteRule: without matches it is for every call",
    routes: route("r", "    - {backendRefs: [{name: a}]}\n"),
    cases: [call("/x.Y/Z", "a"), call("/", "a")],
  },
  {
    clause: "GRPCRouteRule: a route without rules takes no call",
    routes: route("r", "").replace("rules:\n", "rules: []\n"),
    cases: [call("/x.Y/Z", null)],
  },
  {
    clause: "precedence: a service before a method, a method before headers, then most headers",
    routes: route(
      "r",
      to("a", "{headers: [{name: x, value: '1'}, {name: y, value: '1'}]}") +
        to("b", "{method: {method: Get}}") + to("c", "{method: {service: foo.Bar}}") +
        to("d", "{method: {service: foo.Bar}, headers: [{name: x, value: '1'}]}") +
        to("e", "{method: {service: foo.Bar, method: Get}}"),
    ),
    cases: [
      { ...call("/foo.Bar/Get", "e"), headers: [["x", "1"]] },
      { ...call("/foo.Bar/Put", "d"), headers: [["x", "1"]] },
      call("/foo.Bar/Put", "c"),
      { ...call("/s.S/Get", "b"), headers: [["x", "1"], ["y", "1"]] },
      { ...call("/s.S/Put", "a"), headers: [["x", "1"], ["y", "1"]] },
      { ...call("/s.S/Put", null), headers: [["x", "1"]] },
    ],
  },
  {
    clause:
      "precedence: the oldest route, then its name, then the first rule; names before patterns",
    routes: route("b", to("b", "{method: {service: foo.Bar}}"), { created: 2 }) +
      route("a", to("a", "{method: {service: foo.Bar}}"), { created: 2 }) +
      route(
        "z",
        to("c", "{method: {service: foo.Old}}") + to("d", "{method: {service: foo.Old}}"),
      ) +
      route("p", to("e", "{method: {type: RegularExpression, service: 'foo\\..*'}}")),
    cases: [
      call("/foo.Bar/Get", "a"),
      call("/foo.Old/Get", "c"),
      call("/foo.New/Get", "e"),
    ],
  },
  {
    clause: "hostnames: a host name belongs to the kind of route that was there first",
    routes: route("http", to("a", "{path: {value: /}}"), {
      kind: "HTTPRoute",
      hostnames: ["*.http.test"],
    }) +
      route("late", to("b", "{method: {service: foo.Bar}}"), {
        created: 2,
        hostnames: ["x.http.test"],
      }) +
      route("grpc", to("c", "{method: {service: foo.Bar}}"), { hostnames: ["grpc.test"] }) +
      route("none", to("d", "{path: {value: /}}"), { kind: "HTTPRoute", created: 3 }),
    cases: [
      { ...call("/foo.Bar/Get", "a"), host: "x.http.test" },
      { ...call("/foo.Bar/Get", "c"), host: "grpc.test" },
      { ...call("/foo.Baz/Get", null), host: "grpc.test" },
      { ...call("/foo.Bar/Get", null), host: "other.test" },
    ],
  },
];
