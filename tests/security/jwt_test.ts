/** Tokens of end users at a real gateway and a real sidecar, with a JWKS server that rotates and goes down. */
import assert from "node:assert/strict";
import { base64, goodClaims, ISSUER, TestKey } from "../../filters/jwt/fakes.ts";
import { type Answer, http } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh, until } from "../support/mesh.ts";

/** An issuer's web server. */
class Issuer implements AsyncDisposable {
  keys: readonly TestKey[];
  down = false;
  asked = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(...keys: TestKey[]) {
    this.keys = keys;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      this.asked++;
      if (this.down) return new Response("down", { status: 503 });
      return Response.json({ keys: this.keys.map((key) => key.jwk) });
    });
  }

  get uri(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/keys`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const MESH_CONFIG = {
  apiVersion: "denim.dev/v1",
  kind: "MeshConfig",
  metadata: { name: "default" },
  spec: { jwks: { allowedNetworks: ["127.0.0.0/8"] } },
};

function authentication(
  target: { kind: string; name: string },
  jwksUri: string,
  rule: object,
  required: boolean,
) {
  return {
    apiVersion: "denim.dev/v1",
    kind: "RequestAuthentication",
    metadata: { name: target.name },
    spec: {
      targetRefs: [target],
      required,
      jwtRules: [{ issuer: ISSUER, audiences: ["shop"], jwksUri, ...rule }],
    },
  };
}

/** A gateway that passes tokens on, and a Service behind it that wants one. */
async function meshWith(issuer: Issuer): Promise<TestMesh> {
  return await startMesh({
    services: [
      { name: "shop", app: (request) => Response.json(Object.fromEntries(request.headers)) },
      { name: "web" },
    ],
    resources: [
      MESH_CONFIG,
      meshRoute("shop", [{ backendRefs: [{ name: "shop", port: 80 }] }]),
      authentication({ kind: "Gateway", name: "edge" }, issuer.uri, {
        forwardOriginalToken: true,
      }, false),
      authentication({ kind: "Service", name: "shop" }, issuer.uri, {
        outputClaimToHeaders: [{ header: "x-user", claim: "sub" }],
      }, true),
    ],
  });
}

const claims = (over: Record<string, unknown> = {}) => goodClaims(Date.now(), over);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function result({ status, headers }: Answer): string {
  return status === 200 ? "200" : `${status} ${headers["denim-fault"]}`;
}

Deno.test("Attacks on tokens end at the gateway and at the sidecar alike", async () => {
  const key = new TestKey("ES256"), other = new TestKey("ES256");
  await using issuer = new Issuer(key);
  await using mesh = await meshWith(issuer);
  const forged = (header: object, signature: string) =>
    `${base64(JSON.stringify(header))}.${base64(JSON.stringify(claims()))}.${signature}`;
  // One row a kind of refusal; what all is refused is the table of jwt_attacks_test.ts.
  const table: [what: string, headers: Record<string, string>, wanted: string][] = [
    ["a good token", bearer(key.token(claims())), "200"],
    ["no token", {}, "401 jwt.missing"],
    ["another scheme", { authorization: "Basic YTpi" }, "401 jwt.missing"],
    ["no JWT", bearer("opaque"), "401 jwt.malformed"],
    ["alg none", bearer(forged({ alg: "none" }, "")), "401 jwt.algorithm"],
    ["a stranger's key", bearer(other.token(claims())), "401 jwt.signature"],
    ["another issuer", bearer(key.token(claims({ iss: "https://evil" }))), "401 jwt.issuer"],
    ["another audience", bearer(key.token(claims({ aud: "bank" }))), "401 jwt.audience"],
    ["an expired one", bearer(key.token(claims({ exp: 1 }))), "401 jwt.expired"],
    ["a large one", bearer(key.token(claims({ more: "x".repeat(17_000) }))), "401 jwt.too_large"],
  ];
  // Through the gateway, which judges first; and from inside, where the sidecar of the Service does.
  const ways: [way: string, url: string, host: Record<string, string>][] = [
    ["gateway", mesh.gatewayUrl, {}],
    ["sidecar", mesh.outbound("web"), { host: "shop" }],
  ];
  for (const [way, url, host] of ways) {
    for (const [what, headers, wanted] of table) {
      const answer = await http(url, { headers: { ...host, ...headers } });
      assert.equal(result(answer), wanted, `${way}: ${what}`);
      if (wanted === "200") continue;
      const challenge = String(answer.headers["www-authenticate"]);
      const missing = wanted.endsWith("missing");
      assert.match(challenge, missing ? /^Bearer realm=/ : /^Bearer error="invalid_token", /);
    }
  }

  // What the application is told: the verified subject, never what a client says; and no token.
  const told = await http(mesh.gatewayUrl, {
    headers: { "x-user": "root", x_user: "root", ...bearer(key.token(claims())) },
  });
  const seen = JSON.parse(told.body);
  assert.deepEqual([seen["x-user"], seen["x_user"], seen["authorization"]], [
    "ann",
    undefined,
    undefined,
  ]);
});

Deno.test("An AuthorizationPolicy asks for the user and the claims that a sidecar has verified", async () => {
  const key = new TestKey("EdDSA");
  await using issuer = new Issuer(key);
  await using mesh = await meshWith(issuer);
  await mesh.apply([{
    apiVersion: "denim.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "shop" },
    spec: {
      targetRefs: [{ kind: "Service", name: "shop" }],
      rules: [
        { from: [{ source: { requestPrincipals: [`${ISSUER}/ann`] } }] },
        { when: [{ key: "request.auth.claims[groups]", values: ["staff"] }] },
      ],
    },
  }]);
  const ask = async (over: Record<string, unknown>): Promise<string> =>
    result(
      await http(mesh.outbound("web"), {
        headers: { host: "shop", ...bearer(key.token(claims(over))) },
      }),
    );
  assert.equal(await ask({}), "200");
  assert.equal(await ask({ sub: "bob" }), "403 authz.denied");
  assert.equal(await ask({ sub: "bob", groups: ["staff", "night"] }), "200");
  assert.equal(await ask({ sub: "bob", groups: "staffing" }), "403 authz.denied");
  assert.equal(await ask({ sub: undefined }), "403 authz.denied");
});

Deno.test("A key that is new is taken soon, one that is withdrawn no more, and an outage changes nothing", async () => {
  const old = new TestKey("ES256", "old"), fresh = new TestKey("ES256", "fresh");
  await using issuer = new Issuer(old);
  await using mesh = await meshWith(issuer);
  const ask = async (key: TestKey): Promise<string> =>
    result(await http(mesh.gatewayUrl, { headers: bearer(key.token(claims())) }));
  assert.equal(await ask(old), "200", "the first snapshot has the keys already");

  // Nobody says that there are other keys: the first token by the new one does, by being refused.
  issuer.keys = [fresh];
  assert.match(await ask(fresh), /^401 jwt\.unknown_key$/);
  await until(async () => await ask(fresh) === "200" ? true : null, 20_000);
  await until(async () => await ask(old) === "401 jwt.unknown_key" ? true : null, 5_000);

  issuer.down = true;
  await mesh.kill("control");
  assert.equal(await ask(fresh), "200");
  const before = issuer.asked;
  await mesh.revive("control");
  await until(() => issuer.asked > before ? true : null, 10_000);
  const state = await until(async () => {
    const { keySets } = await mesh.client.get("/api/v1/key-sets") as {
      keySets: { uri: string; keys: string[]; problem: string }[];
    };
    return keySets[0]?.problem === "" ? null : keySets[0]!;
  }, 10_000);
  assert.deepEqual([state.keys, state.problem], [["fresh"], "answered 503"]);
  // A sidecar that starts now gets the last good keys too.
  await mesh.kill("shop");
  await mesh.revive("shop");
  await until(async () => await ask(fresh) === "200" ? true : null, 10_000);

  issuer.down = false;
  issuer.keys = [old];
  await until(async () => await ask(old) === "200" ? true : null, 20_000);
});

Deno.test("A rule whose keys cannot be fetched refuses without blame; one for a private place is not taken", async () => {
  const key = new TestKey("ES256");
  await using issuer = new Issuer(key);
  issuer.down = true;
  await using mesh = await meshWith(issuer);
  const ask = () => http(mesh.gatewayUrl, { headers: bearer(key.token(claims())) });
  assert.equal(result(await ask()), "503 jwt.no_keys");
  issuer.down = false;
  await until(async () => (await ask()).status === 200 ? true : null, 15_000);

  await assert.rejects(
    mesh.apply([
      authentication(
        { kind: "Service", name: "web" },
        "http://169.254.169.254/latest/meta-data",
        {},
        true,
      ),
    ]),
    /leads to 169\.254\.169\.254, which is no public address/,
  );
});
