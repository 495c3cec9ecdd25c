import assert from "node:assert/strict";
import { FakeEnv } from "../fakes.ts";
import { createAuthzFilter, NONE_ALLOWS } from "./filter.ts";
import {
  type Exchange,
  is,
  isNot,
  Judge,
  type Place,
  type WireRule,
  type WireTest,
} from "./rig.ts";

const WEB = "spiffe://mesh.local/ns/default/sa/web";
const JOB = "spiffe://mesh.local/ns/batch/sa/job";
const FOREIGN = "spiffe://other.example/ns/default/sa/web";
const NOBODY: Exchange = {};

/** Who is matched by one test in `from`, `to` or `when`. */
const MATCHING: [test: WireTest, fits: Exchange[], others: Exchange[]][] = [
  [is("identity", WEB), [{ peer: WEB }], [{ peer: JOB }, { peer: `${WEB}x` }, NOBODY]],
  [isNot("identity", WEB), [{ peer: JOB }, NOBODY], [{ peer: WEB }]],
  [is("identity", "*"), [{ peer: WEB }, { peer: FOREIGN }], [NOBODY]],
  [isNot("identity", "*"), [NOBODY], [{ peer: WEB }]],
  [is("identity", "spiffe://mesh.local/ns/default/*"), [{ peer: WEB }], [{ peer: JOB }, NOBODY]],
  [is("identity", "*/sa/web"), [{ peer: WEB }, { peer: FOREIGN }], [{ peer: JOB }]],
  [is("namespace", "default"), [{ peer: WEB }], [{ peer: JOB }, { peer: FOREIGN }, NOBODY]],
  [is("namespace", "ba*"), [{ peer: JOB }], [{ peer: WEB }]],
  [isNot("namespace", "default"), [{ peer: JOB }, { peer: FOREIGN }, NOBODY], [{ peer: WEB }]],
  [is("service-account", "default/web"), [{ peer: WEB }], [{ peer: JOB }, { peer: FOREIGN }]],
  [
    is("ip", "10.0.0.0/8", "2001:db8::1"),
    [
      { remote: "10.1.2.3:1" },
      { remote: "::ffff:10.1.2.3:1" },
      { remote: "[2001:db8::1]:80" },
      { remote: "2001:db8:0::1:80" },
    ],
    [{ remote: "11.0.0.1:1" }, { remote: "2001:db8::2:1" }, { remote: "unix:" }],
  ],
  [isNot("ip", "10.0.0.0/8"), [{ remote: "9.9.9.9:1" }], [{ remote: "10.0.0.1:1" }]],
  [
    is("remote-ip", "192.0.2.0/24"),
    [
      { fields: ["x-forwarded-for", "192.0.2.7"] },
      { fields: ["x-forwarded-for", "192.0.2.7, 10.0.0.1"] },
      { remote: "192.0.2.1:1" },
      { remote: "192.0.2.1:1", fields: ["x-forwarded-for", "unknown"] },
    ],
    [
      { fields: ["x-forwarded-for", "10.0.0.1, 192.0.2.7"] },
      { remote: "192.0.2.1:1", fields: ["x-forwarded-for", "10.0.0.1"] },
      NOBODY,
    ],
  ],
  [
    is("request-principal", "https://id.example/ann"),
    [{ token: { iss: "https://id.example", sub: "ann" } }],
    [{ token: { iss: "https://id.example", sub: "bob" } }, { token: { sub: "ann" } }, NOBODY],
  ],
  [is("request-principal", "*"), [{ token: { iss: "a", sub: "b" } }], [NOBODY]],
  [isNot("request-principal", "*"), [NOBODY], [{ token: { iss: "a", sub: "b" } }]],
  [is("audience", "shop"), [{ token: { aud: "shop" } }, { token: { aud: ["x", "shop"] } }], [
    { token: { aud: "shop2" } },
    NOBODY,
  ]],
  [is("presenter", "app"), [{ token: { azp: "app" } }], [{ token: {} }]],
  [
    { key: "claim", path: ["realm", "roles"], values: ["admin", "ops*"] },
    [
      { token: { realm: { roles: ["user", "admin"] } } },
      { token: { realm: { roles: "ops-eu" } } },
    ],
    [
      { token: { realm: { roles: ["user"] } } },
      { token: { realm: { roles: { admin: true } } } },
      { token: { "realm.roles": "admin" } },
      { token: { realm: "admin" } },
      NOBODY,
    ],
  ],
  [
    { key: "claim", path: ["level"], values: ["3", "true"] },
    [{ token: { level: 3 } }, { token: { level: true } }],
    [{ token: { level: 4 } }, { token: { level: null } }],
  ],
  [
    { key: "claim", path: ["group"], not: true, values: ["guests"] },
    [{ token: { group: "staff" } }, { token: {} }, NOBODY],
    [{ token: { group: ["staff", "guests"] } }],
  ],
  [
    is("host", "shop.example"),
    [
      { authority: "shop.example" },
      { authority: "shop.example:8443" },
      { authority: "shop.example." },
    ],
    [{ authority: "shop.example.org" }, { authority: "a.shop.example" }],
  ],
  [is("host", "*.Example"), [{ authority: "a.example:1" }], [{ authority: "example" }]],
  [
    is("host", "shop.example:80", "api.example:*"),
    [{ authority: "shop.example" }, { authority: "shop.example:80" }, {
      authority: "api.example:1",
    }],
    [{ authority: "shop.example:81" }],
  ],
  [is("method", "GET", "HEAD"), [{ method: "GET" }], [{ method: "POST" }, { method: "get" }]],
  [isNot("method", "GET"), [{ method: "POST" }], [{ method: "GET" }]],
  [is("path", "/a"), [{ path: "/a" }, { path: "/a?b" }], [{ path: "/a/" }, { path: "/ab" }]],
  [is("path", "/a*"), [{ path: "/a" }, { path: "/ab/c" }], [{ path: "/b/a" }]],
  [is("path", "/a/*"), [{ path: "/a/b" }, { path: "/a/" }], [{ path: "/a" }, { path: "/ab" }]],
  [is("path", "*.css"), [{ path: "/x/y.css" }], [{ path: "/y.css/x" }, { path: "/x?y.css" }]],
  [
    is("path", "/u/{*}/mail"),
    [{ path: "/u/ann/mail" }],
    [{ path: "/u/mail" }, { path: "/u//mail" }, { path: "/u/a/b/mail" }, { path: "/u/a/mail/" }],
  ],
  [
    is("path", "/a/{**}/z"),
    [{ path: "/a/z" }, { path: "/a/b/z" }, { path: "/a/b/c/z" }],
    [{ path: "/a" }, { path: "/az" }, { path: "/a/z/b" }, { path: "/b/z" }],
  ],
  [is("path", "/a/{**}"), [{ path: "/a" }, { path: "/a/" }, { path: "/a/b/c" }], [{ path: "/ab" }]],
  [is("path", "/{*}"), [{ path: "/a" }], [{ path: "/" }, { path: "/a/b" }, { path: "/a/" }]],
  [is("path", "/shop.Cart/*"), [{ path: "/shop.Cart/Add" }], [{ path: "/shop.Other/Add" }]],
  [is("port", "80", "443"), [NOBODY], []],
  [isNot("port", "80"), [], [NOBODY]],
  [is("port", "81"), [], [NOBODY]],
  [
    { key: "header", name: "x-team", values: ["blue", "green*"] },
    [{ fields: ["x-team", "blue"] }, { fields: ["x-other", "red", "x-team", "greenish"] }],
    [{ fields: ["x-team", "red"] }, { fields: ["x-teams", "blue"] }, NOBODY],
  ],
  [
    { key: "header", name: "x-team", values: ["*"] },
    [{ fields: ["x-team", "any"] }],
    [{ fields: ["x-team", ""] }, NOBODY],
  ],
  [
    { key: "header", name: "x-team", not: true, values: ["blue"] },
    [{ fields: ["x-team", "red"] }, NOBODY],
    [{ fields: ["x-team", "blue"] }],
  ],
];

for (const [test, fits, others] of MATCHING) {
  const what = `${test.not ? "not " : ""}${test.key} ${test.values.join(" or ")}`;
  Deno.test(`Authz matches by ${what}, in each part of a rule and for each action`, () => {
    const ofPeers = ["identity", "namespace", "service-account"].includes(test.key);
    const operation = ofPeers ? [] : [{ to: [[test]] }];
    for (const rule of [{ from: [[test]] }, { when: [test] }, ...operation]) {
      const allow = new Judge([{ rules: [rule] }]);
      const deny = new Judge([{ action: "DENY", rules: [rule] }]);
      for (const exchange of fits) {
        assert.equal(allow.refusedBy(exchange), "", JSON.stringify(exchange));
        assert.equal(deny.refusedBy(exchange), "default/p0", JSON.stringify(exchange));
      }
      for (const exchange of others) {
        assert.equal(allow.refusedBy(exchange), NONE_ALLOWS, JSON.stringify(exchange));
        assert.equal(deny.refusedBy(exchange), "", JSON.stringify(exchange));
      }
    }
  });
}

Deno.test("Authz: what can be read in two ways is refused by either and allowed by both only", () => {
  const path = is("path", "/admin", "/admin/*", "/a/b");
  const css = is("path", "*.css");
  const blue: WireTest = { key: "header", name: "x-team", values: ["blue"] };
  const notBlue: WireTest = { ...blue, not: true };
  const both = ["x-team", "blue", "x-team", "red"];
  const cases: [test: WireTest, exchange: Exchange, denies: boolean, allows: boolean][] = [
    [path, { path: "/admin;x=1" }, true, false],
    [path, { path: "/admin;x=1/users" }, true, false],
    [path, { path: "/;x/admin" }, true, false],
    [path, { path: "/a%2Fb" }, true, false],
    [path, { path: "/a%5Cb" }, true, false],
    [css, { path: "/admin;.css" }, true, false],
    [css, { path: "/x;v=1/a.css" }, true, true],
    [{ ...path, not: true }, { path: "/admin;x=1" }, true, false],
    [{ ...path, not: true }, { path: "/other;x=1" }, true, true],
    [blue, { fields: both }, true, false],
    [blue, { fields: [...both].reverse().map((_, i) => both[(i + 2) % 4]!) }, true, false],
    [blue, { fields: ["x-team", "blue", "x-team", "blue"] }, true, true],
    [blue, { fields: ["x-team", "blue, red"] }, false, false],
    [notBlue, { fields: both }, true, false],
  ];
  for (const [test, exchange, denies, allows] of cases) {
    const rules: WireRule[] = [{ to: [[test]] }];
    const about = JSON.stringify([test, exchange]);
    assert.equal(!new Judge([{ action: "DENY", rules }]).passes(exchange), denies, about);
    assert.equal(new Judge([{ rules }]).passes(exchange), allows, about);
  }
});

Deno.test("Authz: no policies pass all, no rules match nothing, an empty rule matches all", () => {
  assert.ok(new Judge([]).passes(NOBODY));
  assert.equal(new Judge([{ rules: [] }]).refusedBy({ peer: WEB }), NONE_ALLOWS);
  assert.ok(new Judge([{ rules: [{}] }]).passes(NOBODY));
  assert.equal(new Judge([{ action: "DENY", rules: [{}] }]).refusedBy(NOBODY), "default/p0");
  assert.ok(new Judge([{ action: "DENY", rules: [] }]).passes(NOBODY));
});

Deno.test("Authz: of a rule one source, one operation and all conditions have to fit", () => {
  const judge = new Judge([{
    rules: [{
      from: [[is("identity", WEB), is("ip", "127.0.0.0/8")], [is("identity", JOB)]],
      to: [[is("method", "GET")], [is("path", "/jobs/*")]],
      when: [
        { key: "header", name: "x-a", values: ["1"] },
        { key: "header", name: "x-b", values: ["2"] },
      ],
    }],
  }]);
  const fields = ["x-a", "1", "x-b", "2"];
  assert.ok(judge.passes({ peer: WEB, fields }));
  assert.ok(judge.passes({ peer: JOB, method: "PUT", path: "/jobs/1", fields }));
  assert.ok(!judge.passes({ peer: WEB, method: "PUT", fields }));
  assert.ok(!judge.passes({ peer: WEB, remote: "10.0.0.1:1", fields }));
  assert.ok(!judge.passes({ peer: WEB, fields: ["x-a", "1"] }));
  assert.ok(!judge.passes({ fields }));
});

Deno.test("Authz: DENY comes before ALLOW, and one ALLOW of many is enough", () => {
  const judge = new Judge([
    { rules: [{ from: [[is("identity", WEB)]] }] },
    { rules: [{ from: [[is("identity", JOB)]] }] },
    { action: "DENY", rules: [{ to: [[is("path", "/admin*")]] }] },
  ]);
  assert.ok(judge.passes({ peer: WEB }));
  assert.ok(judge.passes({ peer: JOB }));
  assert.equal(judge.refusedBy({ peer: WEB, path: "/admin" }), "default/p2");
  assert.equal(judge.refusedBy({ peer: FOREIGN }), NONE_ALLOWS);
  assert.equal(
    judge.env.metric(`denim_authz_refused_total{policy="${NONE_ALLOWS}"}`),
    1,
  );
  assert.equal(judge.env.metric('denim_authz_refused_total{policy="default/p2"}'), 1);
});

Deno.test("Authz: AUDIT counts and refuses nothing", () => {
  const judge = new Judge([
    { action: "AUDIT", name: "default/a", rules: [{ to: [[is("path", "/a*")]] }, {}] },
    { action: "AUDIT", name: "default/b", rules: [{ to: [[is("path", "/b")]] }] },
  ]);
  assert.ok(judge.passes({ path: "/a" }));
  assert.ok(judge.passes({ path: "/b" }));
  assert.equal(judge.env.metric('denim_authz_audit_total{policy="default/a"}'), 2);
  assert.equal(judge.env.metric('denim_authz_audit_total{policy="default/b"}'), 1);
});

Deno.test("Authz: a dry run changes nothing and counts what it would have changed", () => {
  const dry = (policy: string, decision: string) =>
    `denim_authz_dry_run_total{policy="${policy}",decision="${decision}"}`;
  const web: WireRule = { from: [[is("identity", WEB)]] };
  const job: WireRule = { from: [[is("identity", JOB)]] };

  // A first ALLOW: all others would be refused.
  const first = new Judge([{ name: "d/w", dryRun: true, rules: [web] }]);
  assert.ok(first.passes({ peer: WEB }) && first.passes({ peer: JOB }) && first.passes({}));
  assert.equal(first.env.metric(dry("d/w", "deny")), 2);
  assert.equal(first.env.metric(dry("d/w", "allow")), 0);

  // Two of them are judged together, as they would be in force.
  const two = new Judge([
    { name: "d/w", dryRun: true, rules: [web] },
    { name: "d/j", dryRun: true, rules: [job] },
  ]);
  assert.ok(two.passes({ peer: WEB }) && two.passes({ peer: JOB }) && two.passes({}));
  assert.equal(two.env.metric(dry("d/w", "deny")), 1);
  assert.equal(two.env.metric(dry("d/j", "deny")), 1);

  // Beside an ALLOW in force: it would let more pass, and refuse nothing.
  const more = new Judge([{ rules: [web] }, { name: "d/j", dryRun: true, rules: [job] }]);
  assert.ok(more.passes({ peer: WEB }));
  assert.ok(!more.passes({ peer: JOB }) && !more.passes({}));
  assert.equal(more.env.metric(dry("d/j", "allow")), 1);
  assert.equal(more.env.metric(dry("d/j", "deny")), 0);

  // DENY: only what would have passed counts.
  const deny = new Judge([
    { rules: [web] },
    { name: "d/d", action: "DENY", dryRun: true, rules: [{ to: [[is("method", "PUT")]] }] },
  ]);
  assert.ok(deny.passes({ peer: WEB, method: "PUT" }));
  assert.ok(!deny.passes({ peer: JOB, method: "PUT" }));
  assert.equal(deny.env.metric(dry("d/d", "deny")), 1);
});

Deno.test("Authz on bare connections: ALLOW asks for nothing unknown, DENY goes by the rest", () => {
  const l4: Place = { l4: true, ports: [5432] };
  const connect: Exchange = { peer: WEB, method: "CONNECT", authority: "db:5432" };
  const judge = (action: string, rule: WireRule): boolean =>
    new Judge([{ action, rules: [rule] }], l4).passes(connect);
  const web = is("identity", WEB), get = is("method", "CONNECT"), job = is("identity", JOB);
  assert.equal(judge("ALLOW", { from: [[web]] }), true);
  assert.equal(judge("ALLOW", { from: [[web]], to: [[is("port", "5432")]] }), true);
  assert.equal(judge("ALLOW", { from: [[web]], to: [[is("port", "80")]] }), false);
  assert.equal(judge("ALLOW", { from: [[web]], to: [[get]] }), false);
  assert.equal(judge("ALLOW", { from: [[web]], to: [[get], [is("port", "5432")]] }), true);
  assert.equal(judge("ALLOW", { from: [[web, isNot("request-principal", "x")]] }), false);
  assert.equal(
    judge("ALLOW", { when: [{ key: "header", name: "a", not: true, values: ["b"] }] }),
    false,
  );
  assert.equal(judge("DENY", { from: [[web]], to: [[is("method", "PUT")]] }), false);
  assert.equal(judge("DENY", { from: [[job]], to: [[is("method", "PUT")]] }), true);
  assert.equal(judge("DENY", { to: [[is("method", "PUT"), is("port", "80")]] }), true);
  assert.equal(judge("DENY", { from: [[isNot("ip", "127.0.0.1")]] }), true);
});

Deno.test("Authz names the field of a configuration it cannot read", () => {
  const refuse = (config: unknown, message: RegExp) =>
    assert.throws(() => createAuthzFilter(config, new FakeEnv()), message);
  const whole = (test: unknown) => ({
    trustDomain: "a",
    ports: [],
    policies: [{ name: "a/b", action: "DENY", rules: [{ from: [[test]], to: [], when: [] }] }],
  });
  refuse(null, /^Error: Cannot read the configuration of authz: it is null/);
  refuse({ trustDomain: "a", ports: [], policies: [{}] }, /policies\[0\]\.name: it is missing/);
  refuse(
    whole({ key: "age", values: [] }),
    /from\[0\]\[0\]\.key: it is "age", want one of identity/,
  );
  refuse(whole({ key: "ip", values: ["10.0.0.0/33"] }), /"10\.0\.0\.0\/33" is no network/);
  refuse(whole({ key: "ip", values: ["10.0.0.0/"] }), /is no network/);
  refuse(
    {
      ...whole({}),
      policies: [{
        name: "a",
        action: "ALLOW",
        rules: [{ from: [], to: [[{ key: "identity", values: ["*"] }]], when: [] }],
      }],
    },
    /to\[0\]\[0\]\.key: it is "identity", want it in from/,
  );
  refuse(whole({ key: "header", values: ["a"] }), /\.name: it is missing, want a field name/);
  refuse(whole({ key: "path", values: ["/"], flags: 1 }), /unknown field "flags"/);
});
