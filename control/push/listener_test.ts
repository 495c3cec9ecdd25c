/** The door for proxies: how many may stand in it, with and without a certificate. */
import assert from "node:assert/strict";
import { connect, type TLSSocket } from "node:tls";
import { systemClock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { joinOptions, MeshIdentity, readTrustBundle } from "../../proxy/tls/mod.ts";
import { Authority, controlPlaneId, MemoryTokenStore, RevocationList, Tokens } from "../ca/mod.ts";
import { createKeyAndCsr } from "../../proxy/tls/mod.ts";
import type { MarketApi } from "../market/mod.ts";
import { CONTROL_ALPN } from "../schema/protocol.ts";
import { MemoryStore } from "../store/memory.ts";
import { startMeshListener } from "./listener.ts";
import { Nodes } from "./nodes.ts";
import type { Publisher } from "./publisher.ts";
import { Roster } from "./roster.ts";
import { Workloads } from "./workloads.ts";

const DOMAIN = "mesh.local";

/** What the listener says first: text of a refusal, "" when it waits for us instead. */
function greeting(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("data", (bytes) => resolve(String(bytes)));
    socket.on("secureConnect", () => setTimeout(() => resolve(""), 150));
    socket.on("error", () => {});
  });
}

Deno.test("startMeshListener bounds its connections, and strangers more than members", async () => {
  const dir = await Deno.makeTempDir();
  const authority = await Authority.open(dir, { trustDomain: DOMAIN });
  const clock = systemClock;
  const store = new MemoryStore();
  const listener = await startMeshListener("127.0.0.1", 0, {
    authority,
    roster: await Roster.open(store, { clock, log: silentLog }),
    renewalFault: () => Promise.resolve(null),
    revocations: await RevocationList.open(store, { clock, log: silentLog }),
    tokens: new Tokens(new MemoryTokenStore()),
    attestor: null,
    audit: { record() {} },
    nodes: new Nodes(clock),
    workloads: await Workloads.open(store, { clock, log: silentLog }),
    publisher: {} as Publisher,
    market: {} as MarketApi,
    vault: { get: () => Promise.resolve(null) },
    keySets: { unknownKey() {} },
    clock,
    log: silentLog,
  }, { connections: 3, strangers: 1 });
  const place = { host: "127.0.0.1", port: Number(listener.address.split(":")[1]) };
  const bundle = authority.bundle();
  const join = joinOptions(readTrustBundle(DOMAIN, bundle), controlPlaneId(DOMAIN), {
    alpn: CONTROL_ALPN,
  });
  const { keyPem, csrPem } = createKeyAndCsr();
  const { chainPem } = await authority.issue(`spiffe://${DOMAIN}/ns/default/sa/web`, csrPem);
  const identity = new MeshIdentity({ trustDomain: DOMAIN, keyPem, chainPem, bundle });
  const member = identity.connectOptions(controlPlaneId(DOMAIN), CONTROL_ALPN);
  const sockets: TLSSocket[] = [];
  const open = async (options: typeof join): Promise<string> => {
    const socket = connect({ ...place, ...options });
    sockets.push(socket);
    return await greeting(socket);
  };

  assert.equal(await open(join), "");
  assert.match(await open(join), /peer\.full/);
  assert.equal(await open(member), "", "members still come in");
  assert.equal(await open(member), "");
  assert.match(await open(member), /peer\.full/);

  for (const socket of sockets) socket.destroy();
  await listener.close();
  await Deno.remove(dir, { recursive: true });
});
