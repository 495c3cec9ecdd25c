/** What a token costs: verified for the first time, by algorithm; found again; and refused. */
import { Counter } from "../../core/metrics.ts";
import { Fields } from "../../core/fields.ts";
import { ALGORITHM_NAMES } from "../../filters/jwt/algorithms.ts";
import { TokenCache } from "../../filters/jwt/cache.ts";
import { config, goodClaims, rule, TestKey } from "../../filters/jwt/fakes.ts";
import { createJwtFilter } from "../../filters/jwt/filter.ts";
import { parseJws } from "../../filters/jwt/jws.ts";
import { parseObject } from "../../filters/jwt/json.ts";
import { Verifier } from "../../filters/jwt/verifier.ts";
import { FakeContext, FakeEnv } from "../../filters/fakes.ts";
import type { Filter } from "../../core/filter.ts";

const env = new FakeEnv();
const NOW = env.clock.nowMs();
const CLIENT = { peer: "", remote: "192.0.2.1:1" };
const PARTS = { events: { unknownKey() {} }, clock: env.clock, verified: new Counter() };
const PLACE = "header authorization bearer ";
const CLAIMS = goodClaims(NOW, {
  scope: "openid profile email",
  email: "ann@shop.example",
  roles: ["buyer", "reviewer"],
  jti: crypto.randomUUID(),
});

for (const alg of ALGORITHM_NAMES) {
  const key = new TestKey(alg);
  const token = key.token(CLAIMS);
  const rules = config([rule({ keys: [key.jwk] })]);
  const verifier = new Verifier(rules, { ...PARTS, cache: new TokenCache(0, 0) });
  Deno.bench(`${alg} first (${token.length} characters)`, { group: "first" }, () => {
    if ("code" in verifier.verify(token, PLACE, CLIENT)) throw new Error("refused");
  });
}

const key = new TestKey("ES256");
const token = key.token(CLAIMS);
const filter = createJwtFilter(config([rule({ keys: [key.jwk], forward: true })]), env) as Filter;
const ctx = new FakeContext();
ctx.request.fields = new Fields([
  "accept",
  "*/*",
  "user-agent",
  "bench",
  "authorization",
  `Bearer ${token}`,
]);
const bare = new FakeContext();
bare.request.fields = new Fields(["accept", "*/*", "user-agent", "bench"]);

Deno.bench("the filter, a token seen before", { group: "again" }, () => {
  filter.onRequestHead!(ctx, ctx.request, true);
});

Deno.bench("the filter, no token", { group: "again" }, () => {
  filter.onRequestHead!(bare, bare.request, true);
});

const jws = parseJws(token)!;
Deno.bench("reading header and payload, without the signature", () => {
  parseJws(token);
  parseObject(jws.payload);
});

const expired = key.token(goodClaims(NOW, { exp: 1 }));
const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), PARTS);
Deno.bench("refusing an expired token", () => {
  verifier.verify(expired, PLACE, CLIENT);
});
