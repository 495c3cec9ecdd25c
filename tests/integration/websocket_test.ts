/** WebSockets (RFC 6455) through the edge and through two sidecars: an independent client, an independent server. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { connect, type Socket } from "node:net";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { http } from "../support/http.ts";
import { meshRoute, startMesh, type TestMesh, until } from "../support/mesh.ts";

const MESSAGE_BYTES = 1 << 20;

/** Echoes what it gets; some first words ask for something else. */
async function echoServer() {
  const requests: IncomingMessage[] = [];
  const closes: number[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    response.end(request.headers["sec-websocket-version"] === undefined ? "plain" : "no socket");
  });
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: 8 * MESSAGE_BYTES,
    perMessageDeflate: true,
    handleProtocols: (offered) => offered.has("chat") ? "chat" : false,
  });
  server.on("upgrade", (request, socket, head) => {
    requests.push(request);
    if (request.url === "/refuse") {
      return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nclosed");
    }
    if (request.url === "/200") {
      return void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nplain");
    }
    if (request.url === "/forged") {
      const accept = "sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
      return void socket.end(
        `HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n${accept}\r\n\r\n`,
      );
    }
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => {});
      ws.on("close", (code) => void closes.push(code));
      ws.on("message", (data: Uint8Array, binary) => {
        const text = binary ? "" : data.toString();
        if (text.startsWith("close ")) return ws.close(Number(text.slice(6)), "as you wish");
        if (text === "cut") return ws.terminate();
        if (text === "ping") return ws.ping("are you there");
        ws.send(data, { binary });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    requests,
    closes,
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const ws of sockets.clients) ws.terminate();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** An open socket. */
function open(url: string, host: string, protocols: string[] = []): Promise<WebSocket> {
  const ws = new WebSocket(url.replace("http:", "ws:"), protocols, {
    headers: { host },
    maxPayload: 8 * MESSAGE_BYTES,
  });
  return new Promise((resolve, reject) => {
    ws.once("open", () => resolve(ws));
    ws.once("error", reject);
  });
}

function nextMessage(ws: WebSocket): Promise<{ data: Uint8Array; binary: boolean }> {
  return new Promise((resolve, reject) => {
    ws.once("message", (data: Uint8Array, binary) => resolve({ data, binary }));
    ws.once("close", (code) => reject(new Error(`closed with ${code}`)));
  });
}

async function echoed(ws: WebSocket, message: string | Uint8Array): Promise<string | Uint8Array> {
  const answer = nextMessage(ws);
  ws.send(message);
  const { data, binary } = await answer;
  return binary ? new Uint8Array(data) : data.toString();
}

function closed(ws: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) =>
    ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() }))
  );
}

function noise(bytes: number): Uint8Array {
  const data = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) data[i] = (i * 2654435761) >>> 24;
  return data;
}

/** The RFC 6455 cases, by one way in. */
async function suite(t: Deno.TestContext, way: string, url: string, host: string): Promise<void> {
  const step = (name: string, run: () => Promise<void>) => t.step(`${way}: ${name}`, run);

  await step("texts and binaries of every length coding come back as they were", async () => {
    const ws = await open(url, host);
    for (const size of [0, 1, 125, 126, 127, 65535, 65536, MESSAGE_BYTES]) {
      assert.deepEqual(await echoed(ws, noise(size)), noise(size), `${size} bytes`);
    }
    assert.equal(await echoed(ws, "κόσμε 🌍"), "κόσμε 🌍");
    ws.close();
    await closed(ws);
  });

  await step("a message in many fragments with pings between them", async () => {
    const ws = await open(url, host);
    const pongs: string[] = [];
    ws.on("pong", (data) => pongs.push(data.toString()));
    const answer = nextMessage(ws);
    for (let i = 0; i < 50; i++) {
      ws.send(`part ${i} `, { fin: i === 49 });
      if (i % 10 === 0) ws.ping(String(i));
    }
    const { data } = await answer;
    assert.equal(data.toString(), Array.from({ length: 50 }, (_, i) => `part ${i} `).join(""));
    await until(() => pongs.length === 5 ? true : null, 2000);
    assert.deepEqual(pongs, ["0", "10", "20", "30", "40"]);
    ws.terminate();
  });

  await step("a ping of the server's reaches the client", async () => {
    const ws = await open(url, host);
    const ping = new Promise<string>((resolve) => ws.once("ping", (data) => resolve(String(data))));
    ws.send("ping");
    assert.equal(await ping, "are you there");
    ws.terminate();
  });

  await step("close codes and reasons pass both ways", async () => {
    for (const code of [1000, 1001, 1011, 3000, 4999]) {
      const ws = await open(url, host);
      const end = closed(ws);
      ws.send(`close ${code}`);
      assert.deepEqual(await end, { code, reason: "as you wish" });
    }
    const ws = await open(url, host);
    const end = closed(ws);
    ws.close(4321, "mine");
    assert.deepEqual(await end, { code: 4321, reason: "mine" });
  });

  await step("a server that breaks off breaks the client off", async () => {
    const ws = await open(url, host);
    const end = closed(ws);
    ws.send("cut");
    assert.equal((await end).code, 1006);
  });

  await step("a subprotocol is agreed on end to end", async () => {
    const ws = await open(url, host, ["other", "chat"]);
    assert.equal(ws.protocol, "chat");
    ws.terminate();
  });

  await step("a hundred sockets at once keep their messages apart", async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => open(url, host)));
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(all.map((ws, i) => echoed(ws, `${round} of ${i}`)));
      assert.deepEqual(answers, all.map((_, i) => `${round} of ${i}`));
    }
    for (const ws of all) ws.terminate();
  });

  await step("a slow reader holds the sender back and loses nothing", async () => {
    const ws = await open(url, host);
    let got = 0;
    ws.on("message", (data: Uint8Array) => got += data.length);
    ws.pause();
    for (let i = 0; i < 8; i++) ws.send(noise(MESSAGE_BYTES));
    await new Promise((resolve) => setTimeout(resolve, 100));
    ws.resume();
    await until(() => got === 8 * MESSAGE_BYTES ? true : null, 10_000, () => `${got} bytes came`);
    ws.terminate();
  });

  await step("a refusal is an answer, and a success that is no switch is none", async () => {
    const answers = { "/refuse": 403, "/forged": 502, "/200": 502 };
    for (const [path, status] of Object.entries(answers)) {
      await assert.rejects(open(url + path, host), new RegExp(`${status}`), path);
    }
    // The way is as good as before.
    assert.equal((await http(url, { headers: { host } })).body, "plain");
  });
}

/** A raw socket: what a client library would never send. */
class Raw {
  text = "";
  ended = false;
  readonly socket: Socket;
  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    this.socket.on("data", (bytes) => this.text += bytes.toString("latin1"));
    this.socket.on("end", () => this.ended = true);
    this.socket.on("error", () => this.ended = true);
  }
  has(pattern: RegExp): Promise<unknown> {
    return until(() => this.text.match(pattern), 5000, () => `It said: ${this.text}`);
  }
}

const HANDSHAKE = "GET / HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/** A masked text frame "hi" with a mask of zeroes. */
const HI = "\x81\x82\0\0\0\0hi";

async function rawSuite(t: Deno.TestContext, way: string, url: string, host: string) {
  const handshake = HANDSHAKE.replace("HOST", host);

  await t.step(`${way}: frames sent with the handshake are held, not lost`, async () => {
    const raw = new Raw(url);
    raw.socket.write(handshake + HI, "latin1");
    // deno-lint-ignore no-control-regex -- a frame begins with such
    await raw.has(/101 [^]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=[^]*\r\n\r\n\x81\x02hi$/);
    raw.socket.destroy();
  });

  await t.step(`${way}: a client that ends its half still gets its answers`, async () => {
    const raw = new Raw(url);
    raw.socket.end(handshake + HI + HI, "latin1");
    // deno-lint-ignore no-control-regex -- a frame begins with such
    await raw.has(/\x81\x02hi\x81\x02hi/);
    await until(() => raw.ended ? true : null, 5000);
  });

  await t.step(`${way}: nothing is smuggled behind a refused handshake`, async () => {
    const raw = new Raw(url);
    const refused = handshake.replace("GET /", "GET /refuse");
    raw.socket.write(`${refused}GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`, "latin1");
    await until(() => raw.ended ? true : null, 5000);
    assert.equal(raw.text.match(/HTTP\/1\.1/g)!.length, 1);
    assert.match(raw.text, /^HTTP\/1\.1 403 [^]*connection: close\r\n[^]*closed$/);
  });
}

Deno.test("WebSockets pass the edge and two sidecars as if nothing were between", async (t) => {
  await using echo = await echoServer();
  await using mesh: TestMesh = await startMesh({
    services: [{ name: "web" }, { name: "chat", address: echo.address }],
    resources: [meshRoute("chat", [{ backendRefs: [{ name: "chat", port: 80 }] }])],
  });
  const edge = mesh.gatewayUrl, sidecar = mesh.outbound("web");
  await suite(t, "edge", edge, "shop.example");
  await suite(t, "sidecars", sidecar, "chat");
  await rawSuite(t, "edge", edge, "shop.example");
  await rawSuite(t, "sidecars", sidecar, "chat");

  await t.step("the app is told who called, and no handshake key but the last hop's", () => {
    assert.ok(echo.requests.length > 0);
    for (const { headers, url } of echo.requests) {
      assert.match(String(headers["x-denim-peer"]), /^spiffe:\/\/mesh\.local\/ns\/default\/sa\//);
      assert.notEqual(headers["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
      assert.notEqual(url, "/smuggled");
    }
  });
});
