import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { TestDomain } from "../tests/support/ca.ts";
import { Forecourt } from "./forecourt.ts";

const HEADER = "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n";

/** A server whose sockets pass a forecourt that trusts the loopback; `entered` takes them. */
async function court(entered: (socket: Socket, remote: string) => void) {
  const refused: string[] = [];
  const forecourt = new Forecourt({
    entered,
    refused: (_remote, { code }) => void refused.push(code),
  });
  forecourt.trust(["127.0.0.1"]);
  let nowMs = 0;
  const taken = Promise.withResolvers<void>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    forecourt.take(socket, nowMs);
    taken.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    forecourt,
    refused,
    taken: taken.promise,
    at: (ms: number) => nowMs = ms,
    dial: (): Socket => connect((server.address() as AddressInfo).port, "127.0.0.1"),
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

function ended(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes: Uint8Array) => text += new TextDecoder().decode(bytes));
  socket.on("error", () => {});
  return new Promise((resolve) => socket.once("close", () => resolve(text)));
}

Deno.test("Forecourt names the client while its connection lasts", async () => {
  const told = Promise.withResolvers<[Socket, string]>();
  await using place = await court((socket, remote) => told.resolve([socket, remote]));
  const client = place.dial();
  client.write(HEADER);
  const [socket, remote] = await told.promise;
  const other = `${socket.remoteAddress}:${socket.remotePort}`;
  assert.equal(remote, "203.0.113.9:4711");
  assert.equal(place.forecourt.clientOf(other), remote);
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await Promise.all([gone, ended(client)]);
  assert.equal(place.forecourt.clientOf(other), other);
});

Deno.test("Forecourt stands before TLS: what follows the header, in one piece or later, is the handshake", async () => {
  const domain = new TestDomain("edge.test");
  const { chainPem, keyPem } = domain.issue("edge", {
    uris: [],
    dnsNames: ["edge.test"],
    extKeyUsage: ["1.3.6.1.5.5.7.3.1"],
  });
  const remotes: string[] = [];
  const tls = createTlsServer({ cert: chainPem, key: keyPem }, (socket: TLSSocket) => {
    remotes.push(place.forecourt.clientOf(`${socket.remoteAddress}:${socket.remotePort}`));
    socket.end("secured");
  });
  let inside = Promise.withResolvers<void>();
  await using place = await court((socket) => {
    tls.emit("connection", socket);
    inside.resolve();
  });
  for (const together of [true, false]) {
    inside = Promise.withResolvers();
    const raw = place.dial();
    raw.write(HEADER);
    if (!together) await inside.promise;
    const socket = connectTls({ socket: raw, servername: "edge.test", ca: domain.rootPem });
    assert.equal(await ended(socket), "secured");
  }
  assert.deepEqual(remotes, new Array(2).fill("203.0.113.9:4711"));
});

Deno.test("Forecourt ends who keeps it waiting, and all who wait when it closes", async () => {
  await using place = await court(() => assert.fail("somebody came in"));
  const client = place.dial();
  client.write(HEADER.slice(0, 10));
  await place.taken;
  place.forecourt.sweep(1000, 1000);
  assert.deepEqual([place.refused, place.forecourt.waiting], [[], 1]);
  place.forecourt.sweep(1001, 1000);
  assert.deepEqual([place.refused, place.forecourt.waiting], [["proxy_protocol.timeout"], 0]);
  assert.equal(await ended(client), "");

  await using other = await court(() => assert.fail("somebody came in"));
  const waiting = other.dial();
  await other.taken;
  other.forecourt.close();
  assert.equal(other.forecourt.waiting, 0);
  assert.equal(await ended(waiting), "");
});
