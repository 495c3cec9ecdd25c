/** Who may call the control plane: from where, under which name, with which token. */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { silentLog } from "../core/log.ts";
import { toResponse } from "./api/errors.ts";
import { adminToken, type ApiEnv, auth, type AuthOptions } from "./auth.ts";

const TOKEN = `denim-admin-${"a".repeat(43)}`;

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly from?: string;
  readonly token?: string;
}

async function status(call: Call, options: Partial<AuthOptions> = {}): Promise<number> {
  const app = new Hono<ApiEnv>();
  app.onError((error, c) => toResponse(c, error, silentLog));
  app.use(auth({ adminToken: TOKEN, hosts: [], openReads: false, ...options }));
  app.all("*", (c) => c.text("in"));
  const { method = "GET", path = "/x", host = "127.0.0.1:7000", from = "127.0.0.1", token } = call;
  const headers = { host, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const request = new Request(`http://placeholder${path}`, { method, headers });
  return (await app.fetch(request, { remoteAddress: from })).status;
}

Deno.test("auth lets everybody on this machine read, and the token do the rest", async () => {
  assert.equal(await status({}), 200);
  assert.equal(await status({ from: "::1" }), 200);
  assert.equal(await status({ from: "::ffff:127.0.0.1" }), 200);
  assert.equal(await status({ from: "10.0.0.9" }), 401);
  assert.equal(await status({ from: "10.0.0.9", token: TOKEN }), 200);
  assert.equal(await status({ from: "10.0.0.9" }, { openReads: true }), 200);
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    assert.equal(await status({ method }), 401, method);
    assert.equal(await status({ method }, { openReads: true }), 401, method);
    assert.equal(await status({ method, token: TOKEN }), 200, method);
  }
});

Deno.test("auth takes the whole token and nothing like it", async () => {
  for (
    const token of ["", "x", TOKEN.slice(0, -1), `${TOKEN}a`, TOKEN.toUpperCase(), `${TOKEN},`]
  ) {
    assert.equal(await status({ method: "POST", token }), 401, token);
  }
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
  assert.equal(await status({ host: "mesh.internal" }, { hosts: ["Mesh.Internal"] }), 200);
});

Deno.test("auth lets supervisors probe by any name", async () => {
  assert.equal(await status({ host: "10.1.2.3:7000", from: "10.1.2.1", path: "/healthz" }), 200);
  assert.equal(await status({ host: "10.1.2.3:7000", from: "10.1.2.1", path: "/readyz" }), 200);
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
