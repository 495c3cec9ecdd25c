/** Frames over a socket: in any pieces, within limits, closed once. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { FrameSocket, MAX_UNSENT_BYTES } from "./frame_socket.ts";
import { encodeJson, encodeModule } from "./protocol.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

/** One end in the hands of a test: `push` is what arrives, `written` what was sent. */
class Wire extends Duplex {
  readonly written: Uint8Array[] = [];
  stuck = false;
  override _read(): void {}
  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    this.written.push(bytes);
    if (!this.stuck) done();
  }
}

function open(maxFrameBytes?: number) {
  const wire = new Wire();
  const seen: string[] = [];
  const closed = Promise.withResolvers<string>();
  const socket = new FrameSocket(wire, {
    json: (payload) => seen.push(new TextDecoder().decode(payload)),
    module: (digest, bytes) => seen.push(`${digest} ${bytes.length}`),
    closed: (reason) => {
      seen.push("closed");
      closed.resolve(reason);
    },
  }, maxFrameBytes);
  return { wire, socket, seen, closed: closed.promise };
}

Deno.test("FrameSocket gives the same frames whatever the pieces they come in", async () => {
  const frames = [...encodeJson({ type: "bye" }), ...encodeModule(DIGEST, new Uint8Array(300))];
  for (const size of [1, 7, frames.length]) {
    const { wire, seen, closed } = open();
    for (let at = 0; at < frames.length; at += size) {
      wire.push(Uint8Array.from(frames.slice(at, at + size)));
    }
    wire.push(null);
    await closed;
    assert.deepEqual(seen, ['{"type":"bye"}', `${DIGEST} 300`, "closed"]);
  }
});

Deno.test("FrameSocket cuts a connection that sends too large a frame or one of no known kind", async () => {
  const large = open(16);
  large.wire.push(encodeJson({ type: "error", code: "x", message: "longer than sixteen" }));
  assert.match(await large.closed, /larger than the limit/);
  const odd = open();
  odd.wire.push(Uint8Array.of(0, 0, 0, 1, 9));
  assert.match(await odd.closed, /unknown kind 9/);
});

Deno.test("FrameSocket cuts a connection whose other end does not read", async () => {
  const { wire, socket, closed } = open();
  wire.stuck = true;
  const part = new Uint8Array(8 * 1024 * 1024);
  const sent: Promise<void>[] = [];
  for (let bytes = 0; bytes <= MAX_UNSENT_BYTES + part.length; bytes += part.length) {
    sent.push(socket.sendModule(DIGEST, part));
  }
  assert.match(await closed, /does not read/);
  await Promise.all(sent);
});

Deno.test("FrameSocket closes once, and sends nothing after its end", async () => {
  const { wire, socket, seen, closed } = open();
  socket.send({ type: "bye" });
  socket.end();
  socket.send({ type: "bye" });
  socket.destroy("again");
  await closed;
  assert.deepEqual(seen, ["closed"]);
  assert.equal(wire.written.length, 1);
});
