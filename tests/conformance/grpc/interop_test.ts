/** grpc-go's interop client and server through two sidecars, and through the gateway: every case. */
import assert from "node:assert/strict";
import { startMesh, type TestMesh } from "../../support/mesh.ts";
import { CASES, InteropServer, isBuilt, runCase } from "./interop.ts";

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

/** Who called, by the access log of the sidecar in front of the server. */
function callers(mesh: TestMesh): Set<unknown> {
  return new Set(
    mesh.logs("interop").filter((line) => line["listener"] === "inbound").map((line) =>
      line["peer"]
    ),
  );
}

Deno.test({
  name: "grpc-go's interop cases pass through two sidecars and through the gateway",
  ignore: !ready,
  async fn(t) {
    await using server = await InteropServer.start();
    await using mesh = await startMesh({
      services: [{ name: "interop", address: server.address }, { name: "web" }],
      resources: [grpcPort("interop", 50051), EDGE_ROUTE],
      proxyFlags: ["--access-log"],
    });
    const out = new URL(mesh.outbound("web")).port;
    // The client calls what it connects to, so the Service has the name and port of the sidecar's own door.
    await mesh.apply([grpcPort("localhost", Number(out), { from: "interop" })]);
    for (const one of CASES) {
      await t.step(`${one[0]} through two sidecars`, async () => {
        assert.equal(await runCase(one, "localhost", out), null);
      });
    }
    assert.deepEqual([...callers(mesh)], ["spiffe://mesh.local/ns/default/sa/web"]);
    const edge = new URL(mesh.gatewayUrl);
    for (const one of CASES) {
      await t.step(`${one[0]} through the gateway`, async () => {
        assert.equal(await runCase(one, edge.hostname, edge.port), null);
      });
    }
    assert.equal(callers(mesh).size, 2);
  },
});
