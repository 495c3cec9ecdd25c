/** A peer that does not read gets all the same what was written to it, and holds up nobody's memory. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Codec } from "../core/stream.ts";
import { Connection } from "./connection.ts";
import { slab } from "./slab.ts";

/** Says nothing and tells when it may go on. */
class Quiet implements Codec {
  readonly protocol = "tcp";
  readonly phase = 0;
  room = Promise.withResolvers<void>();
  receive(): void {}
  eof(): void {}
  drained(): void {
    this.room.resolve();
  }
  drain(): void {}
  close(): void {}
}

async function open(
  server: Server,
): Promise<{ connection: Connection; codec: Quiet; far: Socket }> {
  const { port } = server.address() as { port: number };
  const accepted = once(server, "connection");
  const far = connect(port, "127.0.0.1");
  far.pause();
  const [near] = await accepted as [Socket];
  const connection = new Connection(near, { received() {}, gone() {} });
  const codec = new Quiet();
  connection.codec = codec;
  connection.open();
  return { connection, codec, far };
}

Deno.test("A connection whose peer does not read takes what waits out of the shared slab", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const slow = await open(server), quick = await open(server);
  let sent = 0;
  const piece = (): Uint8Array => Uint8Array.from({ length: 30_000 }, () => (sent++ * 7) & 0xff);
  while (slow.connection.write(piece())) await new Promise((resolve) => setTimeout(resolve, 0));

  // Others go on meanwhile; the slab they use is soon the same one again and again.
  let got = 0;
  quick.far.on("data", (bytes: Uint8Array) => got += bytes.length).resume();
  const slabs = new Set<ArrayBufferLike>();
  for (let i = 0; i < 200; i++) {
    quick.connection.write(new Uint8Array(30_000).fill(0xaa));
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (i >= 100) slabs.add(slab.bytes.buffer);
  }
  while (got < 200 * 30_000) await once(quick.far, "data");
  assert.ok(slabs.size <= 2, `${slabs.size} slabs for one connection's writes`);

  let read = 0;
  slow.far.on("data", (bytes: Uint8Array) => {
    for (const byte of bytes) assert.equal(byte, (read++ * 7) & 0xff);
  }).resume();
  await slow.codec.room.promise;
  while (read < sent) await once(slow.far, "data");
  for (const { connection, far } of [slow, quick]) {
    connection.destroy();
    far.destroy();
  }
  server.close();
  await once(server, "close");
});

Deno.test("A piece larger than the slab takes arrives whole and in order", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { connection, far } = await open(server);
  const bytes = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7 + (i >> 10)) & 0xff);
  connection.write(bytes.subarray(0, 10));
  connection.write(bytes.subarray(10));
  const got: Uint8Array[] = [];
  let size = 0;
  far.on("data", (read: Uint8Array) => {
    got.push(read);
    size += read.length;
  }).resume();
  while (size < bytes.length) await once(far, "data");
  assert.deepEqual(Buffer.concat(got), Buffer.from(bytes));
  connection.destroy();
  far.destroy();
  server.close();
  await once(server, "close");
});

Deno.test("A connection that many exchanges share says sooner that it has enough", async () => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const alone = await open(server), shared = await open(server);
  shared.connection.batch();
  const fill = ({ connection }: { connection: Connection }): number => {
    let written = 0;
    do written += 4096; while (connection.write(new Uint8Array(4096)));
    return written;
  };
  assert.ok(fill(shared) <= 100 * 1024);
  assert.ok(fill(alone) > 256 * 1024);
  for (const { connection, far } of [alone, shared]) {
    connection.destroy();
    far.destroy();
  }
  server.close();
  await once(server, "close");
});
