/** Which backend gets a request: configurations and requests written from the text of the Gateway API. */

export interface MatchingCase {
  readonly request: string;
  readonly method?: string;
  readonly host?: string;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Name of the backend Service; null: 404; "host": 404 because nobody knows the host. */
  readonly to: string | null;
}

export interface MatchingGroup {
  readonly clause: string;
  /** HTTPRoutes of one configuration, `listeners` of its Gateway. */
  readonly listeners?: string;
  readonly routes: string;
  readonly cases: readonly MatchingCase[];
}

interface RouteOptions {
  /** Day of January 2026. */
  readonly created?: number;
  readonly section?: string;
  readonly hostnames?: readonly string[];
}

/** An HTTPRoute at the Gateway, or at one listener of it. */
function route(name: string, rules: string, options: RouteOptions = {}): string {
  const { created = 1, section, hostnames = [] } = options;
  const parent = section === undefined ? "{name: edge}" : `{name: edge, sectionName: ${section}}`;
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, creationTimestamp: "2026-01-0${created}T00:00:00Z"}
spec:
  parentRefs: [${parent}]
  hostnames: ${JSON.stringify(hostnames)}
  rules:
${rules}
---`;
}

function rule(matches: string, to: string): string {
  return `    - {matches: [${matches}], backendRefs: [{name: ${to}}]}\n`;
}

export const MATCHING: readonly MatchingGroup[] = [
  {
    clause: "HTTPPathMatch PathPrefix: by path elements split on /, trailing slash ignored",
    routes: route(
      "r",
      rule("{path: {type: PathPrefix, value: /abc}}", "a") + rule("{path: {value: /def/}}", "b"),
    ),
    cases: [
      { request: "/abc", to: "a" },
      { request: "/abc/", to: "a" },
      { request: "/abc/def", to: "a" },
      { request: "/abc?x=/y", to: "a" },
      { request: "/abcd", to: null },
      { request: "/ab", to: null },
      { request: "/Abc", to: null },
      { request: "/x/abc", to: null },
      { request: "/def", to: "b" },
      { request: "/def/", to: "b" },
      { request: "/def/x", to: "b" },
      { request: "/defg", to: null },
    ],
  },
  {
    clause:
      "HTTPPathMatch Exact: with case sensitivity, an element more or a slash more is another path",
    routes: route(
      "r",
      rule("{path: {type: Exact, value: /one}}", "a") +
        rule("{path: {type: Exact, value: /one/}}", "b"),
    ),
    cases: [
      { request: "/one", to: "a" },
      { request: "/one?q", to: "a" },
      { request: "/one/", to: "b" },
      { request: "/one/two", to: null },
      { request: "/One", to: null },
    ],
  },
  {
    clause: "HTTPRouteRule: without matches the rule has the prefix /",
    routes: route("r", "    - {backendRefs: [{name: a}]}\n"),
    cases: [{ request: "/", to: "a" }, { request: "/x/y?z", to: "a" }, {
      request: "*",
      method: "OPTIONS",
      to: "a",
    }],
  },
  {
    clause: "HTTPRouteRule: a request that matches no rule gets 404",
    routes: route("r", rule("{path: {value: /a}}", "a")),
    cases: [{ request: "/b", to: null }],
  },
  {
    clause:
      "precedence: exact path, then the most characters of a prefix, whatever the order of rules",
    routes: route(
      "r",
      rule("{path: {value: /match}}", "a") + rule("{path: {value: /match/prefix/one/any}}", "b") +
        rule("{path: {type: Exact, value: /match/exact}}", "c") +
        rule("{path: {value: /match/prefix}}", "d") +
        rule("{path: {type: Exact, value: /match/exact/one}}", "e") +
        rule("{path: {value: /match/prefix/one}}", "f") +
        rule("{path: {value: /match/exact}}", "g"),
    ),
    cases: [
      { request: "/match", to: "a" },
      { request: "/match/exact", to: "c" },
      { request: "/match/exact/one", to: "e" },
      { request: "/match/exact/two", to: "g" },
      { request: "/match/any", to: "a" },
      { request: "/match/prefix/any", to: "d" },
      { request: "/match/prefix/one/two", to: "f" },
      { request: "/match/prefix/one/any/x", to: "b" },
      { request: "/match/prefixes", to: "a" },
    ],
  },
  {
    clause: "precedence: a method before headers, the most headers, then the most query parameters",
    routes: route(
      "r",
      rule(
        "{queryParams: [{name: q, value: '1'}, {name: r, value: '1'}, {name: s, value: '1'}]}",
        "a",
      ) +
        rule("{headers: [{name: one, value: '1'}]}", "b") +
        rule("{headers: [{name: one, value: '1'}, {name: two, value: '2'}]}", "c") +
        rule("{method: POST}", "d") +
        rule("{headers: [{name: one, value: '1'}], queryParams: [{name: q, value: '1'}]}", "e") +
        rule("{method: POST, headers: [{name: one, value: '1'}]}", "f") +
        rule("{path: {value: /deep}}", "g"),
    ),
    cases: [
      { request: "/?q=1&r=1&s=1", to: "a" },
      { request: "/?q=1&r=1&s=1", headers: [["one", "1"]], to: "e" },
      { request: "/", headers: [["one", "1"]], to: "b" },
      { request: "/", headers: [["one", "1"], ["two", "2"]], to: "c" },
      { request: "/?q=1", headers: [["one", "1"], ["two", "2"]], to: "c" },
      { request: "/", method: "POST", to: "d" },
      { request: "/", method: "POST", headers: [["one", "1"], ["two", "2"]], to: "f" },
      { request: "/deep/x", method: "POST", headers: [["one", "1"]], to: "g" },
      { request: "/", method: "PUT", to: null },
    ],
  },
  {
    clause: "precedence between routes: the oldest, then the first by namespace/name",
    routes: route("b-old", rule("{path: {value: /x}}", "a"), { created: 1 }) +
      route(
        "a-new",
        rule("{path: {value: /x}}", "b") + rule("{path: {value: /y}}", "b"),
        { created: 2 },
      ) +
      route("c-same", rule("{path: {value: /y}}", "c"), { created: 2 }),
    cases: [{ request: "/x", to: "a" }, { request: "/y", to: "b" }],
  },
  {
    clause: "precedence within a route: the first rule in the list",
    routes: route("r", rule("{path: {value: /x}}", "a") + rule("{path: {value: /x}}", "b")),
    cases: [{ request: "/x", to: "a" }],
  },
  {
    clause: "precedence: matches of several routes compete as if they were one",
    routes: route(
      "old",
      rule("{path: {value: /}}", "a") +
        rule("{path: {value: /v2}}, {headers: [{name: v, value: '2'}]}", "b"),
      { created: 1 },
    ) +
      route(
        "new",
        rule("{path: {value: /v2}}", "c") + rule("{path: {value: /v2/example}}", "d"),
        { created: 2 },
      ),
    cases: [
      { request: "/", to: "a" },
      { request: "/example", to: "a" },
      { request: "/v2", to: "b" },
      { request: "/v2/example", to: "d" },
      { request: "/v1", headers: [["v", "2"]], to: "b" },
    ],
  },
  {
    clause:
      "precedence: an older route does not gain from a more specific match beside the one that hit",
    routes: route("old", rule("{path: {value: /both}}", "a"), { created: 1 }) +
      route(
        "new",
        rule("{path: {type: Exact, value: /only}}, {path: {value: /both}}", "b"),
        { created: 2 },
      ),
    cases: [{ request: "/both", to: "a" }, { request: "/only", to: "b" }],
  },
  {
    clause:
      "HTTPRouteMatch: all parts of one match hold together, one of several matches is enough",
    routes: route(
      "r",
      rule(
        "{path: {value: /foo}, headers: [{name: version, value: v2}], method: GET, queryParams: [{name: a, value: b}]}, {path: {value: /v2/foo}}",
        "a",
      ),
    ),
    cases: [
      { request: "/foo?a=b", headers: [["version", "v2"]], to: "a" },
      { request: "/foo?a=b", to: null },
      { request: "/foo", headers: [["version", "v2"]], to: null },
      { request: "/foo?a=b", method: "POST", headers: [["version", "v2"]], to: null },
      { request: "/v2/foo", to: "a" },
    ],
  },
  {
    clause:
      "HTTPHeaderMatch: names without case, values with it; every header of the match has to hold",
    routes: route(
      "r",
      rule("{headers: [{name: Version, value: one}]}", "a") +
        rule("{headers: [{name: version, value: two}, {name: color, value: orange}]}", "b") +
        rule(
          "{headers: [{name: color, value: blue}]}, {headers: [{name: color, value: green}]}",
          "c",
        ) +
        rule("{headers: [{type: RegularExpression, name: color, value: 're.*'}]}", "d"),
    ),
    cases: [
      { request: "/", headers: [["version", "one"]], to: "a" },
      { request: "/", headers: [["version", "two"]], to: null },
      { request: "/", headers: [["version", "two"], ["color", "orange"]], to: "b" },
      { request: "/", headers: [["color", "green"]], to: "c" },
      { request: "/", headers: [["color", "Blue"]], to: null },
      { request: "/", headers: [["color", "red"]], to: "d" },
      { request: "/", headers: [["color", "dark red"]], to: null },
      { request: "/", to: null },
    ],
  },
  {
    clause: "HTTPQueryParamMatch: names with case; the first of a repeated parameter counts",
    routes: route(
      "r",
      rule("{queryParams: [{name: animal, value: whale}]}", "a") +
        rule("{queryParams: [{name: animal, value: dolphin}, {name: color, value: blue}]}", "b") +
        rule("{queryParams: [{type: RegularExpression, name: n, value: '[0-9]+'}]}", "c"),
    ),
    cases: [
      { request: "/?animal=whale", to: "a" },
      { request: "/?animal=dolphin", to: null },
      { request: "/?animal=dolphin&color=blue", to: "b" },
      { request: "/?color=blue&animal=dolphin", to: "b" },
      { request: "/?ANIMAL=whale", to: null },
      { request: "/?animal=whale&animal=shark", to: "a" },
      { request: "/?n=12", to: "c" },
      { request: "/?n=12a", to: null },
    ],
  },
  {
    clause:
      "HTTPPathMatch RegularExpression: the whole path; behind exact paths, before prefixes (ours to choose)",
    routes: route(
      "r",
      rule("{path: {type: RegularExpression, value: '/v[0-9]+/items'}}", "a") +
        rule("{path: {value: /}}", "b") +
        rule("{path: {type: Exact, value: /v1/items}}", "c"),
    ),
    cases: [
      { request: "/v2/items", to: "a" },
      { request: "/v2/items?x", to: "a" },
      { request: "/v1/items", to: "c" },
      { request: "/v2/items/1", to: "b" },
      { request: "/x/v2/items", to: "b" },
    ],
  },
  {
    clause:
      "HTTPRouteSpec.hostnames: exact before wildcard, more characters before fewer, none is every host",
    routes:
      route("exact", rule("{path: {value: /}}", "a"), { hostnames: ["very.specific.example"] }) +
      route("narrow", rule("{path: {value: /}}", "b"), { hostnames: ["*.specific.example"] }) +
      route("wide", rule("{path: {value: /}}", "c"), { hostnames: ["*.example"] }) +
      route("any", rule("{path: {value: /}}", "d")),
    cases: [
      { request: "/", host: "very.specific.example", to: "a" },
      { request: "/", host: "very.specific.example:8080", to: "a" },
      { request: "/", host: "less.specific.example", to: "b" },
      { request: "/", host: "very.very.specific.example", to: "b" },
      { request: "/", host: "specific.example", to: "c" },
      { request: "/", host: "other.test", to: "d" },
    ],
  },
  {
    clause:
      "HTTPRouteSpec.hostnames: a request no rule of the best host matches goes on to the next host",
    routes: route("exact", rule("{path: {value: /exact}}", "a"), { hostnames: ["a.example"] }) +
      route("wide", rule("{path: {value: /wide}}", "b"), { hostnames: ["*.example"] }) +
      route("any", rule("{path: {value: /any}}", "c")),
    cases: [
      { request: "/exact", host: "a.example", to: "a" },
      { request: "/wide", host: "a.example", to: "b" },
      { request: "/any", host: "a.example", to: "c" },
      { request: "/exact", host: "b.example", to: null },
    ],
  },
  {
    clause: "Listener.hostname: a route serves only the host names it shares with the listener",
    listeners: "[{name: http, port: 80, protocol: HTTP, hostname: '*.shop.example'}]",
    routes: route(
      "some",
      rule("{path: {value: /some}}", "a"),
      { hostnames: ["a.shop.example", "other.test"] },
    ) +
      route("all", rule("{path: {value: /all}}", "b")) +
      route("wider", rule("{path: {value: /wider}}", "c"), { hostnames: ["*.example"] }),
    cases: [
      { request: "/some", host: "a.shop.example", to: "a" },
      { request: "/some", host: "b.shop.example", to: null },
      { request: "/some", host: "other.test", to: "host" },
      { request: "/all", host: "b.shop.example", to: "b" },
      { request: "/wider", host: "c.shop.example", to: "c" },
      { request: "/wider", host: "c.example", to: "host" },
      { request: "/all", host: "shop.example", to: "host" },
    ],
  },
  {
    clause:
      "Listener isolation: a request belongs to the most specific listener of its port and to no other",
    listeners:
      "[{name: any, port: 80, protocol: HTTP}, {name: wild, port: 80, protocol: HTTP, hostname: '*.example'}, " +
      "{name: exact, port: 80, protocol: HTTP, hostname: a.example}]",
    routes: route("any", rule("{path: {value: /any}}", "a"), { section: "any" }) +
      route("wild", rule("{path: {value: /wild}}", "b"), { section: "wild" }) +
      route("exact", rule("{path: {value: /exact}}", "c"), { section: "exact" }),
    cases: [
      { request: "/exact", host: "a.example", to: "c" },
      { request: "/wild", host: "a.example", to: null },
      { request: "/any", host: "a.example", to: null },
      { request: "/wild", host: "b.example", to: "b" },
      { request: "/any", host: "b.example", to: null },
      { request: "/any", host: "other.test", to: "a" },
      { request: "/wild", host: "other.test", to: null },
    ],
  },
];
