/** Secrets planted all over a mesh, and then looked for wherever people and log collectors read. */
import assert from "node:assert/strict";
import { decodePem } from "../../proxy/tls/mod.ts";
import { TestIssuer } from "../support/issuer.ts";
import { startMesh, type TestMesh } from "../support/mesh.ts";
import { podToken } from "../support/pod.ts";
import { TestDomain } from "../support/ca.ts";
import { FakeProxy } from "../support/fake_proxy.ts";

const CLIENT = { clientId: "denim-pages", clientSecret: "kq3-planted-client-secret-9f" };

/** What must be nowhere, by what it is. */
type Secrets = Map<string, string>;

/** The body of a PEM key, in the form it has there and in JSON. */
function bodyOf(pem: string): string {
  const [der] = decodePem(pem, "PRIVATE KEY") ?? decodePem(pem, "EC PRIVATE KEY") ?? [];
  assert.ok(der !== undefined, "a private key is wanted");
  return pem.split("\n").find((line) => line.length > 30 && !line.includes("-----"))!;
}

async function plant(mesh: TestMesh, issuer: TestIssuer): Promise<Secrets> {
  const secrets: Secrets = new Map();
  const { client } = mesh;
  secrets.set("the admin token", client.token);
  const made = await client.post("/api/v1/access-tokens", { name: "ci", role: "operator" });
  secrets.set("an access token", (made as { token: string }).token);
  secrets.set("a join token", await client.joinToken("default/unused"));
  secrets.set("a join token that was used", await useJoinToken(mesh));
  secrets.set("the client secret of the issuer", CLIENT.clientSecret);
  const groups = ["ops"];
  secrets.set("a token of the issuer", await issuer.sign({ sub: "ann", aud: "denim", groups }));
  secrets.set("a token of another audience", await issuer.sign({ sub: "ann", aud: "x", groups }));
  secrets.set("a pod's token", await podToken(issuer));
  secrets.set("a user's token", await issuer.sign({ sub: "user", aud: "shop" }));
  for (const { name } of Deno.readDirSync(`${mesh.folder}/data/ca`)) {
    if (!name.endsWith(".key")) continue;
    const pem = await Deno.readTextFile(`${mesh.folder}/data/ca/${name}`);
    secrets.set(`the authority's ${name}`, bodyOf(pem));
  }
  for (const { name } of Deno.readDirSync(`${mesh.folder}/proxies`)) {
    const file = `${mesh.folder}/proxies/${name}/identity.json`;
    secrets.set(`the key of ${name}`, bodyOf(JSON.parse(await Deno.readTextFile(file)).keyPem));
  }
  const edge = new TestDomain("edge.test").issue("web");
  secrets.set("the key of a Secret", bodyOf(edge.keyPem));
  const base64 = (text: string): string => new TextEncoder().encode(text).toBase64();
  secrets.set("the key of a Secret in Base64", base64(edge.keyPem).slice(60, 160));
  const data = { "tls.crt": base64(edge.chainPem), "tls.key": base64(edge.keyPem) };
  const secret = (over: Record<string, unknown>) => ({
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name: "edge" },
    data,
    ...over,
  });
  await client.post("/api/v1/apply", { resources: [secret({})] });
  // Wrong in three ways: what is quoted of a document must not be its key.
  for (
    const over of [{ data: { ...data, "tls.crt": "AAAA" } }, { stringData: data }, {
      kind: "Secrets",
    }]
  ) {
    await assert.rejects(client.post("/api/v1/apply", { resources: [secret(over)] }));
  }
  return secrets;
}

async function useJoinToken(mesh: TestMesh): Promise<string> {
  const token = await mesh.client.joinToken("default/ghost");
  const address = String(mesh.process("control").line?.["mesh"]);
  const bundle = await mesh.client.trustBundle();
  const joined = await FakeProxy.join(address, bundle, token);
  assert.ok(!("type" in joined), "it joined");
  await FakeProxy.join(address, bundle, token); // used: refused and logged
  return token;
}

interface Seen {
  readonly where: string;
  readonly text: string;
}

/** Ours and JWTs are known by their form wherever they turn up; what has none is only where it belongs. */
function isToken(secret: string): boolean {
  return secret.startsWith("denim-") || secret.startsWith("eyJ");
}

/** Shows every token where it might be written down, also where it does not belong. */
async function show(mesh: TestMesh, secrets: Secrets): Promise<Seen[]> {
  const seen: Seen[] = [];
  const { url } = mesh.client;
  const address = String(mesh.process("control").line?.["mesh"]);
  const bundle = await mesh.client.trustBundle();
  const ask = async (where: string, target: string, init: RequestInit = {}): Promise<void> => {
    const answer = await fetch(target, { redirect: "manual", ...init });
    seen.push({ where: `${where}: ${answer.status}`, text: await answer.text() });
    seen.push({ where: `${where}, headers`, text: JSON.stringify([...answer.headers]) });
  };
  for (const [what, secret] of secrets) {
    if (!isToken(secret)) continue;
    const text = encodeURIComponent(secret);
    const authorization = `Bearer ${secret}`;
    await ask(`the gateway with ${what}`, `${mesh.gatewayUrl}/?access_token=${text}`, {
      headers: { authorization, "x-request-id": secret.slice(0, 200) },
    });
    await ask(`nothing of the gateway with ${what}`, `${mesh.gatewayUrl}/none/${text}`);
    await ask(`a read with ${what}`, `${url}/api/v1/services`, { headers: { authorization } });
    await ask(`a path with ${what}`, `${url}/api/v1/resources/${text}`, {
      headers: { authorization: `Bearer ${mesh.client.token}` },
    });
    await ask(`a token to revoke, ${what}`, `${url}/api/v1/access-tokens/${text}`, {
      method: "DELETE",
      headers: { authorization: `Bearer ${mesh.client.token}` },
    });
    await ask(`a page with ${what}`, `${url}/filters?version=${text}`, {
      headers: { authorization, accept: "text/html" },
    });
    for (
      const message of [
        { type: "join", token: secret.slice(0, 200), csr: "x" } as const,
        { type: "attest", jwt: secret, csr: "x" } as const,
      ]
    ) {
      const answer = await FakeProxy.enter(address, bundle, message);
      seen.push({ where: `${message.type} with ${what}`, text: JSON.stringify(answer) });
    }
  }
  return seen;
}

/** Everything that can be read of the mesh afterwards. */
async function read(mesh: TestMesh): Promise<Seen[]> {
  const seen: Seen[] = [];
  const headers = { authorization: `Bearer ${mesh.client.token}` };
  const get = async (where: string, url: string): Promise<string> => {
    const text = await (await fetch(url, { headers })).text();
    seen.push({ where, text });
    return text;
  };
  const { url } = mesh.client;
  const { paths } = JSON.parse(await get("openapi", `${url}/api/v1/openapi.json`));
  for (const [path, methods] of Object.entries<Record<string, unknown>>(paths)) {
    if ("get" in methods && !path.includes("{")) await get(`GET ${path}`, `${url}/api/v1${path}`);
  }
  await get("one Secret", `${url}/api/v1/resources/secret/default/edge`);
  for (
    const { revision } of JSON.parse(await get("history", `${url}/api/v1/revisions`)).revisions
  ) {
    await get(`revision ${revision}`, `${url}/api/v1/revisions/${revision}`);
  }
  for (const page of ["/", "/filters", "/audit"]) await get(`page ${page}`, `${url}${page}`);
  for (const key of mesh.mesh.proxies.keys()) {
    for (const page of ["/config_dump", "/stats", "/metrics", "/ready"]) {
      await get(`${page} of ${key}`, `${mesh.admin(key)}${page}`);
    }
  }
  for (const folder of ["logs", "data/audit"]) {
    for (const { name, isFile } of Deno.readDirSync(`${mesh.folder}/${folder}`)) {
      const file = `${mesh.folder}/${folder}/${name}`;
      if (isFile) seen.push({ where: `${folder}/${name}`, text: await Deno.readTextFile(file) });
    }
  }
  for (const key of ["control", ...mesh.mesh.proxies.keys()]) {
    const child = mesh.process(key);
    seen.push({ where: `log of ${key}`, text: child.log.lines().join("\n") });
    seen.push({ where: `ready line of ${key}`, text: JSON.stringify(child.line) });
  }
  return seen;
}

Deno.test("No secret of a mesh is in a log, a dump, a page, an answer, an error or the store", async () => {
  await using issuer = await TestIssuer.start(CLIENT);
  const dir = await Deno.makeTempDir({ prefix: "denim-secrets-" });
  await Deno.writeTextFile(`${dir}/secret`, CLIENT.clientSecret, { mode: 0o600 });
  const login = {
    clientId: CLIENT.clientId,
    clientSecretFile: `${dir}/secret`,
    url: "http://localhost",
  };
  const oidc = { issuer: issuer.url, audience: "denim", roles: { ops: "operator" }, login };
  await Deno.writeTextFile(`${dir}/oidc.yaml`, JSON.stringify(oidc));
  const cluster = { issuer: issuer.url, keysUrl: `${issuer.url}/keys` };
  await Deno.writeTextFile(`${dir}/clusters.yaml`, JSON.stringify({ clusters: [cluster] }));
  {
    await using mesh = await startMesh({
      services: [{ name: "web" }],
      resources: [{
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "HTTPRoute",
        metadata: { name: "web" },
        spec: {
          parentRefs: [{ name: "edge" }],
          rules: [{
            backendRefs: [{ group: "denim.dev", kind: "Service", name: "web", port: 80 }],
          }],
        },
      }],
      controlFlags: [
        ...["--verbose", "--oidc", `${dir}/oidc.yaml`, "--kubernetes", `${dir}/clusters.yaml`],
      ],
      proxyFlags: ["--access-log", "--log-level", "debug"],
    });
    const secrets = await plant(mesh, issuer);
    const seen = [...await show(mesh, secrets), ...await read(mesh)];
    const logs = seen.map((one) => one.text).join("\n");
    assert.match(logs, /"path":"\/\?access_token=\[redacted JWT\]"/, "the access log was on");
    const found: string[] = [];
    for (const { where, text } of seen) {
      for (const [what, secret] of secrets) {
        const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
        if (forms.some((form) => text.includes(form))) found.push(`${what} in ${where}`);
      }
    }
    assert.deepEqual(found, []);
    assert.ok(seen.length > 100, `${seen.length} places`);
    const kept = await bytesOf(`${mesh.folder}/data`);
    for (const what of ["an access token", "a join token", "the key of a Secret"]) {
      for (const [file, text] of kept) {
        assert.ok(!text.includes(secrets.get(what)!), `${what} in ${file}`);
      }
    }
  }
  await Deno.remove(dir, { recursive: true });
});

/** Files of the store, as text of the same bytes. */
async function bytesOf(dir: string): Promise<[string, string][]> {
  const files: [string, string][] = [];
  for (const { name, isFile } of Deno.readDirSync(dir)) {
    if (!isFile || name === "admin.token") continue;
    files.push([name, new TextDecoder("latin1").decode(await Deno.readFile(`${dir}/${name}`))]);
  }
  return files;
}
