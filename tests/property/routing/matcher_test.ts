import { strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import type { HostSpec, MatchSpec, RouteSpec } from "../../../control/schema/snapshot.ts";
import { Fields } from "../../../core/fields.ts";
import type { RequestHead } from "../../../core/message.ts";
import { compileRoutes } from "../../../proxy/routing/mod.ts";

// Small alphabets, so that random requests hit random routes often.
const element = fc.constantFrom("a", "b", "ab", "c");
const path = fc.array(element, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const prefixPath = fc.tuple(path, fc.boolean())
  .map(([text, slash]) => slash && text !== "/" ? `${text}/` : text);
const word = fc.constantFrom("x", "y", "z");
const pathMatch = fc.oneof(
  path.map((value) => ({ type: "Exact" as const, value })),
  prefixPath.map((value) => ({ type: "PathPrefix" as const, value })),
  fc.constantFrom("/a.*", "/[ab]+", "/(a|b)/.*", ".*c").map((value) => ({
    type: "RegularExpression" as const,
    value,
  })),
);
const valueMatches = fc.uniqueArray(
  fc.record({ name: word, type: fc.constant("Exact" as const), value: word }),
  { maxLength: 2, selector: (one) => one.name },
);
const match: fc.Arbitrary<MatchSpec> = fc.record({
  path: pathMatch,
  method: fc.constantFrom("GET", "POST"),
  headers: valueMatches,
  query: valueMatches,
}, { requiredKeys: [] });
const hostname = fc.constantFrom("a.t", "b.t", "x.a.t", "*.t", "*.a.t", "*");

const hosts: fc.Arbitrary<HostSpec[]> = fc.uniqueArray(
  fc.record({
    hostname,
    port: fc.constantFrom(undefined, 80, 81),
    group: fc.constantFrom(undefined, "g"),
    routes: fc.array(fc.array(match, { maxLength: 3 }), { maxLength: 4 }),
  }),
  { maxLength: 6, selector: (one) => `${one.hostname} ${one.port}` },
).map((list) =>
  list.map(({ hostname, port, group, routes }, at) => ({
    hostnames: [hostname],
    ...(port === undefined ? {} : { port }),
    // Gateways group hosts and have no ports in them; Services have ports and no groups.
    ...(group === undefined || port !== undefined ? {} : { group }),
    routes: routes.map((matches, i): RouteSpec => ({
      name: `${at}.${i}`,
      matches,
      filters: [],
      backends: [],
    })),
  }))
);

const request: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT"),
  authority: fc.tuple(
    fc.constantFrom("a.t", "b.t", "x.a.t", "y.x.a.t", "t", "q"),
    fc.constantFrom("", ":80", ":81"),
  )
    .map(([host, port]) => host + port),
  path: prefixPath,
  query: fc.array(fc.tuple(word, word), { maxLength: 3 }),
  fields: fc.array(fc.tuple(word, word), { maxLength: 3 }),
}).map(({ method, authority, path, query, fields }) => ({
  method,
  scheme: "http",
  authority,
  path: query.length === 0 ? path : `${path}?${query.map((pair) => pair.join("=")).join("&")}`,
  fields: new Fields(fields.flat()),
}));

/** The Gateway API's words as directly as they can be written: everything that matches, sorted, the first. */
function naive(all: readonly HostSpec[], head: RequestHead): string | null {
  const [host, portText = "80"] = head.authority.split(":") as [string, string?];
  const port = Number(portText);
  const fitting = all.filter((spec) =>
    covers(spec.hostnames[0]!, host) && (spec.port ?? port) === port
  ).sort((a, b) =>
    Number(a.hostnames[0]!.startsWith("*")) - Number(b.hostnames[0]!.startsWith("*")) ||
    b.hostnames[0]!.length - a.hostnames[0]!.length ||
    Number(b.port !== undefined) - Number(a.port !== undefined)
  );
  const best = fitting[0];
  if (best === undefined) return null;
  const found = ranked(best, head);
  if (found !== null || best.group === undefined) return found;
  for (const spec of fitting.slice(1)) {
    const next = spec.group === best.group ? ranked(spec, head) : null;
    if (next !== null) return next;
  }
  return null;
}

function covers(pattern: string, host: string): boolean {
  return pattern === "*" || pattern === host ||
    (pattern.startsWith("*.") && host.endsWith(pattern.slice(1)));
}

function ranked(spec: HostSpec, head: RequestHead): string | null {
  const entries = spec.routes.flatMap((route) =>
    (route.matches.length === 0 ? [{}] : route.matches).map((one: MatchSpec) => ({ route, one }))
  ).filter(({ one }) => holds(one, head));
  const rank = { Exact: 0, RegularExpression: 1, PathPrefix: 2 };
  entries.sort(({ one: a }, { one: b }) => {
    const pathA = a.path ?? { type: "PathPrefix" as const, value: "/" };
    const pathB = b.path ?? { type: "PathPrefix" as const, value: "/" };
    const size = (value: string) => value.replace(/\/$/, "").length;
    return rank[pathA.type] - rank[pathB.type] || size(pathB.value) - size(pathA.value) ||
      Number(b.method !== undefined) - Number(a.method !== undefined) ||
      (b.headers?.length ?? 0) - (a.headers?.length ?? 0) ||
      (b.query?.length ?? 0) - (a.query?.length ?? 0);
  });
  return entries[0]?.route.name ?? null;
}

function holds(match: MatchSpec, head: RequestHead): boolean {
  const [plain, query = ""] = head.path.split("?") as [string, string?];
  const { type, value } = match.path ?? { type: "PathPrefix" as const, value: "/" };
  const prefix = value.replace(/\/$/, "");
  const onPath = type === "Exact"
    ? plain === value
    : type === "RegularExpression"
    ? new RegExp(`^(?:${value})$`).test(plain)
    : plain === prefix || plain.startsWith(`${prefix}/`);
  const params = new URLSearchParams(query);
  return onPath && (match.method ?? head.method) === head.method &&
    (match.headers ?? []).every((one) => head.fields.all(one.name).join(", ") === one.value) &&
    (match.query ?? []).every((one) => params.get(one.name) === one.value);
}

Deno.test("Matcher finds what a naive reading of the Gateway API finds", () => {
  let hits = 0;
  fc.assert(
    fc.property(hosts, fc.array(request, { minLength: 8, maxLength: 8 }), (specs, requests) => {
      const matcher = compileRoutes(specs, (route) => route.name);
      for (const head of requests) {
        const wanted = naive(specs, head);
        if (wanted !== null) hits++;
        equal(matcher.match(head), wanted);
      }
    }),
    { numRuns: 2000 },
  );
  equal(hits > 1000, true, `only ${hits} requests matched anything; the alphabets are too large`);
});
