/** Listeners behind load balancers that speak the PROXY protocol: haproxy as the sender, and raw bytes. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { freePort } from "../support/free_port.ts";
import { Haproxy } from "../support/haproxy.ts";
import { route, service, StandaloneProxy } from "../support/standalone.ts";
import { latin1, TcpApp, TcpClient } from "../support/tcp.ts";

const V2 = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x12\x34\0\x50";

/** A gateway whose trusted balancers are at these addresses; HTTP to an app that tells what it was told, and TCP. */
async function edge(trusted: readonly string[]) {
  const app = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => new Response(request.headers.get("x-forwarded-for")),
  );
  const tcp = await TcpApp.start((socket) => socket.pipe(socket));
  const proxy = await StandaloneProxy.start([
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "Gateway",
      metadata: { name: "edge" },
      spec: {
        listeners: [
          { name: "http", port: 0, protocol: "HTTP" },
          { name: "tcp", port: 0, protocol: "TCP" },
        ],
      },
    },
    service("web", `127.0.0.1:${app.addr.port}`),
    route("web", { backendRefs: [{ name: "web", port: 80 }] }),
    {
      apiVersion: "denim.dev/v1",
      kind: "Service",
      metadata: { name: "echo" },
      spec: { ports: [{ port: 7, protocol: "TCP" }], endpoints: [tcp.address] },
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
    {
      apiVersion: "denim.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "balancers" },
      spec: { targetRefs: [{ kind: "Gateway", name: "edge" }], proxyProtocol: { trusted } },
    },
  ], ["--access-log", "--limit", "head-timeout=1s"]);
  return {
    proxy,
    http: proxy.ready.listeners["http"]!,
    tcp: proxy.ready.listeners["tcp"]!,
    async [Symbol.asyncDispose]() {
      await proxy.stop();
      await app.shutdown();
      await tcp[Symbol.asyncDispose]();
    },
  };
}

const ASK = "GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n";

/** What a client from `from` hears when it says `said` to `address`. */
async function ask(address: string, said: string, from = "127.0.0.1"): Promise<string> {
  const at = address.lastIndexOf(":");
  const socket = connect({
    host: address.slice(0, at),
    port: Number(address.slice(at + 1)),
    localAddress: from,
  });
  let text = "";
  socket.on("data", (bytes: Uint8Array) => text += latin1(bytes));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.write(said, "latin1");
  await closed;
  return text;
}

Deno.test("Listeners take the PROXY protocol from trusted networks and from nobody else", async (t) => {
  await using trusting = await edge(["127.0.0.1", "192.0.2.0/24"]);
  const { proxy, http, tcp } = trusting;
  const told = async (said: string, from?: string): Promise<string> => {
    const answer = await ask(http, said, from);
    assert.match(answer, /^HTTP\/1\.1 200 /);
    return answer.slice(answer.indexOf("\r\n\r\n") + 4).replace(/^[0-9a-f]+\r\n|\r\n.*$/gs, "");
  };

  await t.step("version 1 and 2 say who the client is, the app is told", async () => {
    assert.equal(await told(`PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n${ASK}`), "203.0.113.9");
    assert.equal(await told(`PROXY TCP6 2001:db8::9 ::1 4711 80\r\n${ASK}`), "2001:db8::9");
    assert.equal(await told(`${V2}${ASK}`), "192.0.2.1");
  });

  await t.step("UNKNOWN and LOCAL leave the balancer's own address", async () => {
    assert.equal(await told(`PROXY UNKNOWN\r\n${ASK}`), "127.0.0.1");
    assert.equal(await told(`${V2.slice(0, 12)}\x20\0\0\0${ASK}`), "127.0.0.1");
  });

  await t.step("a header in single bytes is a header", async () => {
    using client = new TcpClient(http);
    client.socket.setNoDelay(true);
    for (const byte of V2 + ASK) {
      await new Promise<void>((resolve) => client.socket.write(byte, "latin1", () => resolve()));
    }
    await client.until(({ text }) => text.includes("192.0.2.1"));
  });

  await t.step("who is not trusted comes as who they are, and may not send a header", async () => {
    assert.equal(await told(ASK, "127.0.0.2"), "127.0.0.2");
    const forged = await ask(
      http,
      `PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n${ASK}`,
      "127.0.0.2",
    );
    assert.doesNotMatch(forged, /^HTTP\/1\.1 2|203\.0\.113\.9/);
  });

  await t.step("a trusted peer without a header, or with garbage, hears nothing", async () => {
    assert.equal(await ask(http, ASK), "");
    assert.equal(await ask(http, `PROXY TCP4 nonsense\r\n${ASK}`), "");
    assert.equal(await ask(http, `${V2.slice(0, 12)}\x31\0\0\0${ASK}`), "");
  });

  await t.step(
    "one that sends nothing is closed at the head timeout, one that leaves is no refusal",
    async () => {
      const before = await proxy.metric('denim_connections_refused_total{listener="http"}');
      using silent = new TcpClient(http);
      using leaving = new TcpClient(http);
      leaving.end();
      await leaving.until(({ closed }) => closed === "");
      await silent.until(({ ended, closed }) => ended || closed !== null);
      const after = await proxy.metric('denim_connections_refused_total{listener="http"}');
      assert.equal(after - before, 1);
    },
  );

  await t.step("a TCP listener takes it too, and the bytes after it are the tunnel's", async () => {
    using client = new TcpClient(tcp);
    client.send(`PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\nhello`);
    await client.until(({ text }) => text === "hello");
    client.send(" again").end();
    await client.until(({ text, ended }) => text === "hello again" && ended);
  });

  const logs = await proxy.stop();
  const lines = logs.split("\n").filter((line) => line.startsWith("{")).map((line) =>
    JSON.parse(line)
  );
  const refusals = lines.filter((line) => line.msg === "inbound.refused").map((line) =>
    line.reason
  );
  assert.deepEqual(refusals, [
    ...new Array(3).fill("proxy_protocol.bad_header"),
    "proxy_protocol.timeout",
  ]);
  const remotes = lines.filter((line) => line.status === 200).map((line) => line.remote);
  assert.ok(remotes.includes("203.0.113.9:4711") && remotes.includes("192.0.2.1:4660"), logs);
  const tunnel = lines.find((line) => line.listener === "tcp");
  assert.deepEqual([tunnel.remote, tunnel.bytes_up], ["203.0.113.9:4711", 11]);
});

Deno.test("A gateway behind haproxy with send-proxy sees the clients and not haproxy", async (t) => {
  if (await Haproxy.version() === null) {
    return console.log("skipped: there is no haproxy on the PATH");
  }
  await using trusting = await edge(["127.0.0.1"]);
  for (const send of ["send-proxy", "send-proxy-v2"] as const) {
    await t.step(send, async () => {
      const port = freePort();
      const fronts = [`127.0.0.1:${port}`, ...(hasIpv6() ? [`[::1]:${port}`] : [])];
      await using _haproxy = await Haproxy.balancing(
        fronts,
        Number(trusting.http.split(":")[1]),
        send,
      );
      assert.match(await ask(`127.0.0.1:${port}`, ASK, "127.0.0.3"), /\r\n127\.0\.0\.3/);
      if (hasIpv6()) assert.match(await ask(`::1:${port}`, ASK, "::1"), /\r\n::1/);
    });
  }
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
