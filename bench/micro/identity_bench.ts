/** What identity costs: verifying a peer, cold and cached, a whole mTLS handshake, and issuing an SVID. */
import type { AddressInfo } from "node:net";
import * as tls from "node:tls";
import { Authority } from "../../control/ca/mod.ts";
import { readCsr } from "../../control/ca/csr.ts";
import {
  admitPeer,
  createKeyAndCsr,
  decodePem,
  MeshIdentity,
  parseCertificate,
  readTrustBundle,
  stillTrusted,
  type VerifiedPeer,
  verifyPeer,
} from "../../proxy/tls/mod.ts";

const WEB = "spiffe://mesh.local/ns/default/sa/web";
const dir = await Deno.makeTempDir({ prefix: "denim-bench-" });
addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));

const authority = await Authority.open(dir, { trustDomain: "mesh.local" });
const bundle = authority.bundle();
const { keyPem, csrPem } = createKeyAndCsr();
const svid = await authority.issue(WEB, csrPem);
const chain = decodePem(svid.chainPem, "CERTIFICATE")!;
const trust = readTrustBundle("mesh.local", bundle);
const options = { nowMs: Date.now(), role: "client", expectedIdentity: WEB } as const;
const identity = new MeshIdentity({
  trustDomain: "mesh.local",
  keyPem,
  chainPem: svid.chainPem,
  bundle,
});

Deno.bench("parseCertificate (leaf)", () => {
  parseCertificate(chain[0]!);
});

// A bundle without its cache: what the first connection of every peer costs.
const forgetful = { ...trust, cache: { size: 0, get: () => undefined, set: () => {} } };
Deno.bench("verifyPeer cold (leaf, intermediate, root)", { group: "verify" }, () => {
  const verdict = verifyPeer(chain, forgetful as unknown as typeof trust, options);
  if (!verdict.ok) throw new Error(verdict.reason);
});

Deno.bench("verifyPeer cached", { group: "verify", baseline: true }, () => {
  const verdict = verifyPeer(chain, trust, options);
  if (!verdict.ok) throw new Error(verdict.reason);
});

const admitted = {
  ...verifyPeer(chain, trust, options) as VerifiedPeer,
  role: "client" as const,
  generation: identity.generation,
};
Deno.bench("stillTrusted, nothing changed", () => {
  if (!stillTrusted(admitted, identity, options.nowMs).ok) throw new Error("not trusted");
});

let server: tls.Server | null = null;
Deno.bench("mTLS handshake, both ends in this process", async (bench) => {
  if (server === null) {
    server = tls.createServer(identity.serverOptions(), (socket) => {
      if (!admitPeer(socket, identity, "client").ok) throw new Error("refused");
      socket.on("error", () => {});
      socket.end();
    });
    await new Promise<void>((done) => server!.listen(0, "127.0.0.1", done));
    server.unref();
  }
  const { port } = server.address() as AddressInfo;
  bench.start();
  await new Promise<void>((done, fail) => {
    const socket = tls.connect({ host: "127.0.0.1", port, ...identity.connectOptions(WEB) });
    socket.on("error", fail);
    socket.on("close", () => done());
    socket.resume();
  });
  bench.end();
});

Deno.bench("createKeyAndCsr", () => {
  createKeyAndCsr();
});

Deno.bench("readCsr (proof of possession)", async () => {
  await readCsr(csrPem);
});

Deno.bench("Authority.issue (request to logged SVID)", async () => {
  await authority.issue(WEB, csrPem);
});
