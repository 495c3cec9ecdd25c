/** The attacks on tokens, each as a token that is right but for one thing. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import type { FaultCode } from "../../core/fault.ts";
import { Counter } from "../../core/metrics.ts";
import { ALGORITHM_NAMES } from "./algorithms.ts";
import { FakeClock } from "../fakes.ts";
import { base64, config, goodClaims, ISSUER, rule, TestKey } from "./fakes.ts";
import { JWT_LIMITS } from "./limits.ts";
import { type Accepted, Verifier, type VerifierParts } from "./verifier.ts";

const NOW = 1_800_000_000_000;
const PLACE = "header authorization bearer ";
const CLIENT = { peer: "", remote: "192.0.2.1:50000" };
const clock = new FakeClock();
const DEAF = { unknownKey() {} };

const parts = (over: Partial<VerifierParts> = {}): VerifierParts => ({
  events: DEAF,
  clock,
  verified: new Counter(),
  ...over,
});

const key = new TestKey("RS256");
const ec = new TestKey("ES256", "key-2");
const stranger = new TestKey("RS256");

function verdict(verifier: Verifier, token: string, nowMs = NOW): Accepted | FaultCode {
  clock.ms = nowMs;
  const result = verifier.verify(token, PLACE, CLIENT);
  return "code" in result ? result.code as FaultCode : result;
}

function judged(token: string, over: Parameters<typeof rule>[0] = {}): string {
  const verifier = new Verifier(
    config([rule({ keys: [key.jwk, ec.jwk], ...over })]),
    parts(),
  );
  const result = verdict(verifier, token);
  return typeof result === "string" ? result : "accepted";
}

const claims = (over: Record<string, unknown> = {}) => goodClaims(NOW, over);
const seconds = Math.floor(NOW / 1000);

for (const alg of ALGORITHM_NAMES) {
  Deno.test(`A token signed by ${alg} is accepted, and not with one bit changed`, () => {
    const own = new TestKey(alg);
    const token = own.token(claims());
    assert.equal(judged(token, { keys: [own.jwk] }), "accepted");
    const at = token.lastIndexOf(".") + 20;
    const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
    assert.equal(judged(changed, { keys: [own.jwk] }), "jwt.signature");
    assert.equal(judged(token, { keys: [{ ...own.jwk, alg: "" }].map(withoutAlg) }), "accepted");
  });
}

function withoutAlg({ alg: _alg, ...rest }: typeof key.jwk): typeof key.jwk {
  return rest;
}

/** Header and payload with a signature that is not by a key of ours. */
function forged(header: unknown, signature: string, payload: unknown = claims()): string {
  return `${base64(JSON.stringify(header))}.${base64(JSON.stringify(payload))}.${signature}`;
}

function hmacWithPublicKey(): string {
  const input = forged({ alg: "HS256", kid: "key-1" }, "").slice(0, -1);
  const pem = key.publicKey.export({ type: "spki", format: "pem" });
  return `${input}.${createHmac("sha256", pem).update(input).digest("base64url")}`;
}

const zeros = (bytes: number) =>
  new Uint8Array(bytes).toBase64({
    alphabet: "base64url",
    omitPadding: true,
  });
const good = key.token(claims());
const ecToken = ec.token(claims());
const ecInput = ecToken.slice(0, ecToken.lastIndexOf("."));
const ecSignature = Uint8Array.fromBase64(ecToken.slice(ecInput.length + 1), {
  alphabet: "base64url",
});
const resigned = (bytes: Uint8Array) =>
  `${ecInput}.${bytes.toBase64({ alphabet: "base64url", omitPadding: true })}`;

const ATTACKS: [what: string, token: string, wanted: FaultCode | "accepted"][] = [
  ["nothing wrong", good, "accepted"],
  ["alg none, no signature", forged({ alg: "none" }, ""), "jwt.algorithm"],
  ["alg None", forged({ alg: "None" }, ""), "jwt.algorithm"],
  [
    "alg none with the old signature",
    forged({ alg: "none" }, good.split(".")[2]!),
    "jwt.algorithm",
  ],
  ["no signature", good.slice(0, good.lastIndexOf(".") + 1), "jwt.signature"],
  ["HMAC with the public key", hmacWithPublicKey(), "jwt.algorithm"],
  [
    "an RSA token as PS256",
    forged({ alg: "PS256", kid: "key-1" }, good.split(".")[2]!),
    "jwt.algorithm",
  ],
  ["an alg that is a member of Object", forged({ alg: "constructor" }, "AAAA"), "jwt.algorithm"],
  [
    "another payload",
    good.replace(/\.[^.]*\./, `.${base64(JSON.stringify(claims({ sub: "root" })))}.`),
    "jwt.signature",
  ],
  ["a stranger's key of the same name", stranger.token(claims()), "jwt.signature"],
  ["an embedded key", stranger.token(claims(), { jwk: stranger.jwk }), "jwt.signature"],
  ["a jku", stranger.token(claims(), { jku: "https://evil.example/jwks" }), "jwt.signature"],
  [
    "an x5u and x5c",
    stranger.token(claims(), { x5u: "https://evil.example", x5c: ["MII"] }),
    "jwt.signature",
  ],
  ["a kid that is a path", stranger.token(claims(), { kid: "../../dev/null" }), "jwt.unknown_key"],
  [
    "a kid that is a query",
    stranger.token(claims(), { kid: "x' UNION SELECT 'a" }),
    "jwt.unknown_key",
  ],
  ["a kid of another type's key", key.token(claims(), { kid: "key-2" }), "jwt.algorithm"],
  ["an empty kid", key.token(claims(), { kid: "" }), "jwt.unknown_key"],
  ["no kid", key.token(claims(), { kid: undefined }), "accepted"],
  ["psychic signature, r = s = 0", `${ecInput}.${zeros(64)}`, "jwt.signature"],
  ["a signature one byte short", resigned(ecSignature.slice(0, 63)), "jwt.signature"],
  ["a signature one byte long", resigned(new Uint8Array([...ecSignature, 0])), "jwt.signature"],
  ["a critical extension", key.token(claims(), { crit: ["exp"] }), "jwt.malformed"],
  ["an unencoded payload", key.token(claims(), { b64: false, crit: ["b64"] }), "jwt.malformed"],
  ["b64 that nobody calls critical", key.token(claims(), { b64: false }), "jwt.malformed"],
  [
    "sub twice",
    key.token(JSON.stringify(claims()).replace("{", '{"sub":"root",')),
    "jwt.malformed",
  ],
  ["a payload that is no object", key.token("[]"), "jwt.malformed"],
  ["a token in a token", key.token(good, { cty: "JWT" }), "jwt.malformed"],
  ["another issuer", key.token(claims({ iss: "https://issuer.example.evil" })), "jwt.issuer"],
  ["an issuer with a slash more", key.token(claims({ iss: `${ISSUER}/` })), "jwt.issuer"],
  ["an issuer in a list", key.token(claims({ iss: [ISSUER] })), "jwt.issuer"],
  ["no issuer", key.token(claims({ iss: undefined })), "jwt.issuer"],
  ["another audience", key.token(claims({ aud: "bank" })), "jwt.audience"],
  ["no audience", key.token(claims({ aud: undefined })), "jwt.audience"],
  ["an audience that begins like ours", key.token(claims({ aud: "shop2" })), "jwt.audience"],
  ["an empty list of audiences", key.token(claims({ aud: [] })), "jwt.audience"],
  ["ours among audiences", key.token(claims({ aud: ["bank", "shop"] })), "accepted"],
  ["an audience in a map", key.token(claims({ aud: { shop: "shop" } })), "jwt.audience"],
  ["expired beyond the skew", key.token(claims({ exp: seconds - 60 })), "jwt.expired"],
  ["expired within the skew", key.token(claims({ exp: seconds - 59 })), "accepted"],
  ["no exp", key.token(claims({ exp: undefined })), "jwt.malformed"],
  ["an exp that is text", key.token(claims({ exp: String(seconds + 9) })), "jwt.malformed"],
  [
    "an exp beyond all dates",
    key.token(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')),
    "jwt.malformed",
  ],
  ["a negative exp", key.token(claims({ exp: -1 })), "jwt.malformed"],
  ["not valid yet", key.token(claims({ nbf: seconds + 61 })), "jwt.early"],
  ["not valid yet, within the skew", key.token(claims({ nbf: seconds + 60 })), "accepted"],
  ["an nbf that is text", key.token(claims({ nbf: "0" })), "jwt.malformed"],
  ["issued in the future", key.token(claims({ iat: seconds + 61 })), "jwt.early"],
  ["a subject that is no text", key.token(claims({ sub: 7 })), "jwt.malformed"],
  ["no subject", key.token(claims({ sub: undefined })), "accepted"],
  ["too much", key.token(claims({ more: "x".repeat(JWT_LIMITS.tokenChars) })), "jwt.too_large"],
];

for (const [what, token, wanted] of ATTACKS) {
  Deno.test(`A token with ${what}: ${wanted}`, () => assert.equal(judged(token), wanted));
}

Deno.test("A rule takes the algorithms it lists and no others", () => {
  assert.equal(judged(good, { algorithms: ["ES256"] }), "jwt.algorithm");
  assert.equal(judged(ecToken, { algorithms: ["ES256"] }), "accepted");
});

Deno.test("A key without kid may have signed any token", () => {
  const nameless = new TestKey("RS256", null);
  const token = nameless.token(claims(), { kid: "whatever" });
  assert.equal(judged(token, { keys: [nameless.jwk] }), "accepted");
});

Deno.test("A token without kid costs a limited number of signature checks", () => {
  const keys = Array.from({ length: JWT_LIMITS.keyTries }, () => new TestKey("ES256", null).jwk);
  const last = new TestKey("ES256", null);
  assert.equal(judged(last.token(claims()), { keys: [...keys.slice(1), last.jwk] }), "accepted");
  assert.equal(judged(last.token(claims()), { keys: [...keys, last.jwk] }), "jwt.signature");
});

Deno.test("Without keys there is no verdict on a token, and it is not the client's fault", () => {
  assert.equal(judged(good, { keys: null }), "jwt.no_keys");
});

Deno.test("A key nobody knows is told of once per token, if all else is right and keys can be fetched", () => {
  const asked: string[] = [];
  const events = { unknownKey: (source: string) => void asked.push(source) };
  const keys = [key.jwk];
  const fetched = new Verifier(
    config([rule({ keys, source: "https://a" })]),
    parts({ events }),
  );
  assert.equal(verdict(fetched, ec.token(claims())), "jwt.unknown_key");
  assert.deepEqual(asked, ["https://a"]);
  verdict(fetched, ec.token(claims({ aud: "bank" })));
  verdict(fetched, ec.token(claims({ exp: 1 })));
  assert.deepEqual(asked, ["https://a"]);
  const inline = new Verifier(config([rule({ keys })]), parts({ events }));
  assert.equal(verdict(inline, ec.token(claims())), "jwt.unknown_key");
  assert.equal(asked.length, 1);
});

Deno.test("A verified token is not verified again, until it expires", () => {
  const verified = new Counter();
  const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), parts({ verified }));
  const first = verdict(verifier, good);
  assert.equal(verdict(verifier, good), first);
  assert.deepEqual([verified.value, verifier.remembered], [1, 1]);
  const end = (seconds + 600) * 1000 + 60_000;
  assert.equal(verdict(verifier, good, end - 1), first);
  assert.equal(verdict(verifier, good, end), "jwt.expired");
  assert.equal(verifier.remembered, 0);
});

Deno.test("A refused token is not remembered", () => {
  const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), parts());
  for (let i = 0; i < 3; i++) verdict(verifier, stranger.token(claims()));
  assert.equal(verifier.remembered, 0);
});

Deno.test("A token that another one agrees with in all but its last character is another token", () => {
  const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), parts());
  assert.equal(typeof verdict(verifier, good), "object");
  const other = good.slice(0, -1) + (good.endsWith("A") ? "Q" : "A");
  assert.equal(typeof verdict(verifier, other), "string");
});

Deno.test("Rules of several policies take a token together, each for its own policy", () => {
  const verifier = new Verifier(
    {
      policies: [
        { name: "a/wide", required: false, rules: [rule({ keys: [key.jwk] })] },
        {
          name: "a/narrow",
          required: true,
          rules: [rule({ keys: [key.jwk], audiences: ["admin"] })],
        },
        {
          name: "a/other",
          required: false,
          rules: [rule({ issuer: "https://b", keys: [ec.jwk] })],
        },
      ],
    },
    parts(),
  );
  const policies = (token: string) => {
    const result = verdict(verifier, token);
    return typeof result === "string" ? result : result.policies;
  };
  assert.deepEqual(policies(good), [true, false, false]);
  assert.deepEqual(policies(key.token(claims({ aud: ["shop", "admin"] }))), [true, true, false]);
  assert.deepEqual(policies(ec.token(claims({ iss: "https://b" }))), [false, false, true]);
  // One issuer's key signs nothing for another.
  assert.equal(policies(ec.token(claims())), "jwt.unknown_key");
});

Deno.test("The claims name their principal, and a token without a subject has none", () => {
  const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), parts());
  const of = (token: string) => (verdict(verifier, token) as Accepted).claims.principal;
  assert.equal(of(good), `${ISSUER}/ann`);
  assert.equal(of(key.token(claims({ sub: undefined }))), "");
});

Deno.test("A client that sends many wrong signatures is refused unheard, and others are not", () => {
  /** So much time passes between two looks at the clock. */
  let stepMs = 50, passed = 0;
  const slow = { nowMs: () => NOW, monotonicMs: () => passed += stepMs };
  const verifier = new Verifier(config([rule({ keys: [key.jwk] })]), parts({ clock: slow }));
  const from = (remote: string, token: string): string => {
    const result = verifier.verify(token, PLACE, { peer: "", remote });
    return "code" in result ? result.code : "accepted";
  };
  const bad = stranger.token(claims());
  let tries = 0;
  while (from("192.0.2.1:1", bad) === "jwt.signature") tries++;
  assert.ok(tries >= 20 && tries < 100, `${tries} tries`);
  stepMs = 0;
  assert.equal(from("192.0.2.1:2", bad), "jwt.too_many");
  assert.equal(from("192.0.2.1:2", key.token(claims({ exp: 1 }))), "jwt.expired");
  assert.equal(from("192.0.2.2:1", bad), "jwt.signature");
  assert.equal(from("192.0.2.2:1", good), "accepted");
  // A token that is remembered needs no verifying, whoever sends it.
  assert.equal(from("192.0.2.1:3", good), "accepted");
  assert.equal(from("192.0.2.1:3", key.token(claims({ sub: "bob" }))), "jwt.too_many");
  passed += 10_000;
  assert.equal(from("192.0.2.1:3", key.token(claims({ sub: "bob" }))), "accepted");
});
