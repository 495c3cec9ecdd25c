/** gRPC through one standalone proxy, seen from outside: peers on Node's HTTP/2 at both ends. */
import assert from "node:assert/strict";
import { GrpcPeer } from "../support/grpc_peer.ts";
import { Origin } from "../support/origin.ts";
import { gateway, policy, route, service, StandaloneProxy } from "../support/standalone.ts";

const node = await GrpcPeer.available();
if (!node) console.log('skipped: gRPC on the wire: there is no "node" on the PATH');

const CANCEL = 8;

function grpcService(name: string, ...endpoints: string[]): unknown {
  return {
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name },
    spec: { ports: [{ port: 50051, protocol: "GRPC" }], endpoints },
  };
}

/** Every call for `test.S` goes to `name`. */
function grpcRoute(name: string): unknown {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GRPCRoute",
    metadata: { name },
    spec: {
      parentRefs: [{ name: "edge" }],
      rules: [{
        matches: [{ method: { service: "test.S" } }],
        backendRefs: [{ name, port: 50051 }],
      }],
    },
  };
}

interface Rig extends AsyncDisposable {
  readonly server: GrpcPeer;
  readonly client: GrpcPeer;
  readonly proxy: StandaloneProxy;
}

/** A client, a proxy and a server. */
async function rig(...resources: unknown[]): Promise<Rig> {
  const server = await GrpcPeer.serve();
  const proxy = await StandaloneProxy.start([
    gateway(),
    grpcService("app", server.address),
    grpcRoute("app"),
    ...resources,
  ]);
  const client = await GrpcPeer.client(proxy.url());
  return {
    server,
    client,
    proxy,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function test(name: string, body: () => Promise<void>): void {
  Deno.test({ name, ignore: !node, fn: body });
}

test("gRPC passes in every shape, message by message, with its trailers", async () => {
  await using peers = await rig();
  const { client, server } = peers;
  const stream = await client.open({ path: "/test.S/Echo", headers: { "x-note": "a" } });
  for (const text of ["one", "two", "three"]) {
    await client.send(stream, text); // the answer comes while the request goes on
    await client.next((event) => event.id === stream && event.text === text);
  }
  await client.end(stream);
  const { fields, code } = await client.outcome(stream);
  assert.deepEqual([fields["grpc-status"], fields["x-end"], code], ["0", "echo", 0]);
  const { headers } = await server.next((event) => event.on === "call");
  assert.deepEqual([headers!["te"], headers!["x-note"]], ["trailers", "a"]);

  const late = await client.open({ path: "/test.S/Late", headers: { "x-status": "9" }, end: true });
  const events = await client.all(late);
  assert.deepEqual(events.map((event) => event.on), ["head", "message", "trailers", "close"]);
  assert.equal(events[2]!.headers!["grpc-status"], "9");
});

test("gRPC keeps a response that is nothing but a status in one piece, before the request's end", async () => {
  await using peers = await rig();
  const { client } = peers;
  const call = await client.open({ path: "/test.S/Fail", headers: { "x-status": "5" } });
  await client.send(call, "more");
  const [head] = await client.all(call);
  assert.deepEqual([head!.on, head!.end, head!.headers!["grpc-status"]], ["head", true, "5"]);
  assert.equal(head!.headers!["content-length"], undefined);
});

test("gRPC cancellation reaches the server, before its answer and during it", async () => {
  await using peers = await rig();
  const { client, server } = peers;
  let nth = 0;
  for (const end of [false, true]) {
    for (const headers of [{}, { "x-begin": "1" }]) {
      const call = ++nth;
      const id = await client.open({ path: "/test.S/Hang", headers, end });
      await server.next((event) => event.on === "call" && event.call === call);
      if ("x-begin" in headers) {
        await client.next((event) => event.id === id && event.on === "message");
      }
      await client.cancel(id);
      const reset = await server.next((event) => event.on === "reset" && event.call === call);
      assert.equal(reset.code, CANCEL);
    }
  }
  // So does the loss of the whole connection.
  const other = await GrpcPeer.client(peers.proxy.url());
  await other.open({ path: "/test.S/Hang", end: true });
  await server.next((event) => event.on === "call" && event.call === nth + 1);
  await other[Symbol.asyncDispose]();
  await server.next((event) => event.on === "reset" && event.call === nth + 1);
});

test("gRPC calls that the server breaks off end with UNAVAILABLE, begun or not", async () => {
  await using peers = await rig();
  const { client } = peers;
  for (const begin of [{}, { "x-begin": "1" }]) {
    const id = await client.open({ path: "/test.S/Break", headers: begin, end: true });
    const { fields, code } = await client.outcome(id);
    assert.deepEqual([fields["grpc-status"], fields["denim-fault"], code], ["14", "h2.reset", 0]);
    assert.match(fields["grpc-message"]!, /^The upstream reset the stream/);
  }
});

test("gRPC deadlines end the call for the client and for the server", async () => {
  await using peers = await rig();
  const { client, server, proxy } = peers;
  for (const begin of [{}, { "x-begin": "1" }]) {
    const headers = { "grpc-timeout": "200m", ...begin };
    const call = await client.open({ path: "/test.S/Hang", headers });
    const { fields } = await client.outcome(call);
    assert.deepEqual([fields["grpc-status"], fields["denim-fault"]], ["4", "timeout.deadline"]);
  }
  for (const call of [1, 2]) {
    const seen = await server.next((event) => event.call === call && event.on === "call");
    assert.equal(seen.headers!["grpc-timeout"], "200m");
    const reset = await server.next((event) => event.call === call && event.on === "reset");
    assert.equal(reset.code, CANCEL);
  }
  const failed =
    'denim_requests_total{listener="http",route="default/app/0",backend="default/app:50051",code="5xx"}';
  assert.equal(await proxy.metric(failed), 2);
});

test("A timeout of the route limits a call whose request has ended, and no stream that goes on", async () => {
  await using peers = await rig(policy("app", { timeouts: { request: "300ms" } }));
  const { client } = peers;
  const stream = await client.open({ path: "/test.S/Echo", headers: {} });
  const unary = await client.open({ path: "/test.S/Hang", end: true });
  const { fields } = await client.outcome(unary);
  assert.deepEqual([fields["grpc-status"], fields["denim-fault"]], ["4", "timeout.request"]);
  // Older than the limit by now, and well.
  await client.send(stream, "still here");
  await client.next((event) => event.id === stream && event.text === "still here");
  await client.end(stream);
  assert.equal((await client.outcome(stream)).fields["grpc-status"], "0");
});

test("Retries can name statuses of gRPC", async () => {
  await using peers = await rig(policy("app", {
    retry: { attempts: 2, on: ["unavailable"], backoff: "1ms", budget: { percent: 100 } },
    outlierDetection: { consecutive5xx: 0 },
  }));
  const { client, proxy } = peers;
  const fail = (key: string, status: string) =>
    client.open({
      path: "/test.S/Fail",
      headers: { "x-key": key, "x-status": status, "x-failures": "2" },
      end: true,
    });
  const again = await client.outcome(await fail("a", "14"));
  assert.deepEqual([again.fields["grpc-status"], again.fields["x-nth"]], ["0", "3"]);
  const once = await client.outcome(await fail("b", "13"));
  assert.deepEqual([once.fields["grpc-status"], once.fields["x-nth"]], ["13", "1"]);
  const retried = 'denim_retries_total{backend="default/app:50051",result="retried"}';
  assert.equal(await proxy.metric(retried), 2);
});

test("An endpoint whose calls fail with a status of gRPC is set aside", async () => {
  await using bad = await GrpcPeer.serve(14);
  await using good = await GrpcPeer.serve();
  await using proxy = await StandaloneProxy.start([
    gateway(),
    grpcService("app", bad.address, good.address),
    grpcRoute("app"),
    policy("app", {
      retry: { attempts: 0 },
      loadBalancer: { algorithm: "round_robin" },
      outlierDetection: { consecutive5xx: 2, baseEjection: "1h", maxEjectionPercent: 100 },
    }),
  ]);
  await using client = await GrpcPeer.client(proxy.url());
  for (let i = 0; i < 12; i++) {
    const headers = { "x-status": "5" }; // NOT_FOUND is an answer, and no failure of the endpoint
    await client.outcome(await client.open({ path: "/test.S/Fail", headers, end: true }));
  }
  await Promise.all([
    bad.next((event) => event.call === 2),
    good.next((event) => event.call === 10),
  ]);
  const calls = (peer: GrpcPeer) => peer.events.filter((event) => event.on === "call").length;
  assert.deepEqual([calls(bad), calls(good)], [2, 10]);
});

test("A Service port that forgot to say GRPC is told of it", async () => {
  await using server = await GrpcPeer.serve();
  await using proxy = await StandaloneProxy.start([
    gateway(),
    service("app", server.address),
    route("app", { backendRefs: [{ name: "app", port: 80 }] }),
  ]);
  await using client = await GrpcPeer.client(proxy.url());
  const { fields } = await client.outcome(
    await client.open({ path: "/test.S/Late", headers: { "x-status": "0" }, end: true }),
  );
  assert.deepEqual([fields["grpc-status"], fields["denim-fault"]], ["14", "upstream.speaks_h2"]);
  assert.match(fields["grpc-message"]!, /protocol HTTP2 or GRPC/);
});

test("What the proxy answers itself is a status of gRPC's", async () => {
  await using plain = await Origin.start();
  const server = await GrpcPeer.serve();
  const { address } = server;
  await server[Symbol.asyncDispose](); // nobody is there any more
  await using proxy = await StandaloneProxy.start([
    gateway(),
    grpcService("app", address),
    grpcService("plain", plain.address),
    grpcRoute("app"),
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "GRPCRoute",
      metadata: { name: "plain" },
      spec: {
        parentRefs: [{ name: "edge" }],
        rules: [{
          matches: [{ method: { service: "plain.S" } }],
          backendRefs: [{ name: "plain", port: 50051 }],
        }, { matches: [{ method: { service: "none.S" } }] }],
      },
    },
  ]);
  await using client = await GrpcPeer.client(proxy.url());
  const answer = async (path: string): Promise<(string | undefined)[]> => {
    const [head] = await client.all(await client.open({ path, end: true }));
    const { headers, status, end } = head!;
    assert.deepEqual([status, end, headers!["content-type"]], [200, true, "application/grpc"]);
    return [headers!["grpc-status"], headers!["denim-fault"]];
  };
  assert.deepEqual(await answer("/test.S/Echo"), ["14", "upstream.connect"]);
  assert.deepEqual(await answer("/plain.S/Echo"), ["14", "upstream.not_h2"]);
  assert.deepEqual(await answer("/other.S/Echo"), ["12", "route.none"]);
  assert.deepEqual(await answer("/none.S/Echo"), ["14", "route.no_backend"]);
  // And to anybody else it is what it was.
  const response = await fetch(`${proxy.url()}/other.S/Echo`);
  assert.equal(response.status, 404);
  assert.match(await response.text(), /^No route matches/);
});
