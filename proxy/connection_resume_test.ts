/** A response that ends while its last bytes were held back must free its connection as any other does. */
import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { once } from "node:events";
import { Fields } from "../core/fields.ts";
import type { ResponseHead } from "../core/message.ts";
import type { StreamSink } from "../core/stream.ts";
import { Connection } from "./connection.ts";
import { H1Client } from "./h1/mod.ts";

const RESPONSE =
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";

Deno.test("Connection tells its owner of a slot that came free while its codec was let go on", async () => {
  const server = createServer((socket) => socket.once("data", () => socket.write(RESPONSE)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const socket = connect(address.port, "127.0.0.1");
  await once(socket, "connect");

  const free = Promise.withResolvers<void>();
  const connection = new Connection(socket, {
    received: () => {
      if (client.slots === 1) free.resolve();
    },
    gone: () => {},
  });
  const client = new H1Client(connection);
  connection.codec = client;
  connection.open();
  const paused = Promise.withResolvers<void>();
  let held = false;
  const sink: StreamSink<ResponseHead> = {
    info() {},
    head() {},
    data() {
      if (held) return;
      held = true;
      stream.pause();
      paused.resolve();
    },
    trailers() {},
    abort() {},
    closed() {},
  };
  const stream = client.open(sink);
  stream.head(
    { method: "GET", scheme: "http", authority: "a", path: "/", fields: new Fields() },
    true,
  );
  await paused.promise;
  await new Promise((resolve) => setTimeout(resolve, 0)); // out of the codec's own call
  stream.resume();
  assert.equal(client.slots, 1);
  await free.promise; // without the notice this test hangs, as the pool would
  socket.destroy();
  server.close();
  await once(server, "close");
});
