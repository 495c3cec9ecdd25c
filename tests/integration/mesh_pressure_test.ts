/** Slow ends of a mesh hop: what is held for them stays small, and the others on the connection go on. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { http } from "../support/http.ts";
import { startMesh, type TestMesh, until } from "../support/mesh.ts";

const MB = 1024 * 1024;
const STREAMS = 10;
/** What the kernel may hold for one stream in the six socket buffers between both ends, and we besides. */
const IN_TRANSIT = 24 * MB;
/** Kernel buffers are not counted in it; windows and queues of all streams, and garbage, are. */
const GROWTH = 100 * MB;

async function rss(mesh: TestMesh): Promise<number> {
  const each = ["web", "files"].map(async (key) =>
    (await (await fetch(`${mesh.admin(key)}/stats`)).json()).rssBytes as number
  );
  return Math.max(...await Promise.all(each));
}

function ask(mesh: TestMesh, head: string): Socket {
  const { hostname, port } = new URL(mesh.outbound("web"));
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => {});
  socket.write(`${head} HTTP/1.1\r\nhost: files\r\n`);
  return socket;
}

/** The small requests beside them take the same connection between the sidecars. */
async function othersAreServed(mesh: TestMesh): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const answer = await http(mesh.outbound("web"), { headers: { host: "files" } });
    assert.deepEqual([answer.status, answer.body], [200, "small"]);
  }
}

/** Resolves when `count` has not changed for a while: the whole chain stands still. */
async function still(count: () => number): Promise<number> {
  for (let last = -1; last !== count();) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
  return count();
}

Deno.test("Readers that stop reading stop the origin, hold little, and hold up nobody else", async () => {
  let sent = 0;
  const piece = new Uint8Array(64 * 1024);
  const size = 60 * MB;
  await using mesh = await startMesh({
    gateway: false,
    services: [{ name: "web" }, {
      name: "files",
      app: (request) => {
        if (!request.url.endsWith("/big")) return new Response("small");
        let left = size;
        const body = new ReadableStream<Uint8Array>({
          pull(out) {
            out.enqueue(piece);
            sent += piece.length;
            left -= piece.length;
            if (left === 0) out.close();
          },
        });
        return new Response(body);
      },
    }],
  });
  const before = await rss(mesh);
  const readers = Array.from({ length: STREAMS }, () => {
    const socket = ask(mesh, "GET /big");
    socket.pause();
    socket.write("connection: close\r\n\r\n");
    return socket;
  });
  const settled = await still(() => sent);
  assert.ok(settled < STREAMS * IN_TRANSIT, `${settled / MB} MB left the origin`);
  assert.ok(settled < STREAMS * size, "nothing was held back: this tests nothing");
  await othersAreServed(mesh);
  const grown = await rss(mesh) - before;
  assert.ok(grown < GROWTH, `grew by ${grown / MB} MB`);

  // One of them reads on and gets all of it; the others do not hold it up.
  const [first] = readers;
  let got = 0;
  first!.on("data", (bytes: Uint8Array) => got += bytes.length);
  first!.resume();
  await once(first!, "end");
  assert.ok(got > size, `${got} bytes came`);
  for (const socket of readers) socket.destroy();
  await othersAreServed(mesh);
});

Deno.test("An application that stops reading stops its clients, holds little, and holds up nobody else", async () => {
  const stalled: Socket[] = [];
  let taken = 0;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (bytes: Uint8Array) => {
      if (new TextDecoder().decode(bytes).startsWith("POST")) {
        taken += bytes.length; // its head is more than what the first read may lack of the body
        socket.pause();
        stalled.push(socket);
        socket.on("data", (more: Uint8Array) => taken += more.length);
        return;
      }
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nsmall");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    await using mesh = await startMesh({
      gateway: false,
      services: [{ name: "web" }, { name: "files", address: `127.0.0.1:${port}` }],
    });
    const before = await rss(mesh);
    const size = 60 * MB;
    let written = 0;
    const writers = Array.from({ length: STREAMS }, () => {
      const socket = ask(mesh, "POST /up");
      socket.write(`content-length: ${size}\r\n\r\n`);
      void (async () => {
        for (let sent = 0; sent < size && !socket.destroyed; sent += MB) {
          const more = socket.write(new Uint8Array(MB), () => written += MB);
          if (!more) await once(socket, "drain").catch(() => {});
        }
      })();
      return socket;
    });
    const settled = await still(() => written);
    assert.ok(settled < STREAMS * IN_TRANSIT, `${settled / MB} MB left the clients`);
    await othersAreServed(mesh);
    const grown = await rss(mesh) - before;
    assert.ok(grown < GROWTH, `grew by ${grown / MB} MB`);

    // One of them is read on, and all of it arrives.
    stalled[0]!.resume();
    await until(() => taken >= size ? true : null, 30_000, () => `${taken} bytes came`);
    for (const socket of [...writers, ...stalled]) socket.destroy();
    await othersAreServed(mesh);
  } finally {
    for (const socket of stalled) socket.destroy();
    server.close();
  }
});
