/** What bounds tunnels: idleness, connections to an endpoint, endpoints that are dead, and the end of the proxy. */
import assert from "node:assert/strict";
import { freePort } from "../support/free_port.ts";
import { policy, StandaloneProxy } from "../support/standalone.ts";
import { echo, TcpApp, TcpClient } from "../support/tcp.ts";

/** A gateway with a TCP listener `tcp` to these endpoints. */
function edge(endpoints: readonly string[], ...more: unknown[]): unknown[] {
  return [
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { name: "edge" },
      spec: { listeners: [{ name: "tcp", port: 0, protocol: "TCP" }] },
    },
    {
      apiVersion: "denim.dev/v1",
      kind: "Service",
      metadata: { name: "echo" },
      spec: { ports: [{ port: 7, protocol: "TCP" }], endpoints },
    },
    {
      apiVersion: "gateway.networking.k8s.io/v1alpha2",
      kind: "TCPRoute",
      metadata: { name: "echo" },
      spec: {
        parentRefs: [{ name: "edge", sectionName: "tcp" }],
        rules: [{ backendRefs: [{ name: "echo", port: 7 }] }],
      },
    },
    ...more,
  ];
}

async function opened(proxy: StandaloneProxy): Promise<TcpClient> {
  const client = new TcpClient(proxy.ready.listeners["tcp"]!);
  client.send("x");
  await client.until(({ text }) => text === "x");
  return client;
}

Deno.test("A tunnel without a byte is closed at its idle timeout", async () => {
  await using app = await TcpApp.start(echo);
  await using proxy = await StandaloneProxy.start(edge([app.address]), [
    "--access-log",
    ...["--limit", "tunnel-idle=1s"],
  ]);
  using idle = await opened(proxy);
  await idle.until(({ closed }) => closed === "ECONNRESET", "the idle tunnel's end");
  assert.match(await proxy.stop(), /"fault":"tunnel\.idle"/);
});

Deno.test("Tunnels over the limit of connections wait, those over the limit of waiting are refused", async () => {
  await using app = await TcpApp.start(echo);
  await using proxy = await StandaloneProxy.start(edge(
    [app.address],
    policy("echo", {
      circuitBreaker: { maxConnections: 1, maxPending: 1 },
      retry: { attempts: 0 },
    }),
  ));
  const first = await opened(proxy);
  using second = new TcpClient(proxy.ready.listeners["tcp"]!);
  second.send("y");
  await new Promise((resolve) => second.socket.once("connect", resolve));
  using third = new TcpClient(proxy.ready.listeners["tcp"]!);
  await third.until(({ closed }) => closed === "ECONNRESET", "its refusal");
  assert.deepEqual([second.text, app.accepted], ["", 1]);
  first[Symbol.dispose]();
  await second.until(({ text }) => text === "y");
  const logs = await proxy.stop();
  assert.match(logs, /"inbound\.refused".*"upstream\.overflow"/);
});

Deno.test("A dead endpoint costs no client its tunnel", async () => {
  await using app = await TcpApp.start(echo);
  await using proxy = await StandaloneProxy.start(edge([`127.0.0.1:${freePort()}`, app.address]));
  for (let i = 0; i < 20; i++) {
    using client = await opened(proxy);
    assert.equal(client.text, "x");
  }
  assert.equal(await proxy.metric('denim_connections_refused_total{listener="tcp"}'), 0);
});

Deno.test("A proxy that is told to stop lets tunnels go on, and cuts those that are left at its deadline", async () => {
  await using app = await TcpApp.start(echo);
  await using proxy = await StandaloneProxy.start(edge([app.address]), ["--drain-timeout", "2s"]);
  using ending = await opened(proxy);
  using lasting = await opened(proxy);
  const code = proxy.terminate();
  ending.send("z");
  await ending.until(({ text }) => text === "xz");
  ending.end();
  await ending.until(({ ended }) => ended);
  assert.equal(lasting.closed, null);
  await lasting.until(({ closed, ended }) => closed !== null || ended);
  assert.equal(await code, 0);
});
