/** STRICT, PERMISSIVE and DISABLE in a whole mesh: who gets through, under which name, and who is told of it. */
import assert from "node:assert/strict";
import { Agent } from "node:http";
import { denim } from "../support/denim.ts";
import { http } from "../support/http.ts";
import { meshService, startMesh, type TestMesh, until } from "../support/mesh.ts";

function peerAuthentication(
  name: string,
  spec: Readonly<Record<string, unknown>>,
  namespace = "default",
): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "PeerAuthentication",
    metadata: { name, namespace },
    spec,
  };
}

const ofCatalog = (mode: string, more: Readonly<Record<string, unknown>> = {}): unknown =>
  peerAuthentication("catalog", {
    targetRefs: [{ kind: "Service", name: "catalog" }],
    mtls: { mode },
    ...more,
  });

const echo = (request: Request): Response =>
  new Response(`${request.method} for ${request.headers.get("x-denim-peer")}`);

async function startShop(): Promise<TestMesh> {
  return await startMesh({
    services: [{ name: "web" }, { name: "catalog", app: echo }],
    gateway: false,
  });
}

/** By the caller's sidecar, whose view of the mesh may be a moment old. */
async function byMesh(mesh: TestMesh, host = "catalog"): Promise<string> {
  return await until(async () => {
    const { status, body } = await http(mesh.outbound("web"), { headers: { host } });
    return status === 503 ? null : body;
  }, 5000);
}

/** What comes back of `text` through a tunnel that web's sidecar opens. */
async function throughTunnel(mesh: TestMesh, authority: string, text: string): Promise<string> {
  const { hostname, port } = new URL(mesh.outbound("web"));
  using conn = await Deno.connect({ hostname, port: Number(port) });
  const send = (what: string): Promise<number> => conn.write(new TextEncoder().encode(what));
  const buffer = new Uint8Array(4096);
  await send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`);
  const granted = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  assert.match(granted, /^HTTP\/1\.1 200 /);
  await send(text);
  return new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
}

Deno.test("PERMISSIVE takes plaintext and mTLS at one port, lists who comes without, and STRICT ends it", async () => {
  await using mesh = await startShop();
  const inbound = `http://${mesh.inbound("catalog")}`;
  assert.match(await byMesh(mesh), /^GET for spiffe:.*\/sa\/web$/);
  await assert.rejects(http(inbound), "STRICT is the default");

  await mesh.apply([ofCatalog("PERMISSIVE")]);
  assert.match(await byMesh(mesh), /^GET for spiffe:.*\/sa\/web$/, "sidecars go on with mTLS");
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let n = 0; n < 3; n++) {
    const { body } = await http(inbound, {
      agent: kept,
      headers: { "x-denim-peer": "spiffe://x" },
    });
    assert.equal(body, "GET for null");
  }
  assert.equal(await mesh.metric("catalog", 'denim_inbound_connections_total{tls="plaintext"}'), 1);
  assert.equal(await mesh.metric("catalog", 'denim_inbound_requests_total{tls="plaintext"}'), 3);
  assert.ok(await mesh.metric("catalog", 'denim_inbound_requests_total{tls="mtls"}') >= 2);

  const told = await until(async () => {
    const { out } = await denim(["get", "mtls", "--control", mesh.mesh.client.url]);
    return out.includes("127.0.0.1") ? out : null;
  }, 15_000);
  assert.match(told, /default\/catalog +PERMISSIVE +\d+ +3 .*wait: 127\.0\.0\.1 came in plaintext/);
  assert.match(told, /default\/web +STRICT/);

  // The connection is open, and may not stay.
  await mesh.apply([ofCatalog("STRICT")]);
  await mesh.logged(
    "catalog",
    (line) => line["msg"] === "inbound.closed" && line["reason"] === "plaintext",
  );
  await assert.rejects(http(inbound, { agent: kept }));
  kept.destroy();
  assert.match(await byMesh(mesh), /^GET for spiffe:.*\/sa\/web$/);
});

Deno.test("DISABLE has sidecars send plaintext, for HTTP and for tunnels, and nobody has a name", async () => {
  using echoes = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const echoing = (async () => {
    using conn = await echoes.accept();
    await conn.readable.pipeTo(conn.writable);
  })().catch(() => {}); // the other side may be gone first
  await using mesh = await startMesh({
    services: [{ name: "web" }, {
      name: "catalog",
      app: echo,
      flags: ["--app-port", `5432=127.0.0.1:${(echoes.addr as Deno.NetAddr).port}`],
    }],
    gateway: false,
    resources: [
      meshService("catalog", {
        ports: [{ port: 80 }, { port: 5432, targetPort: 5432, protocol: "TCP" }],
      }),
    ],
  });
  await mesh.apply([ofCatalog("DISABLE")]);
  assert.equal(await byMesh(mesh), "GET for null");
  assert.equal(await throughTunnel(mesh, "catalog:5432", "hello"), "hello");
  await echoing;
  const before = await mesh.metric("catalog", 'denim_inbound_requests_total{tls="mtls"}');
  assert.equal(await byMesh(mesh), "GET for null");
  assert.equal((await http(`http://${mesh.inbound("catalog")}`)).body, "GET for null");
  assert.equal(await mesh.metric("catalog", 'denim_inbound_requests_total{tls="mtls"}'), before);
  assert.equal(
    await mesh.metric("catalog", 'denim_inbound_connections_total{tls="plaintext"}') >= 2,
    true,
  );

  await mesh.apply([ofCatalog("STRICT")]);
  assert.match(await byMesh(mesh), /^GET for spiffe:.*\/sa\/web$/);
});

Deno.test("Modes change under load without a failed request", async () => {
  await using mesh = await startShop();
  await byMesh(mesh);
  let failed = 0, done = false, sent = 0;
  const load = (async () => {
    const agent = new Agent({ keepAlive: true });
    while (!done) {
      const { status } = await http(mesh.outbound("web"), { headers: { host: "catalog" }, agent });
      sent++;
      if (status !== 200) failed++;
    }
    agent.destroy();
  })();
  for (const mode of ["PERMISSIVE", "DISABLE", "PERMISSIVE", "DISABLE", "PERMISSIVE", "STRICT"]) {
    await mesh.apply([ofCatalog(mode)]);
  }
  done = true;
  await load;
  assert.ok(sent > 20, String(sent));
  assert.equal(failed, 0);
});

Deno.test("Ports of one workload have modes of their own, and the most specific policy holds", async () => {
  await using mesh = await startMesh({
    services: [{ name: "web" }, { name: "catalog", app: echo }],
    gateway: false,
    resources: [
      meshService("catalog", { ports: [{ port: 80 }, { port: 9090, targetPort: 9090 }] }),
      peerAuthentication("default", { mtls: { mode: "DISABLE" } }, "denim-system"),
      peerAuthentication("default", { mtls: { mode: "PERMISSIVE" } }),
      ofCatalog("STRICT", { portLevelMtls: { "9090": { mode: "PERMISSIVE" } } }),
    ],
  });
  const inbound = `http://${mesh.inbound("catalog")}`;
  assert.match(await byMesh(mesh), /^GET for spiffe:/);
  const strict = await http(inbound);
  assert.equal(strict.status, 403);
  assert.equal(strict.headers["denim-fault"], "downstream.plaintext");
  // Nobody listens at the workload's 9090: that the proxy tries shows who was let in.
  const loose = await http(inbound, { headers: { "x-denim-port": "default/catalog:9090" } });
  assert.equal(loose.headers["denim-fault"], "upstream.connect");
  const { body } = await http(`http://${mesh.inbound("web")}`);
  assert.equal(body, "web", "the namespace is PERMISSIVE");
});
