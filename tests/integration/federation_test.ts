/** Two control planes, two trust domains, requests both ways; and who still stays outside. */
import assert from "node:assert/strict";
import { connect } from "node:tls";
import { http } from "../support/http.ts";
import { meshService, startMesh, type TestMesh, until } from "../support/mesh.ts";
import { forge } from "../support/thief.ts";

async function domain(name: string): Promise<TestMesh> {
  return await startMesh({
    gateway: false,
    services: [{
      name: "web",
      app: (request) => new Response(`${name} ${request.headers.get("x-denim-peer")}`),
    }],
    controlFlags: ["--trust-domain", name, "--bundle-listen", "127.0.0.1:0"],
  });
}

const bundleOf = async (mesh: TestMesh): Promise<string> =>
  await (await fetch(`${mesh.process("control").line!["url"]}/api/v1/trust-bundle`)).text();

/** What `mesh` has to be told to believe `other`, whose bundle begins with `bundle`. */
async function believing(name: string, other: TestMesh, over = {}): Promise<unknown> {
  return {
    apiVersion: "denim.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default", namespace: "denim-system" },
    spec: {
      federation: [{
        trustDomain: name,
        endpoint: {
          url: `https://${other.process("control").line!["bundle"]}/`,
          profile: "https_spiffe",
          spiffeId: `spiffe://${name}/ns/denim-system/sa/control-plane`,
        },
        bundle: await bundleOf(other),
        allowPrivateAddresses: true,
        ...over,
      }],
    },
  };
}

/** The other domain's web as a Service of this one. */
const remote = (name: string, other: TestMesh): unknown =>
  meshService("partner", {
    endpoints: [other.inbound("web")],
    identity: `spiffe://${name}/ns/default/sa/web`,
  });

const ask = async (mesh: TestMesh): Promise<{ status: number; body: string }> => {
  const { status, body } = await http(mesh.outbound("web"), { headers: { host: "partner" } });
  return { status, body: String(body) };
};

const reaches = (mesh: TestMesh, status: number): Promise<string> =>
  until(async () => {
    const answer = await ask(mesh);
    return answer.status === status ? answer.body : null;
  }, 10_000);

Deno.test("Workloads of two trust domains call each other by each other's bundle", async (t) => {
  await using a = await domain("a.test");
  await using b = await domain("b.test");
  await a.apply([remote("b.test", b)]);
  await b.apply([remote("a.test", a)]);

  await t.step("strangers refuse each other", async () => {
    assert.equal((await ask(a)).status, 503);
    await b.apply([await believing("a.test", a)]);
    assert.equal((await ask(a)).status, 503, "one side is not enough");
  });

  await t.step("requests pass both ways once both believe each other", async () => {
    await a.apply([await believing("b.test", b)]);
    assert.equal(await reaches(a, 200), "b.test spiffe://a.test/ns/default/sa/web");
    assert.equal(await reaches(b, 200), "a.test spiffe://b.test/ns/default/sa/web");
    for (const [mesh, name] of [[a, "b.test"], [b, "a.test"]] as const) {
      const fetched = await mesh.logged(
        "control",
        (one) => one["msg"] === "federation.fetched" && one["trustDomain"] === name,
      );
      assert.equal(fetched["sequence"], 1);
    }
  });

  await t.step("the API shows how the other domain stands", async () => {
    const { url } = a.process("control").line!;
    const { federation } = await (await fetch(`${url}/api/v1/ca`)).json();
    assert.equal(federation[0].trustDomain, "b.test");
    assert.equal(federation[0].certificates, 1);
    assert.equal(federation[0].reason, "");
  });

  await t.step("a policy goes by the other domain's identities", async () => {
    const allow = (principal: string): unknown => ({
      apiVersion: "denim.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: "partners" },
      spec: {
        targetRefs: [{ group: "denim.dev", kind: "Service", name: "web" }],
        action: "ALLOW",
        rules: [{ from: [{ source: { principals: [principal] } }] }],
      },
    });
    await b.apply([allow("spiffe://a.test/ns/default/sa/nobody")]);
    await reaches(a, 403);
    await b.apply([allow("spiffe://a.test/ns/default/sa/web")]);
    await reaches(a, 200);
    // A namespace without a domain is one of the own mesh.
    await b.apply([{
      ...allow("") as Record<string, unknown>,
      spec: {
        targetRefs: [{ group: "denim.dev", kind: "Service", name: "web" }],
        action: "ALLOW",
        rules: [{ from: [{ source: { namespaces: ["default"] } }] }],
      },
    }]);
    await reaches(a, 403);
    await b.apply([allow("spiffe://a.test/ns/default/sa/web")]);
    await reaches(a, 200);
  });

  await t.step("a root of one domain does not vouch for a name of the other", async () => {
    for (const [victim, thief, name] of [[a, b, "a.test"], [b, a, "b.test"]] as const) {
      // By the authority of a mesh whose control plane somebody has taken over.
      const { keyPem, chainPem } = await forge(
        `${thief.folder}/data/ca`,
        `spiffe://${name}/ns/default/sa/web`,
      );
      await knock(victim.inbound("web"), { key: keyPem, cert: chainPem });
      const isRefusal = (one: Readonly<Record<string, unknown>>): boolean =>
        one["msg"] === "inbound.refused" && one["reason"] === "unknown_authority";
      await victim.logged("web", isRefusal);
      assert.equal(victim.logs("web").filter(isRefusal).length, 1, "and nobody before");
    }
  });

  await t.step("the last good bundle serves on without the other's control plane", async () => {
    await b.kill("control");
    assert.equal(await reaches(a, 200), "b.test spiffe://a.test/ns/default/sa/web");
  });

  await t.step("who is no longer believed is cut off", async () => {
    await a.apply([{
      apiVersion: "denim.dev/v1",
      kind: "MeshConfig",
      metadata: { name: "default", namespace: "denim-system" },
      spec: {},
    }]);
    await reaches(a, 503);
  });
});

/** Connects and waits until the other side has closed without a byte. */
async function knock(address: string, { key, cert }: { key: string; cert: string }): Promise<void> {
  const [host, port] = address.split(":");
  const { promise, resolve } = Promise.withResolvers<number>();
  let bytes = 0;
  const socket = connect({
    host: host!,
    port: Number(port),
    key,
    cert,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
  });
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: web\r\n\r\n"));
  socket.on("data", (part: Uint8Array) => bytes += part.length);
  socket.on("error", () => {});
  socket.on("close", () => resolve(bytes));
  assert.equal(await promise, 0);
}
