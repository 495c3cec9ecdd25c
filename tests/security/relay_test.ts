/** CONNECT to a running sidecar: a way to the ports of its Services, and to nothing else on its host. */
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { TestDomain } from "../support/ca.ts";
import { latin1, TcpApp, TcpClient } from "../support/tcp.ts";
import { Attacker, type AttackResult } from "./attacker.ts";
import { SECRET, Sidecar } from "./sidecar.ts";

const domain = new TestDomain("mesh.test");

function resources(database: TcpApp): string {
  return `
apiVersion: denim.dev/v1
kind: Service
metadata: { name: victim }
spec:
  ports:
    - { port: 80 }
    - { port: 5432, protocol: TCP, targetPort: ${database.port} }
---
apiVersion: denim.dev/v1
kind: Service
metadata: { name: other }
spec: { ports: [{ port: 5432, protocol: TCP }] }
`;
}

Deno.test("A sidecar relays CONNECT to the TCP ports of its own Services only", async (t) => {
  await using database = await TcpApp.start((socket) => socket.end("the database"));
  await using private_ = await TcpApp.start((socket) => socket.end("private"));
  await using sidecar = await Sidecar.start(domain, { resources: resources(database) });
  await using attacker = Attacker.start();
  const { chainPem, keyPem } = domain.issue("web");
  const ask = (head: string, ...fields: string[]): Promise<AttackResult> =>
    attacker.attack({
      port: sidecar.port(),
      cert: chainPem,
      key: keyPem,
      send: [`${head} HTTP/1.1`, ...fields, "", ""].join("\r\n"),
    });
  const tunnelTo = (target: string, ...fields: string[]): Promise<AttackResult> =>
    ask(`CONNECT ${target}`, `host: ${target}`, ...fields);

  await t.step("a port of a Service it stands behind is reached", async () => {
    const { data } = await tunnelTo("victim:5432", "x-denim-port: default/victim:5432");
    assert.match(data, /^HTTP\/1\.1 200 .*the database$/s);
  });
  for (
    const [what, ...fields] of [
      ["its own address, by CONNECT alone"],
      ["an address as the port", `x-denim-port: 127.0.0.1:${private_.port}`],
      ["the port of a Service of others", "x-denim-port: default/other:5432"],
      ["two ports", "x-denim-port: default/victim:5432", "x-denim-port: default/other:5432"],
      ["a port nobody knows", `x-denim-port: default/victim:${private_.port}`],
      ["the HTTP port", "x-denim-port: default/victim:80"],
    ] as const
  ) {
    await t.step(`refused: ${what}`, async () => {
      const { data } = await tunnelTo(`127.0.0.1:${private_.port}`, ...fields);
      assert.match(data, /^HTTP\/1\.1 405 .*denim-fault: route\.no_tunnel/s);
    });
  }
  await t.step("refused: an HTTP request to the TCP port", async () => {
    const before = database.accepted;
    const { data } = await ask(
      "GET /",
      "host: victim",
      "connection: close",
      "x-denim-port: default/victim:5432",
    );
    assert.match(data, /^HTTP\/1\.1 405 .*denim-fault: route\.tunnel_only/s);
    assert.equal(database.accepted, before);
  });
  await t.step("an HTTP request for a port nobody knows does not end up at another", async () => {
    const { data } = await ask(
      "GET /",
      "host: victim",
      "connection: close",
      "x-denim-port: default/victim:81",
    );
    assert.match(data, /^HTTP\/1\.1 500 /);
    assert.ok(!data.includes(SECRET), data);
  });
  assert.equal(private_.accepted, 0);
});

/** A peer of the mesh that knows HTTP/1.1 only: grants each CONNECT, says so to `asked`, and echoes. */
async function oldPeer(asked: string[]) {
  const { chainPem, keyPem } = domain.issue("db");
  const server = createServer(
    { cert: chainPem, key: keyPem, ALPNProtocols: ["http/1.1"], allowHalfOpen: true },
    (socket: TLSSocket) => {
      let head = "";
      socket.on("error", () => {});
      socket.on("end", () => socket.end(" bye"));
      socket.on("data", (bytes: Uint8Array) => {
        if (head.endsWith("\r\n\r\n")) return void socket.write(bytes);
        head += latin1(bytes);
        if (!head.endsWith("\r\n\r\n")) return;
        asked.push(head);
        socket.write("HTTP/1.1 200 OK\r\n\r\nhello ");
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

Deno.test("A tunnel to a peer without HTTP/2 is a CONNECT of HTTP/1.1 over mTLS, both ends by themselves", async () => {
  const asked: string[] = [];
  await using peer = await oldPeer(asked);
  await using sidecar = await Sidecar.start(domain, {
    service: "web",
    flags: ["--upstream", "db:5432=127.0.0.1:0"],
    resources: `
apiVersion: denim.dev/v1
kind: Service
metadata: { name: db }
spec: { ports: [{ port: 5432, protocol: TCP }] }
`,
    workloads: [{
      namespace: "default",
      service: "db",
      inbound: `127.0.0.1:${peer.port}`,
      labels: {},
      identity: domain.id("db"),
      healthy: true,
    }],
  });
  for (const word of ["one", "two"]) {
    using client = new TcpClient(sidecar.address("upstream db:5432"));
    await client.until(({ text }) => text === "hello ");
    client.send(word).end();
    await client.until(({ text, ended }) => text === `hello ${word} bye` && ended);
  }
  assert.equal(asked.length, 2);
  for (const head of asked) {
    assert.match(head, /^CONNECT db:5432 HTTP\/1\.1\r\n/);
    assert.match(head, /\r\nx-denim-port: default\/db:5432\r\n/);
  }
});
