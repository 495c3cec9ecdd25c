/** Accept and reject vectors for every rule the Gateway API's CRDs state in OpenAPI or CEL, as spec fragments. */

/** `at`: where the error must stand, below `spec`; null: accepted. */
export interface ValidationCase {
  readonly rule: string;
  readonly spec: Record<string, unknown>;
  readonly at: string | null;
}

const PARENT = { parentRefs: [{ name: "edge" }] };
const BACKEND = { backendRefs: [{ name: "a", port: 80 }] };

/** A route of one rule. */
function rule(fields: Record<string, unknown>): Record<string, unknown> {
  return { ...PARENT, rules: [fields] };
}

function path(type: string | undefined, value: unknown): Record<string, unknown> {
  return rule({ matches: [{ path: { ...(type === undefined ? {} : { type }), value } }] });
}

const PATH_AT = "rules[0].matches[0].path.value";

function paths(type: string): ValidationCase[] {
  const good = ["/", "/a", "/a/b/", "/a.b/..c", "/%41%c3%a9", "/a-._~!$&'()*+,;=:@"];
  const bad = [
    "a",
    "",
    "//",
    "/a//b",
    "/./a",
    "/a/../b",
    "/a/..",
    "/a/.",
    "/a%2fb",
    "/a%2Fb",
    "/a#b",
  ];
  const odd = ["/a b", "/a?b", "/a%zz", "/\u00e9", "/a[0]", `/${"x".repeat(1024)}`];
  return [
    ...good.map((value) => ({ rule: `${type} takes ${value}`, spec: path(type, value), at: null })),
    ...[...bad, ...odd].map((value) => ({
      rule: `${type} refuses ${value.slice(0, 20)}`,
      spec: path(type, value),
      at: PATH_AT,
    })),
  ];
}

function filter(type: string, fields: Record<string, unknown>): Record<string, unknown> {
  return { type, [type[0]!.toLowerCase() + type.slice(1)]: fields };
}

const REDIRECT = filter("RequestRedirect", { hostname: "b.example" });
const REWRITE = { type: "URLRewrite", urlRewrite: { hostname: "b.example" } };
const REQUEST = filter("RequestHeaderModifier", { set: [{ name: "a", value: "b" }] });
const RESPONSE = filter("ResponseHeaderModifier", { remove: ["a"] });
const EXTENSION = filter("ExtensionRef", { group: "denim.dev", kind: "FilterBinding", name: "f" });
const PREFIX_REDIRECT = filter("RequestRedirect", {
  path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" },
});
const PREFIX_REWRITE = {
  type: "URLRewrite",
  urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/x" } },
};

function filters(...list: unknown[]): Record<string, unknown> {
  return rule({ filters: list });
}

const FILTERS: ValidationCase[] = [
  { rule: "a redirect alone", spec: filters(REDIRECT), at: null },
  {
    rule: "a redirect excludes backendRefs",
    spec: rule({ filters: [REDIRECT], ...BACKEND }),
    at: "rules[0].backendRefs",
  },
  {
    rule: "a redirect excludes a rewrite",
    spec: filters(REDIRECT, REWRITE),
    at: "rules[0].filters",
  },
  { rule: "a rewrite with a backend", spec: rule({ filters: [REWRITE], ...BACKEND }), at: null },
  {
    rule: "all kinds but redirect together",
    spec: rule({ filters: [REQUEST, RESPONSE, REWRITE, EXTENSION, EXTENSION], ...BACKEND }),
    at: null,
  },
  ...[REDIRECT, REWRITE, REQUEST, RESPONSE].map((one) => ({
    rule: `${one.type} at most once`,
    spec: filters(one, one),
    at: "rules[0].filters[1]",
  })),
  {
    rule: "at most once in a backendRef",
    spec: rule({ backendRefs: [{ name: "a", port: 80, filters: [REQUEST, REQUEST] }] }),
    at: "rules[0].backendRefs[0].filters[1]",
  },
  {
    rule: "headers of a backendRef",
    spec: rule({ backendRefs: [{ name: "a", port: 80, filters: [REQUEST, RESPONSE] }] }),
    at: null,
  },
  {
    rule: "no redirect in a backendRef",
    spec: rule({ backendRefs: [{ name: "a", port: 80, filters: [REDIRECT] }] }),
    at: "rules[0].backendRefs[0].filters[0].type",
  },
  {
    rule: "a filter's member belongs to its type",
    spec: filters({ ...REQUEST, urlRewrite: {} }),
    at: "rules[0].filters[0].urlRewrite",
  },
  {
    rule: "a filter needs the member of its type",
    spec: filters({ type: "URLRewrite" }),
    at: "rules[0].filters[0].urlRewrite",
  },
  {
    rule: "an unknown filter type",
    spec: filters({ type: "Nope" }),
    at: "rules[0].filters[0].type",
  },
  { rule: "a filter without a type", spec: filters({}), at: "rules[0].filters[0].type" },
  {
    rule: "at most 16 filters",
    spec: filters(...Array(17).fill(EXTENSION)),
    at: "rules[0].filters",
  },
  {
    rule: "set names a header once, without case",
    spec: filters(filter("RequestHeaderModifier", {
      set: [{ name: "A", value: "1" }, { name: "a", value: "2" }],
    })),
    at: "rules[0].filters[0].requestHeaderModifier.set[1]",
  },
  {
    rule: "a header name is a token",
    spec: filters(filter("RequestHeaderModifier", { remove: ["a b"] })),
    at: "rules[0].filters[0].requestHeaderModifier.remove[0]",
  },
  {
    rule: "a header value holds no line break",
    spec: filters(filter("ResponseHeaderModifier", { add: [{ name: "a", value: "b\r\nc: d" }] })),
    at: "rules[0].filters[0].responseHeaderModifier.add[0].value",
  },
  {
    rule: "framing headers stay the proxy's (Denim)",
    spec: filters(
      filter("RequestHeaderModifier", { set: [{ name: "Content-Length", value: "0" }] }),
    ),
    at: "rules[0].filters[0].requestHeaderModifier.set[0]",
  },
  ...[301, 302, 303, 307, 308].map((statusCode) => ({
    rule: `redirect status ${statusCode}`,
    spec: filters(filter("RequestRedirect", { statusCode })),
    at: null,
  })),
  {
    rule: "redirect status 304",
    spec: filters(filter("RequestRedirect", { statusCode: 304 })),
    at: "rules[0].filters[0].requestRedirect.statusCode",
  },
  {
    rule: "redirect scheme",
    spec: filters(filter("RequestRedirect", { scheme: "ftp" })),
    at: "rules[0].filters[0].requestRedirect.scheme",
  },
  {
    rule: "redirect host is precise",
    spec: filters(filter("RequestRedirect", { hostname: "*.example" })),
    at: "rules[0].filters[0].requestRedirect.hostname",
  },
  {
    rule: "redirect port",
    spec: filters(filter("RequestRedirect", { port: 65536 })),
    at: "rules[0].filters[0].requestRedirect.port",
  },
  {
    rule: "ReplaceFullPath excludes replacePrefixMatch",
    spec: filters(filter("RequestRedirect", {
      path: { type: "ReplaceFullPath", replaceFullPath: "/x", replacePrefixMatch: "/y" },
    })),
    at: "rules[0].filters[0].requestRedirect.path.replacePrefixMatch",
  },
  {
    rule: "ReplaceFullPath needs replaceFullPath",
    spec: filters(filter("RequestRedirect", { path: { type: "ReplaceFullPath" } })),
    at: "rules[0].filters[0].requestRedirect.path.replaceFullPath",
  },
  ...[PREFIX_REDIRECT, PREFIX_REWRITE].flatMap((one) => prefixCases(one)),
  {
    rule: "ReplacePrefixMatch of a backendRef",
    spec: rule({
      matches: [{ path: { type: "Exact", value: "/a" } }],
      backendRefs: [{ name: "a", port: 80, filters: [PREFIX_REWRITE] }],
    }),
    at: "rules[0].backendRefs[0].filters[0]",
  },
];

function prefixCases(one: Record<string, unknown>): ValidationCase[] {
  const at = "rules[0].filters[0]";
  const said = `${one.type} ReplacePrefixMatch`;
  const prefix = { path: { type: "PathPrefix", value: "/a" } };
  return [
    {
      rule: `${said} with one PathPrefix`,
      spec: rule({ matches: [prefix], filters: [one] }),
      at: null,
    },
    { rule: `${said} with the default match`, spec: rule({ filters: [one] }), at: null },
    {
      rule: `${said} with a match without a path`,
      spec: rule({ matches: [{}], filters: [one] }),
      at: null,
    },
    { rule: `${said} with two`, spec: rule({ matches: [prefix, prefix], filters: [one] }), at },
    {
      rule: `${said} with Exact`,
      spec: rule({ matches: [{ path: { type: "Exact", value: "/a" } }], filters: [one] }),
      at,
    },
    {
      rule: `${said} with RegularExpression`,
      spec: rule({
        matches: [{ path: { type: "RegularExpression", value: "/a" } }],
        filters: [one],
      }),
      at,
    },
  ];
}

function timeouts(request: unknown, backendRequest?: unknown): Record<string, unknown> {
  return rule({
    timeouts: { request, ...(backendRequest === undefined ? {} : { backendRequest }) },
  });
}

const DURATIONS: ValidationCase[] = [
  ...["0s", "10s", "1h2m3s4ms", "99999ms", "1m30s", "5ms5ms"].map((text) => ({
    rule: `GEP-2257 takes ${text}`,
    spec: timeouts(text),
    at: null,
  })),
  ...["", "10", "1.5s", "-1s", "1us", "1d", "100000s", "1h1m1s1ms1h", "s", "1 s", 10].map((
    text,
  ) => ({
    rule: `GEP-2257 refuses ${JSON.stringify(text)}`,
    spec: timeouts(text),
    at: "rules[0].timeouts.request",
  })),
  { rule: "backendRequest up to request", spec: timeouts("1s", "1000ms"), at: null },
  {
    rule: "backendRequest beyond request",
    spec: timeouts("1s", "1001ms"),
    at: "rules[0].timeouts.backendRequest",
  },
  { rule: "backendRequest beyond a request that is off", spec: timeouts("0s", "1h"), at: null },
];

function match(fields: Record<string, unknown>): Record<string, unknown> {
  return rule({ matches: [fields] });
}

const MATCHES: ValidationCase[] = [
  { rule: "a path without a type is a prefix", spec: path(undefined, "/a"), at: null },
  { rule: "an unknown path type", spec: path("Prefix", "/a"), at: "rules[0].matches[0].path.type" },
  {
    rule: "RegularExpression takes what matches in linear time",
    spec: path("RegularExpression", "/v\\d+/.*"),
    at: null,
  },
  {
    rule: "RegularExpression refuses look-around",
    spec: path("RegularExpression", "/(?!a).*"),
    at: PATH_AT,
  },
  {
    rule: "RegularExpression refuses back-references",
    spec: path("RegularExpression", "/(a)\\1"),
    at: PATH_AT,
  },
  {
    rule: "RegularExpression refuses explosions",
    spec: path("RegularExpression", "/((a{99}){99}){99}"),
    at: PATH_AT,
  },
  { rule: "a method", spec: match({ method: "PATCH" }), at: null },
  { rule: "an unknown method", spec: match({ method: "get" }), at: "rules[0].matches[0].method" },
  { rule: "a header", spec: match({ headers: [{ name: "Version", value: "1" }] }), at: null },
  {
    rule: "a header regex that does not compile",
    spec: match({ headers: [{ type: "RegularExpression", name: "a", value: "(" }] }),
    at: "rules[0].matches[0].headers[0].value",
  },
  {
    rule: "a header name with a space",
    spec: match({ headers: [{ name: "a b", value: "1" }] }),
    at: "rules[0].matches[0].headers[0].name",
  },
  {
    rule: "a header named twice",
    spec: match({ headers: [{ name: "a", value: "1" }, { name: "A", value: "2" }] }),
    at: "rules[0].matches[0].headers[1].name",
  },
  {
    rule: "an empty header value",
    spec: match({ headers: [{ name: "a", value: "" }] }),
    at: "rules[0].matches[0].headers[0].value",
  },
  {
    rule: "a header value over 4096 characters",
    spec: match({ headers: [{ name: "a", value: "x".repeat(4097) }] }),
    at: "rules[0].matches[0].headers[0].value",
  },
  {
    rule: "at most 16 headers",
    spec: match({ headers: Array.from({ length: 17 }, (_, i) => ({ name: `h${i}`, value: "1" })) }),
    at: "rules[0].matches[0].headers",
  },
  {
    rule: "query parameters differ by case",
    spec: match({ queryParams: [{ name: "a", value: "1" }, { name: "A", value: "2" }] }),
    at: null,
  },
  {
    rule: "a query parameter named twice",
    spec: match({ queryParams: [{ name: "a", value: "1" }, { name: "a", value: "2" }] }),
    at: "rules[0].matches[0].queryParams[1].name",
  },
  {
    rule: "a query value over 1024 characters",
    spec: match({ queryParams: [{ name: "a", value: "x".repeat(1025) }] }),
    at: "rules[0].matches[0].queryParams[0].value",
  },
  {
    rule: "at most 64 matches",
    spec: rule({ matches: Array(65).fill({}) }),
    at: "rules[0].matches",
  },
  {
    rule: "at most 128 matches over all rules",
    spec: { ...PARENT, rules: Array(3).fill({ matches: Array(43).fill({}) }) },
    at: "rules",
  },
];

const RULES: ValidationCase[] = [
  { rule: "no rules is one rule", spec: PARENT, at: null },
  { rule: "an empty list of rules", spec: { ...PARENT, rules: [] }, at: "rules" },
  { rule: "16 rules", spec: { ...PARENT, rules: Array(16).fill(BACKEND) }, at: null },
  { rule: "17 rules", spec: { ...PARENT, rules: Array(17).fill(BACKEND) }, at: "rules" },
  {
    rule: "names of rules are unique",
    spec: { ...PARENT, rules: [{ name: "a" }, { name: "b" }, { name: "a" }] },
    at: "rules[2].name",
  },
  {
    rule: "at most 16 backends",
    spec: rule({ backendRefs: Array(17).fill({ name: "a", port: 80 }) }),
    at: "rules[0].backendRefs",
  },
  {
    rule: "a weight from 0",
    spec: rule({ backendRefs: [{ name: "a", port: 80, weight: -1 }] }),
    at: "rules[0].backendRefs[0].weight",
  },
  {
    rule: "a weight to 1000000",
    spec: rule({ backendRefs: [{ name: "a", port: 80, weight: 1_000_001 }] }),
    at: "rules[0].backendRefs[0].weight",
  },
  { rule: "a weight of 0", spec: rule({ backendRefs: [{ name: "a", weight: 0 }] }), at: null },
  {
    rule: "a weight is whole",
    spec: rule({ backendRefs: [{ name: "a", weight: 0.5 }] }),
    at: "rules[0].backendRefs[0].weight",
  },
  {
    rule: "a backend is a Service",
    spec: rule({ backendRefs: [{ name: "a", kind: "Secret" }] }),
    at: "rules[0].backendRefs[0].kind",
  },
  {
    rule: "retry",
    spec: rule({ retry: { attempts: 2, codes: [500, 503], backoff: "10ms" } }),
    at: null,
  },
  { rule: "retry code", spec: rule({ retry: { codes: [200] } }), at: "rules[0].retry.codes[0]" },
  {
    rule: "retry attempts from 1",
    spec: rule({ retry: { attempts: 0 } }),
    at: "rules[0].retry.attempts",
  },
];

const ROUTES: ValidationCase[] = [
  { rule: "16 host names", spec: { ...PARENT, hostnames: Array(16).fill("a.example") }, at: null },
  {
    rule: "17 host names",
    spec: { ...PARENT, hostnames: Array(17).fill("a.example") },
    at: "hostnames",
  },
  { rule: "a wildcard host", spec: { ...PARENT, hostnames: ["*.a.example"] }, at: null },
  ...["*", "a.*.example", "A.example", "10.0.0.1", "a_b", "a..b", "-a", "a.example:80"].map((
    name,
  ) => ({
    rule: `host name ${name}`,
    spec: { ...PARENT, hostnames: [name] },
    at: "hostnames[0]",
  })),
  {
    rule: "two references to one parent by section",
    spec: { parentRefs: [{ name: "a", sectionName: "x" }, { name: "a", sectionName: "y" }] },
    at: null,
  },
  {
    rule: "two references to one parent by port",
    spec: { parentRefs: [{ name: "a", port: 1 }, { name: "a", port: 2 }] },
    at: null,
  },
  {
    rule: "two references to one whole parent",
    spec: { parentRefs: [{ name: "a" }, { name: "a" }] },
    at: "parentRefs[1]",
  },
  {
    rule: "a whole parent and a section of it",
    spec: { parentRefs: [{ name: "a" }, { name: "a", sectionName: "x" }] },
    at: "parentRefs[1]",
  },
  {
    rule: "one section twice",
    spec: { parentRefs: [{ name: "a", sectionName: "x" }, { name: "a", sectionName: "x" }] },
    at: "parentRefs[1]",
  },
  {
    rule: "one name in two namespaces",
    spec: { parentRefs: [{ name: "a" }, { name: "a", namespace: "b" }] },
    at: null,
  },
  {
    rule: "a Service parent",
    spec: { parentRefs: [{ group: "", kind: "Service", name: "a" }] },
    at: null,
  },
  {
    rule: "a Service parent without its group",
    spec: { parentRefs: [{ kind: "Service", name: "a" }] },
    at: "parentRefs[0].group",
  },
  {
    rule: "a section of a Service",
    spec: { parentRefs: [{ group: "", kind: "Service", name: "a", sectionName: "x" }] },
    at: "parentRefs[0].sectionName",
  },
  { rule: "no parent (Denim)", spec: { parentRefs: [] }, at: "parentRefs" },
  { rule: "an unknown field", spec: { ...PARENT, rulez: [] }, at: "rulez" },
];

export const HTTP_ROUTE_CASES: readonly ValidationCase[] = [
  ...paths("Exact"),
  ...paths("PathPrefix"),
  ...FILTERS,
  ...DURATIONS,
  ...MATCHES,
  ...RULES,
  ...ROUTES,
];

const HTTP = { name: "http", port: 80, protocol: "HTTP" };

function listeners(...list: unknown[]): Record<string, unknown> {
  return { gatewayClassName: "denim", listeners: list };
}

export const GATEWAY_CASES: readonly ValidationCase[] = [
  { rule: "one listener", spec: listeners(HTTP), at: null },
  { rule: "no listener", spec: listeners(), at: "listeners" },
  {
    rule: "at most 64 listeners",
    spec: listeners(
      ...Array.from({ length: 65 }, (_, i) => ({ ...HTTP, name: `l${i}`, port: i + 1 })),
    ),
    at: "listeners",
  },
  {
    rule: "names of listeners are unique",
    spec: listeners(HTTP, { ...HTTP, port: 81 }),
    at: "listeners[1].name",
  },
  {
    rule: "port, protocol and host together are unique",
    spec: listeners(HTTP, { ...HTTP, name: "b" }),
    at: "listeners[1]",
  },
  {
    rule: "two hosts on one port",
    spec: listeners(HTTP, { ...HTTP, name: "b", hostname: "b.example" }),
    at: null,
  },
  { rule: "a port over 65535", spec: listeners({ ...HTTP, port: 65536 }), at: "listeners[0].port" },
  {
    rule: "two free ports (Denim)",
    spec: listeners({ ...HTTP, port: 0 }, { ...HTTP, name: "b", port: 0 }),
    at: null,
  },
  {
    rule: "a protocol this version does not speak",
    spec: listeners({ ...HTTP, protocol: "UDP" }),
    at: "listeners[0].protocol",
  },
  {
    rule: "HTTPS that ends here, with a certificate",
    spec: listeners({
      ...HTTP,
      protocol: "HTTPS",
      tls: { mode: "Terminate", certificateRefs: [{ group: "", kind: "Secret", name: "a" }] },
    }),
    at: null,
  },
  {
    rule: "HTTPS without a certificate",
    spec: listeners({ ...HTTP, protocol: "HTTPS", tls: { mode: "Terminate" } }),
    at: "listeners[0].tls.certificateRefs",
  },
  {
    rule: "HTTPS without tls",
    spec: listeners({ ...HTTP, protocol: "HTTPS" }),
    at: "listeners[0].tls",
  },
  {
    rule: "a host that is an address",
    spec: listeners({ ...HTTP, hostname: "10.0.0.1" }),
    at: "listeners[0].hostname",
  },
  {
    rule: "routes from everywhere",
    spec: listeners({
      ...HTTP,
      allowedRoutes: { namespaces: { from: "All" }, kinds: [{ kind: "HTTPRoute" }] },
    }),
    at: null,
  },
  {
    rule: "routes of a kind this version does not know",
    spec: listeners({ ...HTTP, allowedRoutes: { kinds: [{ kind: "TCPRoute" }] } }),
    at: "listeners[0].allowedRoutes.kinds[0].kind",
  },
  {
    rule: "a field this version does not do",
    spec: { ...listeners(HTTP), addresses: [] },
    at: "addresses",
  },
];

const FROM = [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "a" }];
const TO = [{ group: "", kind: "Service" }];

export const REFERENCE_GRANT_CASES: readonly ValidationCase[] = [
  { rule: "from a namespace to all Services", spec: { from: FROM, to: TO }, at: null },
  { rule: "to one Service", spec: { from: FROM, to: [{ ...TO[0], name: "x" }] }, at: null },
  { rule: "from nobody", spec: { from: [], to: TO }, at: "from" },
  { rule: "to nothing", spec: { from: FROM, to: [] }, at: "to" },
  {
    rule: "from Gateways to Secrets",
    spec: { from: [{ ...FROM[0], kind: "Gateway" }], to: [{ group: "", kind: "Secret" }] },
    at: null,
  },
  {
    rule: "to a Secret of another group",
    spec: { from: FROM, to: [{ group: "denim.dev", kind: "Secret" }] },
    at: "to[0].group",
  },
  {
    rule: "to a ConfigMap",
    spec: { from: FROM, to: [{ group: "", kind: "ConfigMap" }] },
    at: "to[0].kind",
  },
  { rule: "from at most 16", spec: { from: Array(17).fill(FROM[0]), to: TO }, at: "from" },
];
