import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Fields } from "../../core/fields.ts";
import { CONTINUE, DONE, type Filter } from "../../core/filter.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { config, goodClaims, ISSUER, rule, TestKey } from "./fakes.ts";
import { createJwtFilter } from "./filter.ts";

const key = new TestKey("ES256");
const env = new FakeEnv();
const NOW = env.clock.nowMs();
const token = key.token(goodClaims(NOW));
const admin = key.token(goodClaims(NOW, { sub: "root" }));

type RuleOver = Parameters<typeof rule>[0];

function filterOf(over: RuleOver = {}, required = false): Filter {
  return createJwtFilter(config([rule({ keys: [key.jwk], ...over })], required), env) as Filter;
}

/** Runs one request through; lines of fields as a flat list. */
function pass(filter: Filter, lines: string[], path = "/", method = "GET"): FakeContext {
  const ctx = new FakeContext(method, path);
  ctx.request.fields = new Fields(lines);
  const verdict = filter.onRequestHead!(ctx, ctx.request, true);
  assert.equal(verdict, ctx.failed.length > 0 ? DONE : CONTINUE);
  return ctx;
}

const bearer = (text: string) => ["authorization", `Bearer ${text}`];

Deno.test("jwt puts the claims of a good token on the exchange, and takes the token off", () => {
  const ctx = pass(filterOf(), ["x-a", "1", ...bearer(token)]);
  assert.equal(ctx.claims?.principal, `${ISSUER}/ann`);
  assert.equal(ctx.claims?.values["sub"], "ann");
  assert.deepEqual(ctx.request.fields.lines, ["x-a", "1"]);
});

Deno.test("jwt leaves the token where the upstream wants it", () => {
  const ctx = pass(filterOf({ forward: true }), bearer(token));
  assert.deepEqual(ctx.request.fields.lines, bearer(token));
});

Deno.test("jwt lets requests without a token pass, as nobody, unless one is required", () => {
  const ctx = pass(filterOf(), ["authorization", "Basic YTpi"]);
  assert.deepEqual([ctx.claims, ctx.failed], [null, []]);
  assert.deepEqual(ctx.request.fields.lines, ["authorization", "Basic YTpi"]);
  const strict = filterOf({}, true);
  const refused = pass(strict, ["authorization", "Basic YTpi"]);
  assert.deepEqual([refused.failed, refused.refusedBy], [["jwt.missing"], "default/users"]);
  assert.deepEqual(pass(strict, bearer(token)).failed, []);
});

Deno.test("jwt refuses a bad token whether one is required or not", () => {
  for (const required of [true, false]) {
    const filter = filterOf({}, required);
    assert.deepEqual(pass(filter, bearer("opaque")).failed, ["jwt.malformed"]);
    assert.deepEqual(pass(filter, bearer(`${token}x`)).failed, ["jwt.malformed"]);
    assert.deepEqual(pass(filter, bearer(key.token({ iss: "b" }))).failed, ["jwt.issuer"]);
  }
});

Deno.test("jwt knows the scheme in any case and with any number of spaces", () => {
  for (const scheme of ["bearer ", "BEARER ", "Bearer   "]) {
    assert.equal(pass(filterOf(), ["authorization", scheme + token]).claims?.values["sub"], "ann");
  }
});

Deno.test("jwt refuses a second token, whether it is any good or not, and a second field", () => {
  const filter = filterOf({
    fromHeaders: [{ name: "authorization", prefix: "Bearer " }, { name: "x-token", prefix: "" }],
    fromParams: ["access_token"],
    fromCookies: ["session"],
  });
  const several = (lines: string[], path = "/") =>
    assert.deepEqual(pass(filter, lines, path).failed, ["jwt.several"]);
  several([...bearer(token), "x-token", admin]);
  several([...bearer(token), ...bearer(token)]);
  several([...bearer(token), "authorization", "Basic YTpi"]);
  several(["authorization", "Basic YTpi", ...bearer(token)]);
  several([], `/?access_token=${token}&access_token=${admin}`);
  several([...bearer(token)], `/?access_token=${admin}`);
  several(["cookie", `session=${token}; session=${admin}`]);
  several(["cookie", `session=${token}`, "cookie", `session=${admin}`]);
  // The same one twice is one.
  const twice = pass(filter, [...bearer(token), "x-token", token]);
  assert.deepEqual([twice.failed, twice.request.fields.lines], [[], []]);
});

Deno.test("jwt looks where its rule says, and nowhere else", () => {
  const header = filterOf({ fromHeaders: [{ name: "x-assertion", prefix: "JWT " }] });
  assert.equal(pass(header, ["x-assertion", `JWT ${token}`]).claims?.values["sub"], "ann");
  assert.equal(pass(header, ["x-assertion", token]).claims, null);
  const elsewhere = pass(header, bearer(token));
  assert.deepEqual([elsewhere.claims, elsewhere.request.fields.lines], [null, bearer(token)]);
  // No rule, no place: a token in the query leaks into logs, so it has to be asked for.
  assert.equal(pass(filterOf(), [], `/?access_token=${token}`).claims, null);
});

Deno.test("jwt takes a token out of the query, and leaves the rest of it", () => {
  const filter = filterOf({ fromParams: ["access_token"] });
  const paths: [string, string][] = [
    [`/a?access_token=${token}`, "/a"],
    [`/a?x=1&access_token=${token}&y=%20`, "/a?x=1&y=%20"],
    [`/a?access%5ftoken=${token}&x`, "/a?x"],
    [`/a?access_token=${token.replaceAll(".", "%2e")}`, "/a"],
  ];
  for (const [path, left] of paths) {
    const ctx = pass(filter, [], path);
    assert.deepEqual([ctx.claims?.values["sub"], ctx.request.path], ["ann", left]);
  }
  const none = pass(filter, [], "/a?access_token=&x=%zz");
  assert.deepEqual([none.claims, none.request.path], [null, "/a?access_token=&x=%zz"]);
});

Deno.test("jwt takes a token out of the cookies, and leaves the rest of them", () => {
  const filter = filterOf({ fromCookies: ["session"] });
  const ctx = pass(filter, ["cookie", `a=1; session="${token}"; b=2`, "cookie", "c=3"]);
  assert.equal(ctx.claims?.values["sub"], "ann");
  assert.deepEqual(ctx.request.fields.lines, ["cookie", "a=1; b=2", "cookie", "c=3"]);
  const alone = pass(filter, ["cookie", `session=${token}`]);
  assert.deepEqual(alone.request.fields.lines, []);
});

const OUTPUTS: RuleOver = {
  claimHeaders: [
    { header: "x-user", claim: ["sub"] },
    { header: "x-plan", claim: ["account", "plan"] },
    { header: "x-roles", claim: ["roles"] },
    { header: "x-admin", claim: ["admin"] },
  ],
  payloadHeader: "x-claims",
};

Deno.test("jwt writes claims as fields: text, numbers, nested ones, and lists as base64url of JSON", () => {
  const claims = goodClaims(NOW, {
    sub: "Zoë",
    account: { plan: 7 },
    roles: ["a"],
    admin: false,
  });
  const { fields } = pass(filterOf(OUTPUTS), bearer(key.token(claims))).request;
  assert.equal(new TextDecoder().decode(bytesOf(fields.get("x-user")!)), "Zoë");
  assert.equal(fields.get("x-plan"), "7");
  assert.equal(atob(fields.get("x-roles")!), '["a"]');
  assert.equal(fields.get("x-admin"), "false");
  assert.equal(
    Buffer.from(fields.get("x-claims")!, "base64url").toString(),
    JSON.stringify(claims),
  );
});

Deno.test("jwt removes what a client sends under its names, with or without a token, also in trailers", () => {
  const filter = filterOf(OUTPUTS);
  const fake = ["x-user", "root", "x_user", "root", "x-plan", "gold", "x-other", "1"];
  assert.deepEqual(pass(filter, [...fake]).request.fields.lines, ["x-other", "1"]);
  const ctx = pass(filter, [...fake, ...bearer(token)]);
  assert.deepEqual(ctx.request.fields.all("x-user"), ["ann"]);
  assert.equal(ctx.request.fields.has("x_user"), false);
  assert.equal(ctx.request.fields.has("x-plan"), false);
  const trailers = new Fields(["x-user", "root", "x-sum", "1"]);
  filter.onRequestTrailers!(ctx, trailers);
  assert.deepEqual(trailers.lines, ["x-sum", "1"]);
  assert.equal(filterOf().onRequestTrailers, undefined);
});

Deno.test("jwt leaves out a claim that would end its field or is too long", () => {
  for (const sub of ["a\r\nx-admin: 1", "a\u0000b", " a", "x".repeat(9000)]) {
    const ctx: FakeContext = pass(filterOf(OUTPUTS), bearer(key.token(goodClaims(NOW, { sub }))));
    const { fields } = ctx.request;
    assert.equal(fields.has("x-user"), false);
    assert.equal(fields.has("x-admin"), false);
  }
});

Deno.test("jwt lets a browser ask before it sends a token, and says then who nobody is", () => {
  const filter = filterOf({}, true);
  const cors = ["origin", "https://a", "access-control-request-method", "GET"];
  const ctx = pass(filter, cors, "/", "OPTIONS");
  assert.deepEqual([ctx.failed, ctx.claims], [[], null]);
  assert.deepEqual(pass(filter, cors, "/", "GET").failed, ["jwt.missing"]);
  assert.deepEqual(pass(filter, cors.slice(0, 2), "/", "OPTIONS").failed, ["jwt.missing"]);
  assert.deepEqual(pass(filter, [...cors, ...bearer("x")], "/", "OPTIONS").failed, [
    "jwt.malformed",
  ]);
});

Deno.test("jwt wants a token of each policy that requires one", () => {
  const both = createJwtFilter({
    policies: [
      { name: "a/any", required: true, rules: [rule({ keys: [key.jwk] })] },
      { name: "a/staff", required: true, rules: [rule({ keys: [key.jwk], audiences: ["staff"] })] },
    ],
  }, env) as Filter;
  const ctx = pass(both, bearer(token));
  assert.deepEqual([ctx.failed, ctx.refusedBy], [["jwt.issuer"], "a/staff"]);
  const aud = ["shop", "staff"];
  assert.deepEqual(pass(both, bearer(key.token(goodClaims(NOW, { aud })))).failed, []);
});

Deno.test("jwt keeps what it has verified over snapshots with the same rules, and not over others", () => {
  const own = new FakeEnv();
  const old = config([rule({ keys: [key.jwk] })]);
  const next = config([rule({ keys: [new TestKey("ES256").jwk] })]);
  const verified = 'denim_jwt_verifications_total{policy="default/policy"}';
  for (let i = 0; i < 3; i++) pass(createJwtFilter(old, own) as Filter, bearer(token));
  assert.equal(own.metric(verified), 1);
  // The key is withdrawn: so is every token it signed.
  assert.deepEqual(pass(createJwtFilter(next, own) as Filter, bearer(token)).failed, [
    "jwt.signature",
  ]);
  assert.equal(own.metric(verified), 2);
  const requests = (result: string) =>
    own.metric(`denim_jwt_requests_total{policy="default/policy",result="${result}"}`);
  assert.deepEqual([requests("accepted"), requests("jwt.signature")], [3, 1]);
});

Deno.test("jwt's configuration is refused where it would take too much", () => {
  const refuse = (over: object, why: RegExp) =>
    assert.throws(() => createJwtFilter(config([{ ...rule(), ...over }]), env), why);
  refuse({ audiences: [] }, /rules\[0\]\.audiences: it is empty/);
  refuse({ algorithms: [] }, /algorithms: it is empty/);
  refuse({ algorithms: ["none"] }, /algorithms\[0\]: it is "none", want one of RS256/);
  refuse({ algorithms: ["HS256"] }, /it is "HS256"/);
  refuse({ keys: [{ kty: "oct", k: "AA" }] }, /keys\[0\]: it is a shared secret/);
  refuse({ issuer: "" }, /issuer: it is ""/);
  refuse({ payloadHeader: "content-length" }, /want a field that does not frame/);
  for (const header of ["host", "authorization", "x-denim-port"]) {
    refuse(
      { claimHeaders: [{ header, claim: ["sub"] }] },
      /want a field that has no other meaning/,
    );
  }
});

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
