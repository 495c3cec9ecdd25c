/** Ways to be a user one is not: tokens that were never given, tried at a running sidecar that wants one. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { TestDomain } from "../support/ca.ts";
import { Attacker } from "./attacker.ts";
import { shownBy } from "./bad_svids.ts";
import { SECRET, Sidecar, VICTIM } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = (key: KeyObject, kid: string, alg: string) => ({
  ...key.export({ format: "jwk" }),
  kid,
  alg,
  use: "sig",
});
const jwks = { keys: [jwk(ec.publicKey, "ec", "ES256"), jwk(rsa.publicKey, "rsa", "RS256")] };

const RESOURCES = `${VICTIM}
apiVersion: denim.dev/v1
kind: RequestAuthentication
metadata: { name: users }
spec:
  targetRefs: [{ kind: Service, name: victim }]
  jwtRules:
    - { issuer: "https://issuer.example", audiences: [victim], jwks: ${JSON.stringify(jwks)} }
  required: true
`;

const nowSeconds = Math.floor(Date.now() / 1000);
const GOOD = { iss: "https://issuer.example", sub: "alice", aud: "victim", exp: nowSeconds + 600 };
const HEADER = { alg: "ES256", kid: "ec", typ: "JWT" };

const encoded = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

interface Parts {
  readonly header?: unknown;
  readonly claims?: unknown;
  readonly by?: KeyObject;
  readonly signature?: (signed: Buffer) => Uint8Array;
}

/** A token that is a good one but for what is given. A string stands for the JSON text itself. */
function token(
  { header = HEADER, claims = GOOD, by = ec.privateKey, signature }: Parts = {},
): string {
  const signed = Buffer.from(`${encoded(header)}.${encoded(claims)}`);
  const bytes = signature?.(signed) ??
    sign(
      "sha256",
      signed,
      by.asymmetricKeyType === "rsa" ? by : { key: by, dsaEncoding: "ieee-p1363" },
    );
  return `${signed}.${Buffer.from(bytes).toString("base64url")}`;
}

const without = (name: keyof typeof GOOD): object => {
  const { [name]: _, ...rest } = GOOD;
  return rest;
};
const pem = String(rsa.publicKey.export({ format: "pem", type: "spki" }));
const hmac = (secret: string) => (signed: Buffer): Uint8Array =>
  createHmac("sha256", secret).update(signed).digest();
const [head, payload, tail] = token().split(".") as [string, string, string];

/** All are refused with 401, but for what says otherwise. */
const ATTACKS: readonly [attack: string, anchor: string, token: string][] = [
  [
    "alg none",
    "CVE-2015-9235",
    token({ header: { alg: "none" }, signature: () => new Uint8Array(0) }),
  ],
  [
    "alg NONE",
    "CVE-2015-9235",
    token({ header: { alg: "NONE" }, signature: () => new Uint8Array(0) }),
  ],
  ["no signature", "CVE-2015-9235", `${head}.${payload}.`],
  ["two parts", "RFC 7515 7.1", `${head}.${payload}`],
  [
    "the public key as an HMAC secret",
    "CVE-2016-10555",
    token({
      header: { alg: "HS256", kid: "rsa" },
      signature: hmac(pem),
    }),
  ],
  [
    "the same with the key's JWK",
    "CVE-2016-10555",
    token({
      header: { alg: "HS256", kid: "rsa" },
      signature: hmac(String(jwks.keys[1]!.n)),
    }),
  ],
  [
    "an algorithm of another type than the key",
    "RFC 8725 3.1",
    token({ header: { alg: "RS256", kid: "ec" } }),
  ],
  ["ES384 with a key of P-256", "RFC 7518 3.4", token({ header: { alg: "ES384", kid: "ec" } })],
  ["a signature of zeros", "CVE-2022-21449", token({ signature: () => new Uint8Array(64) })],
  [
    "a signature in DER",
    "RFC 7518 3.4",
    token({ signature: (signed) => sign("sha256", signed, ec.privateKey) }),
  ],
  ["somebody else's key under the known name", "RFC 7515 10.6", token({ by: other.privateKey })],
  [
    "a key in the token itself",
    "CVE-2018-0114",
    token({
      header: { ...HEADER, jwk: other.publicKey.export({ format: "jwk" }) },
      by: other.privateKey,
    }),
  ],
  [
    "a URL of keys in the token",
    "RFC 7515 4.1.2",
    token({
      header: { ...HEADER, jku: "http://127.0.0.1:1/keys" },
      by: other.privateKey,
    }),
  ],
  [
    "a URL of certificates in the token",
    "RFC 7515 4.1.5",
    token({
      header: { ...HEADER, x5u: "http://127.0.0.1:1/keys" },
      by: other.privateKey,
    }),
  ],
  [
    "a key's name that is a path",
    "kid injection",
    token({
      header: { alg: "HS256", kid: "../../../dev/null" },
      signature: hmac(""),
    }),
  ],
  [
    "a key's name that is a query",
    "kid injection",
    token({ header: { ...HEADER, kid: "' OR 1=1 --" } }),
  ],
  ["a critical extension", "RFC 7515 4.1.11", token({ header: { ...HEADER, crit: ["x"], x: 1 } })],
  [
    "a payload that is not encoded",
    "RFC 7797",
    token({ header: { ...HEADER, b64: false, crit: ["b64"] } }),
  ],
  [
    "another payload under the signature",
    "",
    `${head}.${encoded({ ...GOOD, sub: "root" })}.${tail}`,
  ],
  [
    "another header under the signature",
    "",
    `${encoded({ ...HEADER, typ: "x" })}.${payload}.${tail}`,
  ],
  ["padding", "RFC 7515 2", `${head}.${payload}.${tail}==`],
  ["the other alphabet", "RFC 7515 2", `${head}.${payload}.${tail.slice(0, -4)}+/+/`],
  [
    "bits that mean nothing in the last character",
    "RFC 4648 3.5",
    `${head}.${payload}.${tail.slice(0, -1)}${
      String.fromCharCode(tail.charCodeAt(tail.length - 1) + 1)
    }`,
  ],
  ["five parts", "RFC 7516: an encrypted one", `${head}.${payload}.${tail}.x.y`],
  ["expired", "RFC 7519 4.1.4", token({ claims: { ...GOOD, exp: nowSeconds - 120 } })],
  ["no end", "RFC 7519 4.1.4", token({ claims: without("exp") })],
  [
    "an end that is no number",
    "RFC 7519 2",
    token({ claims: { ...GOOD, exp: `${nowSeconds + 600}` } }),
  ],
  ["not yet begun", "RFC 7519 4.1.5", token({ claims: { ...GOOD, nbf: nowSeconds + 600 } })],
  ["for another audience", "RFC 7519 4.1.3", token({ claims: { ...GOOD, aud: "other" } })],
  [
    "for an audience that begins alike",
    "RFC 7519 4.1.3",
    token({ claims: { ...GOOD, aud: "victimx" } }),
  ],
  ["for nobody", "RFC 8725 3.9", token({ claims: without("aud") })],
  [
    "by another issuer",
    "RFC 8725 3.8",
    token({ claims: { ...GOOD, iss: "https://issuer.example/" } }),
  ],
  ["by nobody", "RFC 8725 3.8", token({ claims: without("iss") })],
  [
    "a claim given twice",
    "RFC 8725 2.4",
    token({
      claims: JSON.stringify(GOOD).replace("{", '{"sub":"root",'),
    }),
  ],
  ["claims that are a list", "RFC 7519 7.2", token({ claims: [GOOD] })],
  ["20 KB", "size", token({ claims: { ...GOOD, x: "x".repeat(20_000) } })],
  [
    "nesting",
    "depth",
    token({
      claims: JSON.stringify(GOOD).replace("{", `{"x":${"[".repeat(3000)}${"]".repeat(3000)},`),
    }),
  ],
];

Deno.test("A token that was never given makes nobody a user", async (t) => {
  await using sidecar = await Sidecar.start(domain, { resources: RESOURCES });
  await using attacker = Attacker.start();
  const svid = shownBy(domain.issue("web"));
  const ask = async (...lines: string[]): Promise<string> => {
    const send = ["GET / HTTP/1.1", "host: victim", ...lines, "connection: close", "", ""];
    return (await attacker.attack({ port: sidecar.port(), send: send.join("\r\n"), ...svid })).data;
  };
  const bearer = (text: string): string => `authorization: Bearer ${text}`;
  for (const [attack, anchor, text] of ATTACKS) {
    await t.step(`401: ${attack}${anchor === "" ? "" : ` (${anchor})`}`, async () => {
      const data = await ask(bearer(text));
      assert.match(data, /^HTTP\/1\.1 401 /);
      assert.ok(!data.includes(text), "a token is not told back");
    });
  }
  const refused: readonly [what: string, status: number, lines: string[]][] = [
    ["none", 401, []],
    ["another scheme", 401, [`authorization: Basic ${token()}`]],
    ["two, the second bad", 400, [bearer(token()), bearer("x.y.z")]],
    ["two, both good", 400, [bearer(token()), bearer(token())]],
  ];
  for (const [what, status, lines] of refused) {
    await t.step(`${status}: ${what}`, async () => {
      assert.ok((await ask(...lines)).startsWith(`HTTP/1.1 ${status} `));
    });
  }
  assert.equal(sidecar.requests, 0);
  await t.step("let in: good ones, by either key", async () => {
    assert.ok((await ask(bearer(token()))).includes(SECRET));
    const byRsa = token({ header: { alg: "RS256", kid: "rsa" }, by: rsa.privateKey });
    assert.ok((await ask(bearer(byRsa))).includes(SECRET));
  });
  await t.step("no token is in the log", () => {
    const log = JSON.stringify(sidecar.log);
    for (const [, , text] of ATTACKS) assert.ok(!log.includes(text.slice(0, 200)));
  });
});
