/** Every call of the API against every role, as the running control plane decides and as we say here. */
import assert from "node:assert/strict";
import { ROLES } from "../../control/access/roles.ts";
import { ControlProcess } from "../support/control.ts";

const ALL = ["viewer", "operator", "publisher", "admin"];
/** Who may do what is not for every viewer to do; what is not here must be a read. */
const NARROWER: Readonly<Record<string, readonly string[]>> = {
  "post /apply": ["operator", "admin"],
  "post /rollback": ["operator", "admin"],
  "delete /resources/{kind}/{namespace}/{name}": ["operator", "admin"],
  "post /tokens": ["operator", "admin"],
  "post /revocations": ["operator", "admin"],
  "post /revocations/undo": ["admin"],
  "post /filters": ["publisher", "admin"],
  "post /publishers": ["publisher", "admin"],
  "post /ca/rotation": ["admin"],
  "post /ca/rotation/abort": ["admin"],
  "post /ca/rotation/force": ["admin"],
  "get /access-tokens": ["admin"],
  "get /audit": ["admin"],
  "get /audit/certs": ["operator", "admin"],
  "get /traps": ["operator", "admin"],
  "post /access-tokens": ["admin"],
  "delete /access-tokens/{id}": ["admin"],
};

/** Values for `{name}` in a path that are of the right form and name nothing. */
const VALUES: Readonly<Record<string, string>> = {
  digest: `sha256:${"0".repeat(64)}`,
  revision: "0",
};

interface Document {
  readonly paths: Record<string, Record<string, { "x-denim-roles": readonly string[] }>>;
}

async function tokenOf(control: ControlProcess, role: string): Promise<string> {
  const body = { name: `the-${role}`, role };
  const answer = await control.call("POST", "/api/v1/access-tokens", body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
  return answer.body.token;
}

Deno.test("Every call of the API is open to the roles that the document names, and to no other", async () => {
  await using control = await ControlProcess.start("--closed-reads");
  const document: Document = (await control.call("GET", "/api/v1/openapi.json")).body;
  const tokens = new Map<string, string>();
  for (const role of ROLES) tokens.set(role, await tokenOf(control, role));
  const named = new Set<string>();
  let asked = 0;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, { "x-denim-roles": roles }] of Object.entries(methods)) {
      const call = `${method} ${path}`;
      named.add(call);
      const wanted = NARROWER[call] ?? (method === "get" ? ALL : []);
      assert.deepEqual(roles, wanted, `${call}: say in this test who may`);
      const place = path.replace(/\{(\w+)\}/g, (_, name) => VALUES[name] ?? "nothing");
      const status = async (authorization: string): Promise<number> => {
        const answer = await fetch(`${control.url}/api/v1${place}`, {
          method: method.toUpperCase(),
          headers: { authorization, "content-type": "application/json" },
          ...(method === "post" ? { body: "{}" } : {}),
        });
        await answer.body?.cancel();
        asked++;
        return answer.status;
      };
      assert.equal(await status(""), 401, `${call} without a token`);
      for (const [role, token] of tokens) {
        const got = await status(`Bearer ${token}`);
        if (wanted.includes(role)) {
          assert.ok(got !== 401 && got !== 403, `${call} as ${role}: ${got}`);
        } else assert.equal(got, 403, `${call} as ${role}`);
      }
    }
  }
  assert.ok(asked >= 100, `${asked} calls`);
  assert.deepEqual(Object.keys(NARROWER).filter((call) => !named.has(call)), []);
});

Deno.test("A page is for those who may read, and its style for everybody", async () => {
  await using control = await ControlProcess.start("--closed-reads");
  const viewer = await tokenOf(control, "viewer");
  const open = async (path: string, authorization: string): Promise<Response> =>
    await fetch(`${control.url}${path}`, { headers: { authorization } });
  for (const path of ["/", "/filters", "/filters/a/b"]) {
    const refused = await open(path, "");
    await refused.body?.cancel();
    assert.equal(refused.status, 401, path);
    const shown = await open(path, `Bearer ${viewer}`);
    await shown.body?.cancel();
    assert.ok([200, 404].includes(shown.status), path);
  }
  const page = await (await open("/", `Bearer ${viewer}`)).text();
  for (const [, asset] of page.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)) {
    const answer = await open(asset!, "");
    await answer.body?.cancel();
    assert.equal(answer.status, 200, asset);
  }
});

Deno.test("Operators change the mesh in their own name, and give themselves no more rights", async () => {
  await using control = await ControlProcess.start();
  const operator = { authorization: `Bearer ${await tokenOf(control, "operator")}` };
  const service = {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { ports: [{ port: 80 }] },
  };
  const body = { resources: [service], author: "somebody-else" };
  assert.equal((await control.call("POST", "/api/v1/apply", body, operator)).status, 200);
  const { body: { revisions } } = await control.call("GET", "/api/v1/revisions");
  assert.equal(revisions[0].author, "the-operator");
  const asAdmin = { name: "mine", role: "admin" };
  const refused = await control.call("POST", "/api/v1/access-tokens", asAdmin, operator);
  assert.equal(refused.status, 403);
  assert.match(refused.body.error.message, /"the-operator" has the role operator; .* wants admin/);
});

Deno.test("An operator stops an identity at once, and only an admin lets it in again", async () => {
  await using control = await ControlProcess.start();
  const token = `${control.data}/operator.token`;
  await Deno.writeTextFile(token, await tokenOf(control, "operator"), { mode: 0o600 });
  const as = ["--token-file", token];
  const stopped = await control.denim("revoke", "default/web", ...as);
  assert.equal(stopped.code, 0, stopped.err);
  const undo = await control.denim("revoke", "--undo", "default/web", ...as);
  assert.equal(undo.code, 1);
  assert.match(
    undo.err,
    /"the-operator" has the role operator; POST \/revocations\/undo wants admin/,
  );
  assert.equal((await control.call("GET", "/api/v1/revocations")).body.revocations.length, 1);
  assert.equal((await control.denim("revoke", "--undo", "default/web")).code, 0);
  assert.equal((await control.call("GET", "/api/v1/revocations")).body.revocations.length, 0);
});

Deno.test("A publisher makes itself known, and adds no key to another's name", async () => {
  await using control = await ControlProcess.start();
  const publisher = { authorization: `Bearer ${await tokenOf(control, "publisher")}` };
  const key = async (): Promise<string> => {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    if (!("publicKey" in pair)) throw new Error("a pair is wanted");
    return new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)).toBase64();
  };
  const first = await key(), second = await key();
  const know = async (publicKey: string, headers = {}): Promise<number> => {
    const body = { name: "acme", publicKey };
    return (await control.call("POST", "/api/v1/publishers", body, headers)).status;
  };
  assert.deepEqual(
    [await know(first, publisher), await know(first, publisher), await know(second, publisher)],
    [201, 201, 403],
  );
  assert.equal(await know(second), 201, "an admin may");
});

Deno.test("denim token makes, lists and revokes access tokens, and shows a token once", async () => {
  await using control = await ControlProcess.start("--closed-reads");
  const made = await control.denim(
    ...["token", "create", "--role", "operator", "--ttl", "12h", "--name", "ci"],
  );
  assert.equal(made.code, 0, made.err);
  const token = made.out.trim();
  assert.match(token, /^denim-api-[A-Za-z0-9_-]{48}$/);
  const call = async (): Promise<number> =>
    (await control.call("GET", "/api/v1/services", undefined, { authorization: `Bearer ${token}` }))
      .status;
  assert.equal(await call(), 200);
  const listed = await control.denim("token", "list");
  assert.match(listed.out, /ci +operator +\d+s +1[12]h +\d+s ago +admin/);
  assert.ok(!listed.out.includes(token.slice(10)));
  await control.restart();
  assert.equal(await call(), 200, "it outlives a kill -9");
  const revoked = await control.denim("token", "revoke", "ci");
  assert.match(revoked.out, /^Token ci \([0-9a-f]{10}\) is revoked/);
  assert.equal(await call(), 401);
  const again = await control.denim("token", "revoke", "ci");
  assert.deepEqual([again.code, again.err.trim()], [1, "There is no token of that id or name"]);
  for (const role of ["root", ""]) {
    const bad = await control.denim("token", "create", "--role", role, "--name", "x");
    assert.notEqual(bad.code, 0);
  }
});
