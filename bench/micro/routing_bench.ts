/** What finding a route costs: hosts, paths, predicates and path normalisation. */
import type { HostSpec, MatchSpec, RouteSpec } from "../../control/schema/snapshot.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { compileRoutes, normalizePath } from "../../proxy/routing/mod.ts";

function route(name: string, ...matches: MatchSpec[]): RouteSpec {
  return { name, matches, filters: [], backends: [] };
}

function request(authority: string, path: string): RequestHead {
  const lines = ["accept", "*/*", "user-agent", "bench", "x-request-id", "1", "x-version", "v2"];
  return { method: "GET", scheme: "http", authority, path, fields: new Fields(lines) };
}

const sidecar: HostSpec[] = Array.from({ length: 200 }, (_, i) => ({
  hostnames: [`svc-${i}`, `svc-${i}.default`, `svc-${i}.default.svc`],
  port: 80,
  routes: i % 2 === 0 ? [route(`r${i}`)] : [
    route(`r${i}/0`, { headers: [{ name: "x-version", type: "Exact", value: "v2" }] }),
    route(`r${i}/1`),
  ],
}));

const gateway: HostSpec[] = [{
  hostnames: ["*.shop.example"],
  routes: [
    ...Array.from(
      { length: 500 },
      (_, i) => route(`p${i}`, { path: { type: "PathPrefix", value: `/api/v${i % 5}/item${i}` } }),
    ),
    ...Array.from(
      { length: 100 },
      (_, i) => route(`e${i}`, { path: { type: "Exact", value: `/page/${i}` } }),
    ),
    route("regex", { path: { type: "RegularExpression", value: "/users/[0-9]+/cart" } }),
    route("query", {
      path: { type: "PathPrefix", value: "/search" },
      query: [{ name: "q", type: "Exact", value: "denim" }],
    }),
    route("root", { path: { type: "PathPrefix", value: "/" } }),
  ],
}];

const mesh = compileRoutes(sidecar, (one) => one);
const edge = compileRoutes(gateway, (one) => one);
const cases: [name: string, find: typeof mesh, head: RequestHead, wanted: string][] = [
  ["match: 200 Services, implicit route", mesh, request("svc-100", "/"), "r100"],
  ["match: 200 Services, header route", mesh, request("svc-101.default", "/a/b"), "r101/0"],
  ["match: wildcard host, exact of 100", edge, request("a.shop.example", "/page/42"), "e42"],
  [
    "match: wildcard host, prefix of 500",
    edge,
    request("a.shop.example", "/api/v2/item42/x/y"),
    "p42",
  ],
  ["match: wildcard host, regex", edge, request("a.shop.example", "/users/12345/cart"), "regex"],
  ["match: wildcard host, query", edge, request("a.shop.example", "/search?a=1&q=denim"), "query"],
  ["match: wildcard host, catch-all", edge, request("a.shop.example", "/nothing/here"), "root"],
];

for (const [name, find, head, wanted] of cases) {
  const got = find.match(head)?.name;
  if (got !== wanted) throw new Error(`The case "${name}" finds ${got}, wanted ${wanted}`);
  Deno.bench(name, { group: "match" }, () => void find.match(head));
}

Deno.bench("normalizePath: nothing to do", { group: "path" }, () => {
  normalizePath("/api/v2/item42/x/y?q=1");
});
Deno.bench("normalizePath: dots and escapes", { group: "path" }, () => {
  normalizePath("/api//v2/./x/../item42/%7euser?q=1");
});
