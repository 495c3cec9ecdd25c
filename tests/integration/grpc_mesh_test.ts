/** gRPC between two workloads: client → sidecar → mTLS → sidecar → server, with peers on Node's HTTP/2. */
import assert from "node:assert/strict";
import { GrpcPeer } from "../support/grpc_peer.ts";
import { http } from "../support/http.ts";
import { meshService, startMesh } from "../support/mesh.ts";

const node = await GrpcPeer.available();
if (!node) console.log('skipped: gRPC in the mesh: there is no "node" on the PATH');

Deno.test({
  name: "gRPC goes from workload to workload, and each hears at once when the other gives up",
  ignore: !node,
  async fn() {
    await using server = await GrpcPeer.serve();
    await using mesh = await startMesh({
      gateway: false,
      services: [{ name: "greeter", address: server.address }, { name: "web" }],
      resources: [
        meshService("greeter", { ports: [{ port: 50051, protocol: "GRPC" }] }),
        {
          apiVersion: "gateway.networking.k8s.io/v1",
          kind: "GRPCRoute",
          metadata: { name: "greeter" },
          spec: {
            parentRefs: [{ group: "", kind: "Service", name: "greeter" }],
            rules: [{
              matches: [{ method: { service: "test.S" } }],
              backendRefs: [{ name: "greeter", port: 50051 }],
            }],
          },
        },
      ],
      proxyFlags: ["--access-log"],
    });
    await using client = await GrpcPeer.client(mesh.outbound("web"));
    const headers = { ":authority": "greeter:50051" };

    const stream = await client.open({ path: "/test.S/Echo", headers });
    for (const text of ["one", "two"]) {
      await client.send(stream, text);
      await client.next((event) => event.id === stream && event.text === text);
    }
    await client.end(stream);
    assert.equal((await client.outcome(stream)).fields["grpc-status"], "0");
    const first = (await server.next((event) => event.call === 1)).headers!;
    assert.match(first["x-denim-peer"]!, /\/sa\/web$/);
    assert.equal(
      first["x-denim-port"],
      undefined,
      "how sidecars tell ports apart is their business",
    );

    const hanging = await client.open({ path: "/test.S/Hang", headers, end: true });
    await server.next((event) => event.call === 2);
    await client.cancel(hanging);
    assert.equal((await server.next((event) => event.call === 2 && event.on === "reset")).code, 8);

    const late = await client.open({
      path: "/test.S/Hang",
      headers: { ...headers, "grpc-timeout": "150m", "x-begin": "1" },
    });
    assert.equal((await client.outcome(late)).fields["grpc-status"], "4");
    await server.next((event) => event.call === 3 && event.on === "reset");

    const cut = await client.open({
      path: "/test.S/Hang",
      headers: { ...headers, "x-begin": "1" },
      end: true,
    });
    await client.next((event) => event.id === cut && event.on === "message");
    await server[Symbol.asyncDispose]();
    const gone = await client.outcome(cut);
    assert.deepEqual([gone.fields["grpc-status"], gone.fields["denim-fault"]], [
      "14",
      "upstream.reset",
    ]);
    const refused = await client.outcome(
      await client.open({ path: "/test.S/Echo", headers, end: true }),
    );
    assert.deepEqual([refused.fields["grpc-status"], refused.fields["denim-fault"]], [
      "14",
      "upstream.connect",
    ]);
    const unknown = await client.outcome(
      await client.open({ path: "/other.S/Echo", headers, end: true }),
    );
    assert.equal(unknown.fields["grpc-status"], "12");

    // Counted as what they stand for on both sides, though HTTP says 200 for all of them.
    const metrics = (await http(`${mesh.admin("web")}/metrics`)).body;
    const classes = (code: string): string | undefined =>
      metrics.split("\n").find((line) =>
        line.startsWith("denim_requests_total{") && line.includes('route="default/greeter/0"') &&
        line.includes(`code="${code}"`)
      )?.split(" ").at(-1);
    assert.deepEqual([classes("2xx"), classes("5xx")], ["1", "3"]);
    const logged = await mesh.logged("greeter", (line) => line["grpc_status"] === 14);
    assert.deepEqual([logged["status"], logged["listener"]], [200, "inbound"]);
  },
});
