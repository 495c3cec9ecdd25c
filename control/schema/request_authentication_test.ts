import { deepStrictEqual as same, match, ok } from "node:assert/strict";
import { TestKey } from "../../filters/jwt/fakes.ts";
import { parseDocuments } from "./parse.ts";

const KEY = new TestKey("ES256").jwk;
const RULE = { issuer: "https://a.example", audiences: ["shop"], jwks: { keys: [KEY] } };

function problems(spec: object): string[] {
  const document = {
    apiVersion: "denim.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: "a" },
    spec,
  };
  // Fields that are undefined are not there, as in JSON.
  return parseDocuments([JSON.parse(JSON.stringify(document))]).errors.map((error) =>
    `${error.path} ${error.message}`
  );
}

const withRule = (over: object) => problems({ jwtRules: [{ ...RULE, ...over }] });
const remote = (jwksUri: string) => withRule({ jwks: undefined, jwksUri });

Deno.test("RequestAuthentication: everything it can say", () => {
  const all = {
    targetRefs: [{ kind: "Service", name: "a" }, { kind: "Gateway", name: "edge" }],
    required: true,
    jwtRules: [
      { ...RULE, jwks: JSON.stringify({ keys: [KEY] }) },
      {
        issuer: "auth.example",
        audiences: ["shop", "bank"],
        jwksUri: "https://auth.example/keys?v=1",
        fromHeaders: [{ name: "Authorization", prefix: "Bearer " }, { name: "x-jwt" }],
        fromParams: ["access_token"],
        fromCookies: ["__Host-session"],
        outputClaimToHeaders: [{ header: "x-plan", claim: "account.plan" }],
        outputPayloadToHeader: "x-claims",
        forwardOriginalToken: true,
        algorithms: ["RS256", "EdDSA"],
        clockSkew: "0s",
      },
    ],
  };
  same(problems(all), []);
});

const REFUSED: [what: string, found: string[], why: RegExp][] = [
  ["no rules", problems({ jwtRules: [] }), /jwtRules is empty/],
  ["no targets", problems({ jwtRules: [RULE], targetRefs: [] }), /leave it out for the whole/],
  [
    "another kind",
    problems({ jwtRules: [RULE], targetRefs: [{ kind: "Pod", name: "a" }] }),
    /kind/,
  ],
  ["no issuer", withRule({ issuer: undefined }), /issuer is missing/],
  ["no audience", withRule({ audiences: undefined }), /audiences is missing/],
  ["an empty list of audiences", withRule({ audiences: [] }), /a token for others is not for you/],
  ["no keys", withRule({ jwks: undefined }), /jwksUri is missing.*openid-configuration/],
  ["keys twice", withRule({ jwksUri: "https://a" }), /jwks is there beside jwksUri/],
  ["keys that are none", withRule({ jwks: "{}" }), /is no JWK set/],
  ["an empty set", withRule({ jwks: { keys: [] } }), /holds no key/],
  [
    "a private key",
    withRule({ jwks: { keys: [{ ...KEY, d: "AA" }] } }),
    /keys\[0\] is a private key/,
  ],
  ["a shared secret", withRule({ jwks: { keys: [{ kty: "oct", k: "AA" }] } }), /shared secret/],
  ["alg none", withRule({ algorithms: ["none"] }), /algorithms\[0\] is "none", wanted one of/],
  ["HMAC", withRule({ algorithms: ["HS256"] }), /algorithms\[0\] is "HS256"/],
  ["no algorithm", withRule({ algorithms: [] }), /algorithms is empty/],
  ["much skew", withRule({ clockSkew: "6m" }), /clockSkew is "6m", wanted at most 5m/],
  ["a file", remote("file:///etc/passwd"), /wanted a URL/],
  ["no URL", remote("keys"), /wanted a URL/],
  ["a password", remote("https://a:b@c/"), /holds a password/],
  ["a fragment", remote("https://a/#b"), /has a fragment/],
  ["a framing header", withRule({ outputPayloadToHeader: "Content-Length" }), /means nothing to/],
  ["our own header", withRule({ outputPayloadToHeader: "X-Denim-Port" }), /means nothing to/],
  ["an empty name", withRule({ outputClaimToHeaders: [{ header: "x", claim: "a..b" }] }), /claim/],
  ["a cookie with =", withRule({ fromCookies: ["a=b"] }), /wanted a name of letters/],
];

for (const [what, found, why] of REFUSED) {
  Deno.test(`RequestAuthentication is refused with ${what}`, () => {
    ok(found.length > 0, "it was taken");
    match(found.join("\n"), why);
  });
}

Deno.test("RequestAuthentication's errors do not show what stands in jwks", () => {
  const found = withRule({ jwks: '{"k": "very-secret"}' }).concat(
    withRule({ jwks: { keys: [{ kty: "oct", k: "very-secret" }] } }),
    withRule({ jwks: { keys: [{ ...KEY, d: "very-secret" }] } }),
  );
  ok(found.length === 3 && !found.join("\n").includes("very-secret"), found.join("\n"));
});
