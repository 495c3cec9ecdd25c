/** Who may call the control plane: from where, under which name, with which token. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { silentLog } from "../core/log.ts";
import { isRole } from "./access/roles.ts";
import { toResponse } from "./api/errors.ts";
import { adminToken, type ApiEnv, auth, type AuthOptions } from "./auth.ts";

const TOKEN = `denim-admin-${"a".repeat(43)}`;

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly from?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Tokens are named after their role. */
const tokens: AuthOptions["tokens"] = {
  check: (token) =>
    Promise.resolve(
      isRole(token) ? { name: `${token}-1`, proof: "token", roles: [token] } : null,
    ),
};

async function status(call: Call, options: Partial<AuthOptions> = {}): Promise<number> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => toResponse(c, error, silentLog));
  app.use(auth({ adminToken: TOKEN, hosts: [], reads: "local", tokens, ...options }));
  for (const path of ["/healthz", "/readyz", "/", "/api/v1/resources"]) {
    app.get(path, (c) => c.text(c.var.principal?.name ?? "in"));
  }
  app.post("/api/v1/apply", (c) => c.text("in"));
  app.post("/api/v1/filters", (c) => c.text("in"));
  app.get("/forgotten", (c) => c.text("in"));
  const { method = "GET", path = "/api/v1/resources", host = "127.0.0.1:7000" } = call;
  const { from = "127.0.0.1", token } = call;
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const headers = { host, ...authorization, ...call.headers };
  const request = new Request(`http://placeholder${path}`, { method, headers });
  return (await app.fetch(request, { remoteAddress: from })).status;
}

Deno.test("auth lets everybody on this machine read, and a token do what its role may", async () => {
  assert.equal(await status({}), 200);
  assert.equal(await status({ from: "::1" }), 200);
  assert.equal(await status({ from: "::ffff:127.0.0.1" }), 200);
  assert.equal(await status({ from: "10.0.0.9" }), 401);
  assert.equal(await status({ from: "10.0.0.9", token: TOKEN }), 200);
  assert.equal(await status({ from: "10.0.0.9", token: "viewer" }), 200);
  assert.equal(await status({ from: "10.0.0.9" }, { reads: "open" }), 200);
  assert.equal(await status({}, { reads: "closed" }), 401);
  assert.equal(await status({ token: "viewer" }, { reads: "closed" }), 200);
  const apply = { method: "POST", path: "/api/v1/apply" };
  const push = { method: "POST", path: "/api/v1/filters" };
  const may = {
    viewer: [403, 403],
    operator: [200, 403],
    publisher: [403, 200],
    admin: [200, 200],
  };
  for (const [token, wanted] of Object.entries(may)) {
    const got = [await status({ ...apply, token }), await status({ ...push, token })];
    assert.deepEqual(got, wanted, token);
  }
  for (const options of [{}, { reads: "open" as const }]) {
    assert.equal(await status(apply, options), 401);
    assert.equal(await status({ ...apply, token: TOKEN }, options), 200);
  }
});

Deno.test("auth takes the whole token and nothing like it, also where none is wanted", async () => {
  for (const token of ["x", TOKEN.slice(0, -1), `${TOKEN}a`, TOKEN.toUpperCase(), `${TOKEN},`]) {
    assert.equal(await status({ method: "POST", path: "/api/v1/apply", token }), 401, token);
    assert.equal(await status({ token }), 401, token);
  }
});

Deno.test("auth keeps a route that nobody gave a role for admins", async () => {
  assert.equal(await status({ path: "/forgotten" }), 401);
  assert.equal(await status({ path: "/forgotten", token: "operator" }), 403);
  assert.equal(await status({ path: "/forgotten", token: "admin" }), 200);
  assert.equal(await status({ path: "/nothing" }), 404);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    assert.equal(await status({ method, path: "/nothing" }), 401, method);
    assert.equal(await status({ method, path: "/nothing", token: "operator" }), 403, method);
    assert.equal(await status({ method, path: "/nothing", token: TOKEN }), 404, method);
  }
});

Deno.test("auth takes nobody for local whom a reverse proxy on this machine speaks for", async () => {
  for (const name of ["forwarded", "x-forwarded-for", "x-real-ip", "via"]) {
    assert.equal(await status({ headers: { [name]: "10.0.0.9" } }), 401, name);
  }
  const hosts = ["mesh.internal"];
  assert.equal(await status({ host: "mesh.internal" }, { hosts }), 401);
  assert.equal(await status({ host: "mesh.internal", token: "viewer" }, { hosts }), 200);
});

Deno.test("auth answers to its own names only, so that no page elsewhere can reach it", async () => {
  for (const host of ["localhost:7000", "LOCALHOST", "[::1]:7000", "127.0.0.1"]) {
    assert.equal(await status({ host }), 200, host);
  }
  for (
    const host of ["evil.example", "evil.example:7000", "localhost.evil.example", "127.0.0.1.x"]
  ) {
    assert.equal(await status({ host, token: TOKEN }), 403, host);
  }
  const hosts = ["Mesh.Internal"];
  assert.equal(await status({ host: "mesh.internal", token: TOKEN }, { hosts }), 200);
});

Deno.test("auth lets supervisors probe by any name", async () => {
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal(await status({ host: "10.1.2.3:7000", from: "10.1.2.1", path }), 200);
  }
});

Deno.test("adminToken is made once, for its owner alone, and a file others can read is refused", async () => {
  const dir = await Deno.makeTempDir();
  const file = `${dir}/admin.token`;
  const token = await adminToken(file);
  assert.match(token, /^denim-admin-[\w-]{43}$/);
  assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
  assert.equal(await adminToken(file), token);
  await Deno.chmod(file, 0o644);
  await assert.rejects(adminToken(file), /chmod 600/);
  await Deno.chmod(file, 0o600);
  await Deno.writeTextFile(file, "short");
  await assert.rejects(adminToken(file), /Remove it/);
  await Deno.remove(dir, { recursive: true });
});
