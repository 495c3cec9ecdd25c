/** Another issuer's tokens at a running control plane, and browsers that it signs in: what is believed and what is not. */
import assert from "node:assert/strict";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from "jose";
import { ControlProcess } from "../support/control.ts";
import { TestIssuer } from "../support/issuer.ts";

const CLIENT = { clientId: "denim-pages", clientSecret: "the-client-secret" };
const GOOD = { sub: "ann", aud: "denim", groups: ["mesh-ops"] };
const service = {
  apiVersion: "denim.dev/v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { ports: [{ port: 80 }] },
};

interface Stage extends AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly control: ControlProcess;
}

async function start(over: Readonly<Record<string, unknown>> = {}): Promise<Stage> {
  const issuer = await TestIssuer.start(CLIENT);
  const dir = await Deno.makeTempDir({ prefix: "denim-oidc-" });
  await Deno.writeTextFile(`${dir}/secret`, `${CLIENT.clientSecret}\n`, { mode: 0o600 });
  const config = {
    issuer: issuer.url,
    audience: "denim",
    roles: { "mesh-ops": "operator", "mesh-admins": "admin", "filter-authors": "publisher" },
    login: {
      clientId: CLIENT.clientId,
      clientSecretFile: `${dir}/secret`,
      url: "http://localhost",
    },
    ...over,
  };
  await Deno.writeTextFile(`${dir}/oidc.yaml`, JSON.stringify(config));
  const control = await ControlProcess.start("--oidc", `${dir}/oidc.yaml`);
  return {
    issuer,
    control,
    async [Symbol.asyncDispose]() {
      await control[Symbol.asyncDispose]();
      await issuer[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function call(control: ControlProcess, token: string, method = "GET"): Promise<string> {
  const path = method === "GET" ? "/api/v1/services" : "/api/v1/apply";
  const body = method === "GET" ? undefined : { resources: [service] };
  const headers = { authorization: token === "" ? "" : `Bearer ${token}` };
  const answer = await control.call(method, path, body, headers);
  return `${answer.status} ${answer.body.error?.code ?? ""}`.trim();
}

Deno.test("A token of the issuer has the roles that its claims are mapped to", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  const as = async (groups: unknown, method: string) =>
    await call(control, await issuer.sign({ ...GOOD, groups } as JWTPayload), method);
  assert.equal(await call(control, ""), "401 unauthorized", "reads are closed with an issuer");
  assert.equal(await as(["mesh-ops"], "GET"), "200");
  assert.equal(await as(["mesh-ops", "else"], "POST"), "200");
  assert.equal(await as("mesh-ops", "POST"), "200");
  assert.equal(await as(["filter-authors"], "POST"), "403 forbidden");
  for (
    const groups of [[], ["else"], ["operator"], undefined, 7, { "mesh-ops": true }, ["__proto__"]]
  ) {
    assert.equal(await as(groups, "GET"), "403 forbidden", JSON.stringify(groups));
  }
  const { body } = await control.call("GET", "/api/v1/revisions");
  assert.equal(body.revisions[0].author, "ann");
  const { body: { entries } } = await control.call("GET", "/api/v1/audit?limit=1&result=refused");
  assert.deepEqual([entries[0].who, entries[0].proof], ["ann", "oidc"]);
});

Deno.test("Roles and names come from the claims that are configured, however deep", async () => {
  await using stage = await start({ roleClaim: "realm_access.roles", nameClaim: "email" });
  const { issuer, control } = stage;
  const claims = {
    sub: "u-1",
    aud: "denim",
    realm_access: { roles: ["mesh-ops"] },
    email: "ann@x.test",
  };
  const author = async (over: JWTPayload): Promise<string> => {
    const token = await issuer.sign({ ...claims, ...over });
    const labels = { made: crypto.randomUUID().slice(0, 8) };
    const changed = { ...service, metadata: { name: "web", labels } };
    const answer = await control.call("POST", "/api/v1/apply", { resources: [changed] }, {
      authorization: `Bearer ${token}`,
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return (await control.call("GET", "/api/v1/revisions?limit=1")).body.revisions[0].author;
  };
  assert.equal(await author({}), "ann@x.test");
  assert.equal(
    await author({ email_verified: false }),
    "u-1",
    "an address nobody checked is no name",
  );
});

Deno.test("Tokens that are forged, over, or for somebody else are refused", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  assert.equal(await call(control, await issuer.sign(GOOD)), "200");
  const nowSeconds = Math.floor(Date.now() / 1000);
  const [head, payload, signature] = (await issuer.sign(GOOD)).split(".");
  const forged = new TextEncoder().encode(JSON.stringify({
    ...GOOD,
    iss: issuer.url,
    exp: nowSeconds + 300,
    groups: ["mesh-admins"],
  })).toBase64({ alphabet: "base64url", omitPadding: true });
  const stranger = await generateKeyPair("RS256");
  const publicKey = new TextEncoder().encode(JSON.stringify(issuer.keySet().keys[0]));
  const claims = { ...GOOD, iss: issuer.url, exp: nowSeconds + 300 };
  const kid = JSON.parse(atob(head!)).kid;
  const embedded = await exportJWK(stranger.publicKey);
  assert.equal(
    await call(control, issuer.signRaw({}, GOOD)),
    "200",
    "that is how it signs by hand",
  );
  const cases: Readonly<Record<string, string>> = {
    "another payload": `${head}.${forged}.${signature}`,
    "no signature": `${head}.${payload}.`,
    "algorithm none": new UnsecuredJWT(claims).encode(),
    "a stranger's key": await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid })
      .sign(stranger.privateKey),
    "a stranger's key, shown in the token": await new SignJWT(claims)
      .setProtectedHeader({ alg: "RS256", jwk: embedded, kid }).sign(stranger.privateKey),
    "the public key as a shared secret": await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid }).sign(publicKey),
    "a critical header nobody knows": issuer.signRaw({ crit: ["x"], x: 1 }, GOOD),
    "a payload that is not encoded": issuer.signRaw({ crit: ["b64"], b64: false }, GOOD),
    "another audience": await issuer.sign({ ...GOOD, aud: "other" }),
    "no audience": await issuer.sign({ sub: "ann", groups: ["mesh-ops"] }),
    "another issuer": await issuer.sign({ ...GOOD, iss: "https://evil.example" }),
    "no subject": await issuer.sign({ aud: "denim", groups: ["mesh-ops"] }),
    "not yet": await issuer.sign({ ...GOOD, nbf: nowSeconds + 120 }),
    "too long": `eyJ${"a".repeat(20_000)}.b.c`,
    "nonsense": "eyJhbGciOiJSUzI1NiJ9.x.y",
  };
  for (const [what, token] of Object.entries(cases)) {
    assert.equal(await call(control, token), "401 token_bad", what);
  }
  const over = await issuer.sign({ ...GOOD, exp: nowSeconds - 31 });
  assert.equal(await call(control, over), "401 token_expired");
  const logs = control.logs().join("\n");
  for (const token of Object.values(cases)) assert.ok(!logs.includes(token.slice(0, 200)));
});

Deno.test("Keys are asked for seldom, again when a new one is named, and the last good ones are kept", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  issuer.isUp = false;
  assert.equal(await call(control, await issuer.sign(GOOD)), "503 token_unavailable");
  issuer.isUp = true;
  await control.restart();
  for (let n = 0; n < 5; n++) assert.equal(await call(control, await issuer.sign(GOOD)), "200");
  assert.equal(issuer.keysAsked, 1);
  issuer.isUp = false;
  assert.equal(await call(control, await issuer.sign(GOOD)), "200", "the last good ones");
  const stranger = await issuer.sign(GOOD, { kid: "unheard-of" });
  for (let n = 0; n < 5; n++) assert.equal(await call(control, stranger), "401 token_bad");
  assert.equal(issuer.keysAsked, 1, "strangers make nobody ask");
});

/** A browser as far as signing in goes: follows redirects one by one and keeps cookies by host. */
class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #control: ControlProcess;

  constructor(control: ControlProcess) {
    this.#control = control;
  }

  /** What the address bar says first and last; the page. */
  async open(
    path: string,
  ): Promise<{ status: number; text: string; headers: Headers; path: string }> {
    let url = path.startsWith("http") ? path : `${this.#control.url}${path}`;
    for (let hops = 0; hops < 6; hops++) {
      const answer = await this.send(url);
      const to = answer.headers.get("location");
      const text = await answer.text();
      if (to === null) {
        const { status, headers } = answer;
        return { status, text, headers, path: new URL(url).pathname };
      }
      url = this.#meant(new URL(to, url).href);
    }
    throw new Error("It redirects for ever");
  }

  async send(url: string, init: RequestInit = {}): Promise<Response> {
    const isOurs = url.startsWith(this.#control.url);
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { accept: "text/html", ...(isOurs ? { cookie } : {}), ...init.headers };
    const answer = await fetch(url, { redirect: "manual", ...init, headers });
    for (const set of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set)!;
      if (/max-age=0/i.test(set)) this.#cookies.delete(name!);
      else this.#cookies.set(name!, value!);
    }
    return answer;
  }

  cookie(name: string): string | undefined {
    return this.#cookies.get(name);
  }

  /** The control plane took a free port, which its configuration could not know. */
  #meant(url: string): string {
    return url.replace(/^http:\/\/localhost(?=\/)/, this.#control.url);
  }
}

Deno.test("A browser is signed in by code and PKCE, sees what its roles allow, and signs out", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  issuer.person = { sub: "ann", groups: ["mesh-ops"] };
  const browser = new Browser(control);
  const page = await browser.open("/filters");
  assert.deepEqual([page.status, page.path], [200, "/filters"], page.text.slice(0, 300));
  assert.match(page.text, /ann <small>operator<\/small>/);
  assert.ok(!page.text.includes('href="/audit"'));
  const audit = await browser.open("/audit");
  assert.deepEqual([audit.status, /has the role operator/.test(audit.text)], [403, true]);

  const csrf = /name="denim-csrf" content="([^"]+)"/.exec(page.text)![1]!;
  const apply = async (headers: Record<string, string>): Promise<number> => {
    const answer = await browser.send(`${control.url}/api/v1/apply`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ resources: [service] }),
    });
    await answer.body?.cancel();
    return answer.status;
  };
  assert.equal(await apply({}), 403, "a page elsewhere has the cookie sent and cannot say more");
  assert.equal(await apply({ "x-denim-csrf": "guess" }), 403);
  assert.equal(await apply({ "x-denim-csrf": csrf, origin: "https://evil.example" }), 403);
  assert.equal(await apply({ "x-denim-csrf": csrf, origin: "http://localhost" }), 200);

  const logout = async (body: string): Promise<number> => {
    const answer = await browser.send(`${control.url}/logout`, { method: "POST", body });
    await answer.body?.cancel();
    return answer.status;
  };
  const session = browser.cookie("denim-session")!;
  assert.equal(await logout("csrf=guess"), 403);
  assert.equal(await logout(`csrf=${csrf}`), 303);
  assert.equal(browser.cookie("denim-session"), undefined);
  const old = await fetch(`${control.url}/api/v1/services`, {
    headers: { cookie: `denim-session=${session}` },
  });
  await old.body?.cancel();
  assert.equal(old.status, 401, "the cookie of before opens nothing");
});

Deno.test("Admins see the audit log as a page; who has no role is told so", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  issuer.person = { sub: "root", groups: ["mesh-admins"] };
  await control.apply(service);
  const admin = await new Browser(control).open("/audit");
  assert.equal(admin.status, 200);
  assert.match(admin.text, /POST \/apply[^]*Service default\/web created/);
  issuer.person = { sub: "bob" };
  const nobody = await new Browser(control).open("/");
  assert.equal(nobody.status, 403);
  assert.match(
    nobody.text,
    /&quot;bob&quot; is signed in at the issuer, but no claim gives a role here/,
  );
});

Deno.test("The session cookie is for the browser alone", async () => {
  await using stage = await start();
  const { control } = stage;
  const begun = await fetch(`${control.url}/login?to=//evil.example`, { redirect: "manual" });
  await begun.body?.cancel();
  const [cookie] = begun.headers.getSetCookie();
  assert.match(cookie!, /^denim-login=[\w-]{43};.*HttpOnly.*SameSite=Lax/i);
  const url = new URL(begun.headers.get("location")!);
  assert.equal(url.searchParams.get("code_challenge_method"), "S256");
  assert.equal(url.searchParams.get("redirect_uri"), "http://localhost/login/callback");
});

Deno.test("A sign-in that another browser began, or whose answer was changed, ends nowhere", async () => {
  await using stage = await start();
  const { issuer, control } = stage;
  issuer.person = { sub: "ann", groups: ["mesh-ops"] };
  const begin = async (browser: Browser): Promise<string> => {
    const begun = await browser.send(`${control.url}/login?to=//evil.example`);
    await begun.body?.cancel();
    const answered = await fetch(begun.headers.get("location")!, { redirect: "manual" });
    await answered.body?.cancel();
    return new URL(answered.headers.get("location")!).search;
  };
  const end = async (browser: Browser, query: string): Promise<[number, string]> => {
    const answer = await browser.send(`${control.url}/login/callback${query}`);
    await answer.body?.cancel();
    return [answer.status, answer.headers.get("location") ?? ""];
  };
  const victim = new Browser(control), attacker = new Browser(control);
  const answer = await begin(attacker);
  assert.deepEqual(await end(victim, answer), [400, ""], "login CSRF");
  await begin(victim);
  assert.deepEqual(await end(victim, answer), [400, ""], "the other's state beside an own cookie");
  const own = new Browser(control);
  const query = await begin(own);
  assert.deepEqual(await end(own, `${query}&iss=https://evil.example`), [400, ""]);
  assert.deepEqual(await end(own, query), [400, ""], "once");

  const tampered: Readonly<Record<string, (claims: JWTPayload) => JWTPayload>> = {
    nonce: (claims) => ({ ...claims, nonce: "another" }),
    audience: (claims) => ({ ...claims, aud: "denim" }),
    azp: (claims) => ({ ...claims, azp: "another" }),
    expiry: (claims) => ({ ...claims, exp: 1 }),
  };
  for (const [what, tamper] of Object.entries(tampered)) {
    issuer.tamper = tamper;
    const browser = new Browser(control);
    assert.deepEqual(await end(browser, await begin(browser)), [502, ""], what);
    assert.equal(browser.cookie("denim-session"), undefined, what);
  }
  issuer.tamper = (claims) => claims;
  const good = new Browser(control);
  assert.deepEqual(await end(good, await begin(good)), [302, "/"], "and to no page elsewhere");
});

Deno.test("A configuration that would believe too much is refused with its field", async () => {
  const dir = await Deno.makeTempDir({ prefix: "denim-oidc-" });
  const base = { issuer: "https://login.test", audience: "denim", roles: { ops: "operator" } };
  const cases: readonly [unknown, RegExp][] = [
    [{ ...base, issuer: "http://login.test" }, /issuer is "http:\/\/login\.test", wanted https/],
    [{ ...base, audience: undefined }, /audience/],
    [{ ...base, roles: { ops: "root" } }, /roles\.ops/],
    [{ ...base, roles: {} }, /roles .*at least one/],
    [{ ...base, audiences: ["x"] }, /audiences/],
  ];
  const file = `${dir}/oidc.yaml`;
  const { readOidcConfig } = await import("../../control/oidc/mod.ts");
  for (const [config, message] of cases) {
    await Deno.writeTextFile(file, JSON.stringify(config));
    await assert.rejects(readOidcConfig(file), message);
  }
  await Deno.remove(dir, { recursive: true });
});
