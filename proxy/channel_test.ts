/** Channels over real sockets, by handle and by stream: the same is promised of both. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { type Channel, type ChannelOwner, openChannel } from "./channel.ts";
import { TestDomain } from "../tests/support/ca.ts";

const MIB = 1024 * 1024;
const KINDS: readonly (readonly [string, null | undefined])[] = [["by handle", undefined], [
  "by stream",
  null,
]];

class Owner implements ChannelOwner {
  got = "";
  bytes = 0;
  sends = 0;
  readonly last = true;
  #waiter: (() => void) | null = null;

  read(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (bytes.length < 1000) this.got += new TextDecoder().decode(bytes);
    this.#waiter?.();
  }
  sent(): void {
    this.sends++;
    this.#waiter?.();
  }
  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise<void>((resolve) => this.#waiter = resolve);
    this.#waiter = null;
  }
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

/** Two ends of one connection. */
async function pair(): Promise<{ near: Socket; far: Socket; close(): void }> {
  const server = createServer({ allowHalfOpen: true });
  const port = await portOf(server);
  const accepted = once(server, "connection");
  const far = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  const [near] = await accepted as [Socket];
  for (const socket of [near, far]) socket.on("error", () => {});
  return {
    near,
    far,
    close: () => {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}

for (const [kind, binding] of KINDS) {
  Deno.test(`A channel ${kind} gives what the socket had read before, then what comes`, async () => {
    const { near, far, close } = await pair();
    far.write("first ");
    while (near.readableLength < 6) await new Promise((resolve) => setTimeout(resolve, 1));
    const owner = new Owner();
    openChannel(near, owner, false, binding).start();
    far.write("second");
    await owner.until(() => owner.bytes >= 12);
    assert.equal(owner.got, "first second");
    close();
  });

  Deno.test(`A channel ${kind} that is paused holds the sender back`, async () => {
    const { near, far, close } = await pair();
    const owner = new Owner();
    const channel = openChannel(near, owner, true, binding);
    channel.start();
    await stuck(far);
    assert.equal(owner.bytes, 0);
    const written = far.bytesWritten - far.writableLength;
    channel.resume();
    await owner.until(() => owner.bytes >= written);
    close();
  });

  Deno.test(`A channel ${kind} is busy until the system has taken a large write`, async () => {
    const { near, far, close } = await pair();
    const owner = new Owner();
    const channel = openChannel(near, owner, false, binding);
    channel.start();
    far.pause();
    const size = 64 * MIB;
    channel.writeAll([new Uint8Array(size / 2).fill(1), new Uint8Array(size / 2).fill(2)]);
    assert.ok(channel.busy);
    assert.ok(channel.waiting > 0);
    let ones = 0, twos = 0;
    far.on("data", (bytes: Uint8Array) => {
      for (const byte of bytes) byte === 1 ? ones++ : twos++;
    });
    far.resume();
    await owner.until(() => !channel.busy);
    while (ones + twos < size) await once(far, "data");
    assert.deepEqual([ones, twos, owner.sends > 0], [size / 2, size / 2, true]);
    close();
  });

  Deno.test(`A channel ${kind} leaves the end to the socket, after all that came before`, async () => {
    const { near, far, close } = await pair();
    const owner = new Owner();
    openChannel(near, owner, false, binding).start();
    const ended = once(near, "end");
    far.end("last words");
    await ended;
    assert.equal(owner.got, "last words");
    close();
  });
}

Deno.test("A channel under TLS passes bytes both ways and holds the sender back while paused", async () => {
  const domain = new TestDomain("edge.test");
  const { chainPem, keyPem } = domain.issue("edge", {
    uris: [],
    dnsNames: ["edge.test"],
    extKeyUsage: ["1.3.6.1.5.5.7.3.1"],
  });
  const owner = new Owner();
  const opened = Promise.withResolvers<Channel>();
  const server = createTlsServer({ cert: chainPem, key: keyPem }, (socket) => {
    socket.on("error", () => {});
    const channel = openChannel(socket, owner, false);
    channel.start();
    opened.resolve(channel);
  });
  const port = await portOf(server);
  const client = connectTls({
    host: "127.0.0.1",
    port,
    servername: "edge.test",
    ca: domain.rootPem,
  });
  client.on("error", () => {});
  client.write("hello");
  const channel = await opened.promise;
  await owner.until(() => owner.bytes >= 5);
  assert.equal(owner.got, "hello");
  channel.write(new TextEncoder().encode("hello you"));
  const [answer] = await once(client, "data") as [Uint8Array];
  assert.equal(new TextDecoder().decode(answer), "hello you");
  channel.pause();
  await stuck(client);
  assert.equal(owner.bytes, 5);
  const left = client.bytesWritten;
  channel.resume();
  await owner.until(() => owner.bytes >= left);
  client.destroy();
  server.close();
});

/** Writes until nothing more leaves. */
async function stuck(socket: Socket): Promise<void> {
  const chunk = new Uint8Array(MIB);
  let taken = -1;
  for (let same = 0; same < 5;) {
    if (socket.writableLength < 8 * MIB) socket.write(chunk);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = socket.bytesWritten - socket.writableLength;
    same = now === taken ? same + 1 : 0;
    taken = now;
    assert.ok(now < 256 * MIB, "nothing holds the sender back");
  }
}
