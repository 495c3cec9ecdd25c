import { deepStrictEqual as same, strictEqual as equal, throws } from "node:assert/strict";
import type { HostSpec, MatchSpec, RouteSpec } from "../../control/schema/snapshot.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { compileRoutes } from "./table.ts";

function route(name: string, ...matches: MatchSpec[]): RouteSpec {
  return { name, matches, filters: [], backends: [] };
}

function prefix(value: string): MatchSpec {
  return { path: { type: "PathPrefix", value } };
}

function request(path: string, authority = "a.example", lines: string[] = []): RequestHead {
  return { method: "GET", scheme: "http", authority, path, fields: new Fields(lines) };
}

function finder(hosts: HostSpec[]): (head: RequestHead) => string | null {
  const matcher = compileRoutes(hosts, (spec) => spec.name);
  return (head) => matcher.match(head);
}

Deno.test("Matcher prefers exact names, then the longest wildcard, then every host", () => {
  const find = finder([
    { hostnames: ["*"], routes: [route("all")] },
    { hostnames: ["*.example"], routes: [route("wide")] },
    { hostnames: ["*.b.example"], routes: [route("narrow")] },
    { hostnames: ["a.example", "x.b.example"], routes: [route("exact")] },
  ]);
  const to = (authority: string): string | null => find(request("/", authority));
  equal(to("a.example"), "exact");
  equal(to("a.example:8080"), "exact");
  equal(to("a.example."), "exact");
  equal(to("x.b.example"), "exact");
  equal(to("y.b.example"), "narrow");
  equal(to("z.y.b.example"), "narrow");
  equal(to("b.example"), "wide");
  equal(to("c.d.example"), "wide");
  equal(to("example"), "all");
  equal(to("[::1]:80"), "all");
  equal(to("10.0.0.1:8080"), "all");
});

Deno.test("Matcher tells an unknown host from a host without a route", () => {
  const matcher = compileRoutes(
    [{ hostnames: ["a.example"], routes: [route("r", prefix("/a"))] }],
    (spec) => spec.name,
  );
  equal(matcher.match(request("/b")), null);
  equal(matcher.knowsHost(request("/b")), true);
  equal(matcher.match(request("/a", "b.example")), null);
  equal(matcher.knowsHost(request("/a", "b.example")), false);
});

Deno.test("Matcher takes a host for its port only, and 80 for none", () => {
  const find = finder([
    { hostnames: ["catalog"], port: 80, routes: [route("first")] },
    { hostnames: ["catalog"], port: 8080, routes: [route("second")] },
    { hostnames: ["*"], port: 81, routes: [route("every 81")] },
  ]);
  equal(find(request("/", "catalog")), "first");
  equal(find(request("/", "catalog:80")), "first");
  equal(find(request("/", "catalog:8080")), "second");
  equal(find(request("/", "catalog:9")), null);
  equal(find(request("/", "catalog:81")), "every 81");
  equal(find({ ...request("/", "catalog"), scheme: "https" }), null);
});

Deno.test("Matcher falls back to less specific hosts of the same group only", () => {
  const find = finder([
    { hostnames: ["a.b.example"], group: "one", routes: [route("exact", prefix("/exact"))] },
    { hostnames: ["*.b.example"], group: "two", routes: [route("other", prefix("/"))] },
    { hostnames: ["*.example"], group: "one", routes: [route("wide", prefix("/wide"))] },
    { hostnames: ["*"], group: "one", routes: [route("all", prefix("/all"))] },
    { hostnames: ["alone.example"], routes: [route("alone", prefix("/alone"))] },
  ]);
  equal(find(request("/exact", "a.b.example")), "exact");
  equal(find(request("/wide", "a.b.example")), "wide");
  equal(find(request("/all", "a.b.example")), "all");
  equal(find(request("/none", "a.b.example")), null);
  equal(find(request("/wide", "x.b.example")), "other");
  equal(find(request("/all", "x.example")), "all");
  equal(find(request("/all", "alone.example")), null);
});

Deno.test("Matcher matches prefixes by whole segments, the longest first", () => {
  const find = finder([{
    hostnames: ["*"],
    routes: [
      route("root", prefix("/")),
      route("abc", prefix("/abc")),
      route("abd", prefix("/abd/")),
      route("deep", prefix("/abc/d")),
    ],
  }]);
  equal(find(request("/abc")), "abc");
  equal(find(request("/abc/")), "abc");
  equal(find(request("/abc/x?q")), "abc");
  equal(find(request("/abcd")), "root");
  equal(find(request("/abd")), "abd");
  equal(find(request("/abc/d/e")), "deep");
  equal(find(request("/abc/de")), "abc");
  equal(find(request("/")), "root");
  equal(find(request("*")), "root");
});

Deno.test("Matcher compares header values exactly and names without case", () => {
  const find = finder([{
    hostnames: ["*"],
    routes: [
      route("v2", { headers: [{ name: "X-Version", type: "Exact", value: "v2" }] }),
      route("list", { headers: [{ name: "x-list", type: "Exact", value: "a, b" }] }),
      route("host", { headers: [{ name: "Host", type: "Exact", value: "h:81" }] }),
      route("re", { headers: [{ name: "x-re", type: "RegularExpression", value: "a+" }] }),
    ],
  }]);
  equal(find(request("/", "x", ["x-version", "v2"])), "v2");
  equal(find(request("/", "x", ["x-version", "v22"])), null);
  equal(find(request("/", "x", ["x-version", "V2"])), null);
  equal(find(request("/", "x", ["x-list", "a", "other", "", "x-list", "b"])), "list");
  equal(find(request("/", "h:81")), "host");
  equal(find(request("/", "x", ["x-re", "aaa"])), "re");
  equal(find(request("/", "x", ["x-re", "baa"])), null);
});

const QUERIES: [query: string, found: boolean][] = [
  ["?animal=whale", true],
  ["?a=1&animal=whale&b", true],
  ["?animal=whale&animal=dolphin", true],
  ["?animal=dolphin&animal=whale", false],
  ["?animals=whale", false],
  ["?xanimal=whale", false],
  ["?animal", false],
  ["?animal=whales", false],
  ["?ani%6dal=wh%61le", true],
  ["?animal=%zz", false],
  ["", false],
  ["?", false],
  ["?&&animal=whale", true],
];

for (const [query, found] of QUERIES) {
  Deno.test(`Matcher ${found ? "finds" : "does not find"} animal=whale in "${query}"`, () => {
    const find = finder([{
      hostnames: ["*"],
      routes: [route("r", { query: [{ name: "animal", type: "Exact", value: "whale" }] })],
    }]);
    equal(find(request(`/x${query}`)), found ? "r" : null);
  });
}

Deno.test("Matcher decodes plus and UTF-8 in queries and takes an empty value", () => {
  const test = (value: string) => ({ query: [{ name: "q r", type: "Exact" as const, value }] });
  const find = finder([{
    hostnames: ["*"],
    routes: [route("space", test("a b")), route("word", test("\u00e9")), route("empty", test(""))],
  }]);
  equal(find(request("/?q+r=a+b")), "space");
  equal(find(request("/?q%20r=%C3%A9")), "word");
  equal(find(request("/?q+r")), "empty");
});

Deno.test("Matcher compares paths in their normal form", () => {
  const find = finder([{
    hostnames: ["*"],
    routes: [route("r", { path: { type: "Exact", value: "/%7euser/caf%c3%a9" } })],
  }]);
  equal(find(request("/~user/caf%C3%A9")), "r");
});

Deno.test("compileRoutes makes each route once and passes its host", () => {
  const shared = route("shared", prefix("/"));
  const seen: string[] = [];
  compileRoutes([
    { hostnames: ["a", "b"], routes: [shared, shared] },
    { hostnames: ["c"], routes: [shared, route("own")] },
  ], (spec, host) => seen.push(`${spec.name} ${host.hostnames[0]}`));
  same(seen, ["shared a", "own c"]);
});

Deno.test("compileRoutes names a pattern it cannot compile", () => {
  const bad = route("r", { path: { type: "RegularExpression", value: "(" } });
  throws(() => compileRoutes([{ hostnames: ["*"], routes: [bad] }], () => 0), /pattern "\("/);
});
