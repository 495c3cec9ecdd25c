/** The index of the authz filter against an evaluator that goes through everything, rule by rule. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { BlockList, isIPv4 } from "node:net";
import {
  type Exchange,
  Judge,
  type WirePolicy,
  type WireRule,
  type WireTest,
} from "../../filters/authz/rig.ts";

const RUNS = {
  numRuns: Number(Deno.env.get("RUNS") ?? 1500),
  ...(Deno.env.has("SEED") ? { seed: Number(Deno.env.get("SEED")) } : {}),
};

const PEERS = [
  "",
  ...["web", "job"].flatMap((sa) => [
    `spiffe://mesh.local/ns/a/sa/${sa}`,
    `spiffe://mesh.local/ns/b/sa/${sa}`,
    `spiffe://other.example/ns/a/sa/${sa}`,
  ]),
];
const PATHS = ["/", "/a", "/a/b", "/a/b/c", "/b", "/b/", "/b/c.css", "/a;x/b", "/a%2Fb", "/;x/b?q"];
const HOSTS = ["shop.example", "shop.example:81", "api.shop.example", "a"];
const IPS = ["10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1", "::ffff:10.0.0.1"];
const USERS = ["i/ann", "i/bob"];
const LINES = [["x-a", "1"], ["x-a", "2"], ["x-b", "1"]];

const VALUES: Record<string, readonly string[]> = {
  identity: ["*", "spiffe://mesh.local/*", "*/sa/web", ...PEERS.slice(1)],
  namespace: ["a", "b", "*"],
  "service-account": ["a/web", "b/job"],
  ip: ["10.0.0.0/16", "10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "0.0.0.0/0"],
  "request-principal": ["*", ...USERS, "i/*"],
  host: ["*", "shop.example", "*.example", "shop.example:81", "a"],
  method: ["GET", "PUT", "P*"],
  path: ["*", "/", "/a", "/a/*", "/b*", "/a/{*}", "/{*}/b", "/a/{**}", "*.css", "*/b"],
  port: ["80", "81"],
};

function testOf(keys: readonly string[]): fc.Arbitrary<WireTest> {
  return fc.constantFrom(...keys).chain((key) =>
    fc.record({
      key: fc.constant(key),
      values: fc.subarray([...(VALUES[key] ?? ["1", "2", "*"])], { minLength: 1, maxLength: 2 }),
      not: fc.boolean(),
    })
  ).map(({ not, ...test }) => ({
    ...test,
    ...(not ? { not: true as const } : {}),
    ...(test.key === "header" ? { name: "x-a" } : {}),
    ...(test.key === "claim" ? { path: ["n"] } : {}),
  }));
}

const SOURCE = testOf(["identity", "namespace", "service-account", "ip", "request-principal"]);
const OPERATION = testOf(["host", "method", "path", "port"]);
const CONDITION = testOf(["header", "claim", "identity", "ip"]);
const some = <T>(of: fc.Arbitrary<T>, minLength: number, maxLength: number) =>
  fc.array(of, { minLength, maxLength });

const RULE: fc.Arbitrary<WireRule> = fc.record({
  from: some(some(SOURCE, 1, 2), 0, 2),
  to: some(some(OPERATION, 1, 2), 0, 2),
  when: some(CONDITION, 0, 1),
});
const POLICY: fc.Arbitrary<WirePolicy> = fc.record({
  action: fc.constantFrom("ALLOW", "DENY"),
  rules: some(RULE, 0, 3),
});
const EXCHANGE: fc.Arbitrary<Exchange> = fc.record({
  peer: fc.constantFrom(...PEERS),
  remote: fc.constantFrom(...IPS.map((ip) => `${ip}:9`)),
  method: fc.constantFrom("GET", "PUT", "POST"),
  path: fc.constantFrom(...PATHS),
  authority: fc.constantFrom(...HOSTS),
  fields: fc.subarray(LINES).map((lines) => lines.flat()),
  token: fc.constantFrom(...USERS, "").map((user) =>
    user === "" ? {} : { iss: "i", sub: user.slice(2), n: user === "i/ann" ? ["1", "3"] : 2 }
  ),
});

function like(pattern: string, text: string): boolean {
  if (text === "") return false;
  if (pattern === "*") return true;
  if (pattern.endsWith("*")) return text.startsWith(pattern.slice(0, -1));
  return pattern.startsWith("*") ? text.endsWith(pattern.slice(1)) : pattern === text;
}

function pathLike(pattern: string, path: string): boolean {
  if (!pattern.includes("{")) return like(pattern, path);
  const source = pattern.replaceAll(/[.+?^$()|[\]\\]/g, "\\$&").replaceAll("/{**}", "(/[^/]*)*")
    .replaceAll("{*}", "[^/]+");
  return new RegExp(`^${source}$`).test(path);
}

function inNetwork(network: string, ip: string): boolean {
  const list = new BlockList();
  const [address, prefix] = network.split("/");
  const v4 = isIPv4(address!) ? "ipv4" : "ipv6";
  if (prefix === undefined) list.addAddress(address!, v4);
  else list.addSubnet(address!, Number(prefix), v4);
  const plain = ip.replace("::ffff:", "");
  return list.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");
}

/** Every reading of what a test looks at, and how one value is compared with it. */
function readings(
  test: WireTest,
  x: Exchange,
): { texts: string[]; one: (v: string, t: string) => boolean } {
  const [, domain, namespace, name] = /^spiffe:\/\/([^/]*)\/ns\/([^/]*)\/sa\/(.*)$/.exec(x.peer!) ??
    [];
  const own = domain === "mesh.local";
  switch (test.key) {
    case "identity":
      return { texts: [x.peer!], one: like };
    case "namespace":
      return { texts: [own ? namespace! : ""], one: like };
    case "service-account":
      return { texts: [own ? `${namespace}/${name}` : ""], one: like };
    case "ip":
      return { texts: [x.remote!.slice(0, x.remote!.lastIndexOf(":"))], one: inNetwork };
    case "request-principal":
      return { texts: [x.token!["sub"] === undefined ? "" : `i/${x.token!["sub"]}`], one: like };
    case "host":
      return {
        texts: [x.authority!],
        one: (value, authority) => {
          const [host, port = "80"] = authority.split(":");
          return like(value, value.includes(":") ? `${host}:${port}` : host!);
        },
      };
    case "method":
      return { texts: [x.method!], one: like };
    case "path": {
      const raw = x.path!.split("?")[0]!;
      const other = raw.replaceAll(/;[^/]*/g, "").replaceAll("%2F", "/").replaceAll(/\/+/g, "/");
      return { texts: [raw, other], one: pathLike };
    }
    case "header": {
      const { fields = [] } = x;
      return {
        texts: fields.filter((_, at) => at % 2 === 1 && fields[at - 1] === "x-a"),
        one: like,
      };
    }
    default:
      throw new Error(test.key);
  }
}

function holds(test: WireTest, x: Exchange, letsIn: boolean): boolean {
  if (test.key === "port") return test.values.includes("80") !== (test.not === true);
  if (test.key === "claim") {
    const found = [x.token!["n"] ?? []].flat().map(String);
    return found.some((text) => test.values.some((value) => like(value, text))) !==
      (test.not === true);
  }
  const { texts, one } = readings(test, x);
  const each = texts.map((text) => test.values.some((value) => one(value, text)));
  const all = letsIn !== (test.not === true);
  const positive = all ? each.length > 0 && each.every(Boolean) : each.some(Boolean);
  return positive !== (test.not === true);
}

function matches(
  { from = [], to = [], when = [] }: WireRule,
  x: Exchange,
  letsIn: boolean,
): boolean {
  const every = (tests: readonly WireTest[]) => tests.every((test) => holds(test, x, letsIn));
  return (from.length === 0 || from.some(every)) && (to.length === 0 || to.some(every)) &&
    every(when);
}

function passes(policies: readonly WirePolicy[], x: Exchange): boolean {
  const of = (action: string) => policies.filter((one) => one.action === action);
  if (of("DENY").some(({ rules }) => rules.some((rule) => matches(rule, x, false)))) return false;
  const allow = of("ALLOW");
  return allow.length === 0 ||
    allow.some(({ rules }) => rules.some((rule) => matches(rule, x, true)));
}

Deno.test("The authz index decides as going through every rule does", () => {
  const seen = { passed: 0, refused: 0 };
  fc.assert(
    fc.property(some(POLICY, 0, 8), some(EXCHANGE, 1, 12), (policies, exchanges) => {
      const judge = new Judge(policies);
      for (const x of exchanges) {
        const wanted = passes(policies, x);
        const refusedBy = judge.refusedBy(x);
        assert.equal(refusedBy === "", wanted, JSON.stringify({ x, refusedBy }));
        seen[wanted ? "passed" : "refused"]++;
        if (!/^default\/p/.test(refusedBy)) continue;
        // Who is named as having refused really matches.
        const named = policies[Number(refusedBy.slice("default/p".length))]!;
        assert.ok(named.action === "DENY" && named.rules.some((rule) => matches(rule, x, false)));
      }
    }),
    RUNS,
  );
  // Neither answer is the rare one, or nothing would have been shown.
  assert.ok(Math.min(seen.passed, seen.refused) * 10 > seen.passed + seen.refused, `${seen}`);
});
