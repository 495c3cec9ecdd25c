/** A client and a server codec, back to back: what one pushes the other reports. */
import assert from "node:assert/strict";
import type { Fault } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Codec, Source, Stream, StreamSink } from "../../core/stream.ts";
import { ByteWire } from "../../tests/support/h2_frames.ts";
import { H2Client } from "./client.ts";
import { goawayFrame, NO_ERROR } from "./frame.ts";
import type { H2Limits } from "./limits.ts";
import { H2Server } from "./server.ts";

/** One direction of a socket: what is written is delivered to the other codec by pump(). */
class Pipe extends ByteWire {
  to: Codec | null = null;

  /** Delivers what is queued in pieces of `size`; true when there was something. */
  pump(size: number): boolean {
    const bytes = this.taken();
    for (let i = 0; i < bytes.length; i += size) this.to!.receive(bytes.subarray(i, i + size));
    return bytes.length > 0;
  }
}

class Log<H extends RequestHead | ResponseHead> implements StreamSink<H> {
  readonly events: string[] = [];
  bytes = 0;
  #name(head: H): string {
    return "status" in head ? String(head.status) : `${head.method} ${head.path}`;
  }
  info(head: H): void {
    this.events.push(`info ${this.#name(head)}`);
  }
  head(head: H, end: boolean): void {
    this.events.push(`head ${this.#name(head)} ${head.fields.lines.join("|")}${end ? " end" : ""}`);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.bytes += bytes.length;
    if (end) this.events.push("end");
  }
  trailers(fields: Fields): void {
    this.events.push(`trailers ${fields.lines.join("|")}`);
  }
  abort(fault: Fault): void {
    this.events.push(`abort ${fault.code}`);
  }
  closed(): void {
    this.events.push("closed");
  }
}

function rig(limits: Partial<H2Limits> = {}, pieces = 1 << 20) {
  const up = new Pipe(), down = new Pipe();
  const served: { log: Log<RequestHead>; stream: Stream<ResponseHead> }[] = [];
  const options = { nowMs: () => 0, limits };
  const server = new H2Server(down, (stream) => {
    const log = new Log<RequestHead>();
    served.push({ log, stream });
    return log;
  }, options);
  const client = new H2Client(up, options);
  up.to = server;
  down.to = client;
  const run = (): void => {
    for (let i = 0; i < 10_000; i++) {
      const sent = up.pump(pieces), answered = down.pump(pieces);
      if (!sent && !answered) return;
    }
    assert.fail("the codecs never come to rest");
  };
  return { client, server, served, up, down, run };
}

const get = (path: string): RequestHead => ({
  method: "GET",
  scheme: "https",
  authority: "a.test",
  path,
  fields: new Fields(["accept", "*/*", "cookie", "a=1"]),
});

for (const pieces of [1, 7, 1 << 20]) {
  Deno.test(`HTTP/2 carries many exchanges at once, read ${pieces} bytes at a time`, () => {
    const { client, served, run } = rig({}, pieces);
    const logs = Array.from({ length: 20 }, (_, i) => {
      const log = new Log<ResponseHead>();
      client.open(log).head(get(`/${i}`), true);
      return log;
    });
    run();
    served.toReversed().forEach(({ stream, log }) => {
      assert.match(log.events[0]!, /^head GET \/\d+ accept\|\*\/\*\|cookie\|a=1 end$/);
      stream.info({ status: 103, fields: new Fields(["link", "</a>"]) });
      stream.head({ status: 200, fields: new Fields(["content-type", "x"]) }, false);
      stream.data(new Uint8Array(100), false);
      stream.trailers(new Fields(["grpc-status", "0", "content-length", "5"]));
    });
    run();
    for (const log of logs) {
      assert.deepEqual(log.events, [
        "info 103",
        "head 200 content-type|x",
        "trailers grpc-status|0",
        "closed",
      ]);
      assert.equal(log.bytes, 100);
    }
    assert.ok(served.every(({ log }) => log.events.at(-1) === "closed"));
    assert.equal(client.phase, 0);
  });
}

Deno.test("HTTP/2 moves large bodies both ways within the windows", () => {
  const { client, served, run } = rig();
  const log = new Log<ResponseHead>();
  const stream = client.open(log);
  stream.head({ ...get("/up"), method: "POST" }, false);
  const size = 3 * 1024 * 1024;
  for (let sent = 0; sent < size; sent += 64 * 1024) {
    stream.data(new Uint8Array(64 * 1024), sent + 64 * 1024 >= size);
  }
  run();
  assert.equal(served[0]!.log.bytes, size);
  assert.equal(served[0]!.log.events.at(-1), "end");
  served[0]!.stream.head({ status: 200, fields: new Fields() }, false);
  served[0]!.stream.data(new Uint8Array(size), true);
  run();
  assert.equal(log.bytes, size);
  assert.deepEqual(log.events, ["head 200 ", "end", "closed"]);
});

Deno.test("HTTP/2 stops the sender of a paused stream at its window and leaves others alone", () => {
  const { client, served, run } = rig({ streamWindowBytes: 65_536 });
  const slow = new Log<ResponseHead>(), fast = new Log<ResponseHead>();
  client.open(slow).head(get("/slow"), true);
  const slowStream = client.open(fast);
  slowStream.head(get("/fast"), true);
  run();
  let paused = 0, resumed = 0;
  const feeder: Source = { pause: () => void paused++, resume: () => void resumed++, cancel() {} };
  const [one, two] = served;
  one!.stream.feeder = feeder;
  one!.stream.head({ status: 200, fields: new Fields() }, false);
  const first = client.streams.all()[0]!;
  first.pause();
  for (let i = 0; i < 10; i++) one!.stream.data(new Uint8Array(64 * 1024), i === 9);
  run();
  assert.equal(slow.bytes, 0, "nothing is delivered while paused");
  assert.ok(paused > 0, "the feeder was paused");
  two!.stream.head({ status: 200, fields: new Fields() }, false);
  two!.stream.data(new Uint8Array(10), true);
  run();
  assert.equal(fast.bytes, 10);
  first.resume();
  run();
  assert.equal(slow.bytes, 640 * 1024);
  assert.equal(resumed, paused);
});

Deno.test("HTTP/2 gives small streams their turn while a large one is sending", () => {
  const { client, served, up, down, run } = rig();
  const big = new Log<ResponseHead>(), small = new Log<ResponseHead>();
  client.open(big).head(get("/big"), true);
  client.open(small).head(get("/small"), true);
  run();
  down.full = true; // the socket is full from the first piece on
  served[0]!.stream.head({ status: 200, fields: new Fields() }, false);
  served[0]!.stream.data(new Uint8Array(1024 * 1024), true);
  served[1]!.stream.head({ status: 200, fields: new Fields() }, false);
  served[1]!.stream.data(new Uint8Array(100), true);
  let turns = 0;
  while (small.bytes === 0) {
    down.pump(1 << 20);
    up.pump(1 << 20);
    down.to!.drained();
    (up.to as Codec).drained();
    assert.ok(++turns < 5, "the small answer waits behind the large one");
  }
  assert.ok(big.bytes < 200 * 1024);
});

Deno.test("HTTP/2 cancels a stream on both sides and keeps the connection", () => {
  const { client, served, run } = rig();
  const log = new Log<ResponseHead>();
  const stream = client.open(log);
  stream.head(get("/"), true);
  run();
  stream.cancel({ code: "x", source: "proxy", status: 0, sent: true, detail: "" });
  run();
  assert.deepEqual(log.events, ["abort x", "closed"]);
  // The request had come whole; that nobody wants its answer any more has to be said.
  assert.deepEqual(served[0]!.log.events.slice(1), ["abort downstream.gone", "closed"]);
  const next = new Log<ResponseHead>();
  client.open(next).head(get("/next"), true);
  run();
  served[1]!.stream.head({ status: 204, fields: new Fields() }, true);
  run();
  assert.deepEqual(next.events, ["head 204  end", "closed"]);
});

Deno.test("HTTP/2 drains: what was sent is answered, what is new is refused as unseen", () => {
  const { client, server, served, run, down } = rig();
  const before = new Log<ResponseHead>();
  client.open(before).head(get("/before"), true);
  run();
  server.drain();
  const crossing = new Log<ResponseHead>();
  client.open(crossing).head(get("/crossing"), true); // sent before the GOAWAY was read
  run();
  assert.equal(client.slots, 0);
  for (const { stream } of served) stream.head({ status: 200, fields: new Fields() }, true);
  run();
  assert.deepEqual(before.events, ["head 200  end", "closed"]);
  assert.deepEqual(crossing.events, ["head 200  end", "closed"]);
  assert.equal(down.ended, true);
});

Deno.test("HTTP/2 refuses streams over its limit as certainly unseen", () => {
  const { client, served, run } = rig({ concurrentStreams: 2 });
  const logs = [0, 1, 2].map((i) => {
    const log = new Log<ResponseHead>();
    client.open(log).head(get(`/${i}`), true);
    return log;
  });
  run();
  assert.equal(served.length, 2);
  assert.deepEqual(logs[2]!.events, ["abort h2.refused_stream", "closed"]);
});

Deno.test("HTTP/2 tells streams that a GOAWAY passes over from those it does not", () => {
  const { client, run, down } = rig();
  const logs = [0, 1].map((i) => {
    const log = new Log<ResponseHead>();
    client.open(log).head(get(`/${i}`), true);
    return log;
  });
  run();
  down.write(goawayFrame(1, NO_ERROR, ""));
  run();
  assert.deepEqual(logs.map((log) => log.events), [[], ["abort h2.goaway", "closed"]]);
});
