/** Two proxies and an app: both identities change while requests flow, and no request notices. */
import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import type { BackendSpec, HostSpec, ListenerSpec, Snapshot } from "../control/schema/snapshot.ts";
import { TestDomain } from "../tests/support/ca.ts";
import { testEngine } from "../tests/support/engine.ts";
import type { Engine } from "./engine.ts";
import { MeshIdentity } from "./tls/mod.ts";

const SWAPS = 20, CLIENTS = 4;
/** Requests that must come back under each pair of identities before the next swap. */
const REQUESTS_PER_SWAP = 25;

const domain = new TestDomain();

function engine(identity: MeshIdentity): Engine {
  const made = testEngine();
  made.setIdentity(identity);
  return made;
}

function snapshot(listener: Omit<ListenerSpec, "hosts">, address: string, to?: string): Snapshot {
  const backend: BackendSpec = {
    name: "next",
    endpoints: [to === undefined ? { address } : { address, identity: to }],
    balancer: { algorithm: "p2c" },
    connectTimeoutMs: 3000,
    pool: { maxConnections: 16, maxPending: 16, idleTimeoutMs: 30_000 },
    outlier: null,
  };
  const backends = [{ backend: "next", weight: 1, filters: [] }];
  const host: HostSpec = {
    hostnames: ["*"],
    routes: [{ name: "all", matches: [], filters: [], backends }],
  };
  return {
    version: address,
    node: { kind: "sidecar", namespace: "default", name: listener.name },
    listeners: [{ ...listener, hosts: [host] }],
    backends: { next: backend },
    modules: [],
    trust: { domain: domain.domain, bundle: [domain.rootPem] },
  };
}

/** Status and body of one request; 0 and the reason when it failed. */
function get(agent: Agent, address: string): Promise<[number, string]> {
  const [host, port] = address.split(":");
  return new Promise((done) => {
    request({ agent, host, port, headers: { host: "catalog" } }, (response) => {
      let body = "";
      response.on("data", (bytes: Uint8Array) => body += new TextDecoder().decode(bytes));
      response.on("end", () => done([response.statusCode ?? 0, body]));
    }).on("error", (error) => done([0, String(error)])).end();
  });
}

Deno.test("Two proxies change identity 20 times under traffic without a failed request", async () => {
  const app = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => new Response(request.headers.get("x-denim-peer")),
  );
  const web = new MeshIdentity(domain.material("web"));
  const catalog = new MeshIdentity(domain.material("catalog"));
  const server = engine(catalog), client = engine(web);
  const inbound = await server.open("inbound", "127.0.0.1", 0);
  await server.apply(
    snapshot({ name: "inbound", role: "inbound", tls: "mesh" }, `127.0.0.1:${app.addr.port}`),
  );
  const outbound = await client.open("outbound", "127.0.0.1", 0);
  await client.apply(
    snapshot({ name: "outbound", role: "outbound", tls: "none" }, inbound, catalog.id),
  );

  let answered = 0, over = false;
  const failures: string[] = [];
  const agent = new Agent({ keepAlive: true });
  const traffic = Array.from({ length: CLIENTS }, async () => {
    while (!over) {
      const [status, body] = await get(agent, outbound);
      if (status !== 200 || body !== web.id) failures.push(`${status} ${body}`);
      answered++;
    }
  });
  for (let swap = 0; swap < SWAPS && failures.length === 0; swap++) {
    const target = answered + REQUESTS_PER_SWAP;
    web.replace(domain.material("web"));
    catalog.replace(domain.material("catalog"));
    while (answered < target && failures.length === 0) {
      await new Promise((turn) => setImmediate(turn));
    }
  }
  over = true;
  await Promise.all(traffic);
  agent.destroy();
  await Promise.all([client.drain(1000), server.drain(1000)]);
  await app.shutdown();
  assert.deepEqual(failures, []);
  assert.ok(answered >= SWAPS * REQUESTS_PER_SWAP);
  assert.equal(web.generation, SWAPS + 1);
});
