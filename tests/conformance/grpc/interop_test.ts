/** grpc-go's interop client and server through two sidecars, and through the gateway: every case. */
import assert from "node:assert/strict";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { edgeWithTls, PublicAuthority, tlsSecret } from "../../support/tls.ts";
import { CASES, InteropServer, isBuilt, runCase, type Way } from "./interop.ts";

const ready = await isBuilt();
if (!ready) {
  console.log(
    "skipped: grpc-go's interop programs are not built: deno task conformance grpc builds them",
  );
}

function grpcPort(name: string, port: number, over: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name },
    spec: { ports: [{ port, protocol: "GRPC" }], ...over },
  };
}

/** What the edge lets through: the service the cases call, and none of those they only ask for. */
const EDGE_ROUTE = {
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "GRPCRoute",
  metadata: { name: "interop" },
  spec: {
    parentRefs: [{ name: "edge" }],
    rules: [{
      matches: [
        { method: { service: "grpc.testing.TestService" } },
        { method: { service: "xds.service.orca.v3.OpenRcaService" } },
      ],
      backendRefs: [{ name: "interop", port: 50051 }],
    }],
  },
};

/** In plaintext, and over TLS that ends at the gateway. */
const EDGE = edgeWithTls("grpc.test", "public");

/** Who called, by the access log of the sidecar in front of the server. */
function callers(mesh: TestMesh): Set<unknown> {
  const lines = mesh.logs("interop").filter((line) => line["listener"] === "inbound");
  return new Set(lines.map((line) => line["peer"]));
}

Deno.test({
  name:
    "grpc-go's interop cases pass through two sidecars, and through the gateway with and without TLS",
  ignore: !ready,
  async fn(t) {
    const all = async (way: Way): Promise<void> => {
      for (const one of CASES) {
        await t.step(`${one[0]} ${way.name}`, async () => {
          assert.equal(await runCase(one, way), null);
        });
      }
    };
    const authority = new PublicAuthority();
    await using server = await InteropServer.start();
    await using mesh = await startMesh({
      services: [{ name: "interop", address: server.address }, { name: "web" }],
      resources: [
        grpcPort("interop", 50051),
        EDGE,
        EDGE_ROUTE,
        tlsSecret("public", authority.issue("grpc.test")),
      ],
      proxyFlags: ["--access-log"],
    });
    const { port } = new URL(mesh.outbound("web"));
    // The client calls what it connects to, so the Service has the name and port of the sidecar's own door.
    await mesh.apply([grpcPort("localhost", Number(port), { from: "interop" })]);
    await all({ name: "through two sidecars", host: "localhost", port });
    assert.deepEqual([...callers(mesh)], ["spiffe://mesh.local/ns/default/sa/web"]);

    const [host, plain] = mesh.listener("gateway", "http").split(":");
    await all({ name: "through the gateway", host: host!, port: plain! });
    assert.equal(callers(mesh).size, 2);

    const caFile = `${mesh.folder}/public.pem`;
    await Deno.writeTextFile(caFile, authority.rootPem);
    const flags = ["--use_tls", "--use_test_ca", "--ca_file", caFile];
    flags.push("--server_host_override", "grpc.test");
    const [, secure] = mesh.listener("gateway", "https").split(":");
    await all({ name: "through the gateway over TLS", host: host!, port: secure!, flags });
  },
});
