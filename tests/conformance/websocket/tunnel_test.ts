/**
 * After the handshake a proxy carries bytes, whatever they are: random ones in random pieces arrive as they
 * were; each direction ends by itself; who breaks off is heard on the other side; a slow reader holds the
 * writer back. Raw sockets at both ends of two sidecars, and `ws` where frames matter.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { startMesh, type TestMesh, until } from "../../support/mesh.ts";
import { Client } from "../h1/wire.ts";

const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MB = 1024 * 1024;
const SESSIONS = 20;

/** Answers every handshake, then hands the socket over with what came behind the head. */
async function rawServer(serve: (path: string, socket: Socket, early: string) => void) {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.setEncoding("latin1");
    let held = "";
    const listen = (text: string): void => {
      held += text;
      const end = held.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", listen);
      const key = /\r\nsec-websocket-key: ([^\r]*)/i.exec(held)![1];
      const accept = createHash("sha1").update(key + GUID).digest("base64");
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n" +
          `sec-websocket-accept: ${accept}\r\n\r\n`,
      );
      serve(/^GET (\S+)/.exec(held)![1]!, socket, held.slice(end + 4));
    };
    socket.on("data", listen);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function handshake(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: raw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

/** A client whose handshake is done. */
async function opened(url: string, path: string): Promise<Client> {
  const client = new Client(url);
  client.send(handshake(path));
  await client.has(/^HTTP\/1\.1 101 [^]*\r\n\r\n/);
  client.text = client.text.slice(client.text.indexOf("\r\n\r\n") + 4);
  return client;
}

/** Numbers in [0, 1) that a seed repeats. */
function numbers(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Writes `bytes` in random pieces, some of one byte, some with a turn between them. */
async function inPieces(socket: Socket, bytes: Uint8Array, random: () => number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const most = [1, 10, 2000, 70_000][Math.floor(random() * 4)]!;
    const to = Math.min(bytes.length, at + 1 + Math.floor(random() * most));
    socket.write(bytes.subarray(at, to));
    at = to;
    if (random() < 0.3) await new Promise((resolve) => setImmediate(resolve));
  }
}

function digest(latin1: string): string {
  return createHash("sha256").update(latin1, "latin1").digest("hex");
}

const residentBytes = async (pid: number): Promise<number> => {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) * 1024;
};

Deno.test("A tunnel through two sidecars carries bytes as they are", async (t) => {
  const random = numbers(seed);
  const got = new Map<string, { text: string; ended: boolean; reset: boolean }>();
  const outgoing = new Map<string, Uint8Array>();
  let flooded = 0;
  await using raw = await rawServer((path, socket, early) => {
    const seen = { text: early, ended: false, reset: false };
    got.set(path, seen);
    socket.on("error", () => seen.reset = true);
    socket.on("close", (failed) => seen.reset ||= failed);
    socket.on("end", () => seen.ended = true);
    if (path === "/slow") return; // reads nothing until it is told to
    if (path !== "/flood") {
      socket.on("data", (text: string) => seen.text += text);
    }
    if (path.startsWith("/random")) {
      return void inPieces(socket, outgoing.get(path)!, numbers(path.length)).then(() =>
        socket.end()
      );
    }
    if (path === "/last-word") socket.on("end", () => socket.end("last word"));
    if (path === "/done") socket.end("all I have");
    if (path === "/cut") socket.once("data", () => socket.resetAndDestroy());
    if (path !== "/flood") return;
    const piece = new Uint8Array(MB);
    const more = (): void => {
      while (!socket.destroyed && flooded < 200 * MB) {
        flooded += MB;
        if (!socket.write(piece)) return void socket.once("drain", more);
      }
    };
    more();
  });
  await using mesh: TestMesh = await startMesh({
    services: [{ name: "web" }, { name: "raw", address: raw.address }],
    gateway: false,
  });
  const url = mesh.outbound("web");

  await t.step(
    `${SESSIONS} at once, random bytes both ways in random pieces (SEED=${seed})`,
    async () => {
      await Promise.all(Array.from({ length: SESSIONS }, async (_, i) => {
        const path = `/random${i}`;
        const up = randomBytes(Math.floor(random() * 300_000));
        const down = randomBytes(Math.floor(random() * 300_000));
        outgoing.set(path, down);
        using client = await opened(url, path);
        await inPieces(client.socket, up, numbers(seed + i));
        client.socket.end();
        assert.equal(digest(await client.whole()), createHash("sha256").update(down).digest("hex"));
        await until(
          () => got.get(path)!.ended ? true : null,
          5_000,
          () => `${path}: ${got.get(path)!.text.length} of ${up.length} bytes, and no end`,
        );
        assert.equal(digest(got.get(path)!.text), createHash("sha256").update(up).digest("hex"));
      }));
    },
  );

  await t.step("a client that has ended is still told what the server has to say", async () => {
    using client = await opened(url, "/last-word");
    client.socket.end("my last");
    assert.equal(await client.whole(), "last word");
    assert.deepEqual(got.get("/last-word"), { text: "my last", ended: true, reset: false });
  });

  await t.step("a server that has ended is still told what the client has to say", async () => {
    using client = await opened(url, "/done");
    assert.equal(await client.whole(), "all I have");
    client.send("and I: ");
    client.socket.end("goodbye");
    await until(() => got.get("/done")!.ended ? true : null, 5_000);
    assert.equal(got.get("/done")!.text, "and I: goodbye");
  });

  await t.step("a client that breaks off is heard by the server, as a reset", async () => {
    using client = await opened(url, "/broken");
    client.send("half a fra");
    await until(() => got.get("/broken")!.text === "half a fra" ? true : null, 5_000);
    client.socket.resetAndDestroy();
    await until(() => got.get("/broken")!.reset ? true : null, 5_000);
    assert.equal(got.get("/broken")!.ended, false, "no clean end where there was none");
  });

  await t.step("a server that breaks off is heard by the client", async () => {
    using client = await opened(url, "/cut");
    const failed = new Promise<string>((resolve) =>
      client.socket.once("error", (e: NodeJS.ErrnoException) => resolve(e.code ?? ""))
    );
    client.send("x");
    assert.equal(await failed, "ECONNRESET");
  });

  await t.step("who does not read holds the other back, and no proxy takes it all", async () => {
    using client = await opened(url, "/flood");
    client.socket.pause();
    let settled = -1;
    while (settled !== flooded) {
      settled = flooded;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    // What sockets and high-water marks hold in three hops, and far from all of it.
    assert.ok(settled < 60 * MB, `${settled / MB} MB left the server while nobody read`);
    for (const key of ["web", "raw"]) {
      const resident = await residentBytes(mesh.process(key).pid!);
      assert.ok(resident < 300 * MB, `${key} has ${Math.round(resident / MB)} MB`);
    }
  });
});

Deno.test("Frames through two sidecars are those of the other end", async (t) => {
  const closes = new Map<string, number>();
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: 0,
    perMessageDeflate: true,
    maxPayload: 64 * MB,
  });
  server.on("connection", (ws, request) => {
    ws.on("error", () => {});
    ws.on("close", (code) => closes.set(request.url!, code));
    ws.on("message", (data: Uint8Array, binary) => ws.send(data, { binary }));
  });
  await new Promise((resolve) => server.once("listening", resolve));
  await using mesh = await startMesh({
    services: [
      { name: "web" },
      { name: "chat", address: `127.0.0.1:${(server.address() as AddressInfo).port}` },
    ],
    gateway: false,
  });
  const open = (path: string, compressed = false): Promise<WebSocket> => {
    const ws = new WebSocket(mesh.outbound("web").replace("http:", "ws:") + path, {
      headers: { host: "chat" },
      perMessageDeflate: compressed,
      maxPayload: 64 * MB,
    });
    return new Promise((resolve, reject) => {
      ws.once("open", () => resolve(ws));
      ws.once("error", reject);
    });
  };
  const echoed = async (ws: WebSocket, message: Uint8Array): Promise<Uint8Array> => {
    const answer = new Promise<Uint8Array>((resolve) =>
      ws.once("message", (data: Uint8Array) => resolve(data))
    );
    ws.send(message);
    return new Uint8Array(await answer);
  };

  await t.step("compression is agreed on end to end, and its frames pass", async () => {
    const ws = await open("/deflate", true);
    assert.match(ws.extensions, /permessage-deflate/);
    const text = new TextEncoder().encode("a sentence that repeats itself. ".repeat(50_000));
    assert.deepEqual(await echoed(ws, text), text);
    ws.terminate();
    const plain = await open("/plain", false);
    assert.equal(plain.extensions, "", "nobody added an extension on the way");
    plain.terminate();
  });

  await t.step("a message of 32 MB comes back as it was", async () => {
    const ws = await open("/big");
    const message = new Uint8Array(randomBytes(32 * MB));
    const back = await echoed(ws, message);
    assert.equal(
      createHash("sha256").update(back).digest("hex"),
      createHash("sha256").update(message).digest("hex"),
    );
    ws.terminate();
  });

  await t.step(
    "a client that vanishes is 1006 at the server, one that says why is heard",
    async () => {
      const gone = await open("/gone");
      gone.terminate();
      const polite = await open("/polite");
      polite.close(4000, "enough");
      await until(() => closes.has("/gone") && closes.has("/polite") ? true : null, 5_000);
      assert.deepEqual([closes.get("/gone"), closes.get("/polite")], [1006, 4000]);
    },
  );

  for (const ws of server.clients) ws.terminate();
  await new Promise((resolve) => server.close(resolve));
});
