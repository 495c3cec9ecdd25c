import assert from "node:assert/strict";
import fc from "fast-check";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { BUSY, HEAD, type Stream } from "../../core/stream.ts";
import { bytesOf, CountingSource, MemoryWire, Recorder, textOf } from "../h1/rig.ts";
import { request } from "../testing.ts";
import { RawClient } from "./client.ts";
import { RawServer } from "./server.ts";

const OK: ResponseHead = { status: 200, fields: new Fields() };
/** A ClientHello for a.example. */
const HELLO = new Uint8Array([
  ...[22, 3, 1, 0, 65, 1, 0, 0, 61, 3, 3, ...new Array(32).fill(7), 0, 0, 2, 0x13, 1, 1, 0, 0, 18],
  ...[0, 0, 0, 14, 0, 12, 0, 0, 9, ...bytesOf("a.example")],
]);
const EMPTY = new Uint8Array(0);

function asking(): RequestHead {
  return { ...request("CONNECT"), authority: "db:5432", upgrade: "connect" };
}

function clientRig(connected = true) {
  const wire = new MemoryWire();
  const client = new RawClient(wire);
  const sink = new Recorder<ResponseHead>();
  const stream = client.open(sink);
  stream.head(asking(), false);
  if (connected) client.connected();
  return { wire, client, sink, stream };
}

function serverRig() {
  const wire = new MemoryWire();
  const sink = new Recorder<RequestHead>();
  let stream!: Stream<ResponseHead>;
  const server = new RawServer(wire, (given) => (stream = given, sink), { authority: "db:5432" });
  server.connected();
  return { wire, server, sink, stream };
}

Deno.test("RawServer asks for its tunnel before its client has said a word, and reads nothing until it stands", () => {
  const { wire, server, sink, stream } = serverRig();
  assert.deepEqual(sink.events(), ["head CONNECT http db:5432 / "]);
  assert.equal(wire.paused, true);
  server.receive(bytesOf("early")); // the socket had read it when it was paused
  assert.deepEqual(sink.events().length, 1);
  stream.head(OK, false);
  assert.deepEqual(sink.events().slice(1), ["data early"]);
  assert.deepEqual([wire.paused, wire.written], [false, ""]);
  stream.data(bytesOf("hello"), false);
  assert.equal(wire.taken(), "hello");
});

Deno.test("RawServer resets a client that gets no tunnel, whatever the answer is", () => {
  for (const status of [302, 404, 503]) {
    const { wire, sink, stream } = serverRig();
    stream.head({ status, fields: new Fields() }, false);
    stream.data(bytesOf("an explanation that is not the server's"), true);
    assert.deepEqual(sink.events().slice(1), ["abort tunnel.refused", "closed"]);
    assert.deepEqual([wire.written, wire.wasReset], ["", true]);
  }
});

Deno.test("RawServer of TLS asks for the host its client names, and passes on all it has read", () => {
  const wire = new MemoryWire();
  const sink = new Recorder<RequestHead>();
  let stream!: Stream<ResponseHead>;
  const server = new RawServer(wire, (given) => (stream = given, sink), {
    authority: "127.0.0.1:8443",
    tls: true,
  });
  server.connected();
  assert.deepEqual([sink.events().length, wire.paused, server.phase], [0, false, HEAD]);
  const hello = textOf(HELLO);
  server.receive(HELLO.subarray(0, 20));
  assert.deepEqual([sink.events().length, wire.paused], [0, false]);
  server.receive(HELLO.subarray(20));
  assert.deepEqual(sink.events(), ["head CONNECT http a.example:8443 / "]);
  assert.deepEqual([wire.paused, server.phase], [true, BUSY]);
  stream.head(OK, false);
  assert.deepEqual(sink.events().slice(1), [`data ${hello}`]);
});

Deno.test("RawServer of TLS tells a client by an alert why it gets no tunnel", () => {
  for (const [status, alert] of [[404, 112], [503, 80]] as const) {
    const wire = new MemoryWire();
    const sink = new Recorder<RequestHead>();
    let stream!: Stream<ResponseHead>;
    const server = new RawServer(wire, (given) => (stream = given, sink), {
      authority: "127.0.0.1:8443",
      tls: true,
    });
    server.receive(HELLO);
    stream.head({ status, fields: new Fields() }, false);
    assert.deepEqual(sink.events().slice(1), ["abort tunnel.refused", "closed"]);
    assert.equal(wire.written, textOf(new Uint8Array([21, 3, 3, 0, 2, 2, alert])));
    assert.deepEqual([wire.ended, wire.wasReset], [true, false]);
  }
});

Deno.test("RawServer of TLS asks for nothing when it is sent something else", () => {
  for (
    const [bytes, code, written] of [
      [bytesOf("GET / HTTP/1.1"), "tls.not_tls", ""],
      [
        new Uint8Array([22, 3, 1, 0, 0]),
        "tls.bad_hello",
        textOf(new Uint8Array([21, 3, 3, 0, 2, 2, 50])),
      ],
    ] as const
  ) {
    const wire = new MemoryWire();
    const server = new RawServer(
      wire,
      () => assert.fail("an exchange"),
      { authority: "127.0.0.1:8443", tls: true },
    );
    server.receive(bytes);
    server.receive(bytes);
    server.eof();
    server.close(null);
    assert.equal(server.refusal?.code, code);
    assert.equal(wire.written, written);
  }
});

Deno.test("RawClient grants the tunnel when its connection stands, before the server has said a word", () => {
  const { client, sink } = clientRig(false);
  assert.deepEqual(sink.events(), []);
  client.connected();
  assert.deepEqual(sink.events(), ["head 200 "]);
  client.receive(bytesOf("220 ready"));
  assert.deepEqual(sink.events().slice(1), ["data 220 ready"]);
});

Deno.test("RawClient takes no request but one for a tunnel, and only one", () => {
  const wire = new MemoryWire();
  const client = new RawClient(wire);
  assert.equal(client.slots, 1);
  const sink = new Recorder<ResponseHead>();
  const stream = client.open(sink);
  assert.equal(client.slots, 0);
  client.connected();
  stream.head(request(), true);
  assert.deepEqual(sink.events(), ["abort route.tunnel_only", "closed"]);
  assert.deepEqual([wire.written, wire.wasReset], ["", true]);
});

Deno.test("RawClient that never connected says that nobody has seen the request", () => {
  const { client, sink } = clientRig(false);
  client.close(FAULTS["upstream.connect"]);
  assert.deepEqual(sink.events(), ["abort upstream.connect", "closed"]);
});

Deno.test("Pipe ends each direction by itself and is over when both have ended", () => {
  const { wire, client, sink, stream } = clientRig();
  stream.data(bytesOf("ask"), true);
  assert.deepEqual([wire.taken(), wire.ended], ["ask", true]);
  client.receive(bytesOf("answer"));
  client.eof();
  assert.deepEqual(sink.events().slice(1), ["data answer", "end", "closed"]);
  assert.equal(wire.wasReset, false);
});

Deno.test("Pipe tells a cut connection from an ended one", () => {
  const cut = clientRig();
  cut.client.receive(bytesOf("half"));
  cut.client.close(null);
  assert.deepEqual(cut.sink.events().slice(1), ["data half", "abort upstream.reset", "closed"]);
  const gone = serverRig();
  gone.stream.head(OK, false);
  gone.server.close(null);
  assert.deepEqual(gone.sink.events().slice(1), ["abort downstream.gone", "closed"]);
});

Deno.test("Pipe resets its connection when the other side of the tunnel broke", () => {
  for (const end of ["abort", "cancel"] as const) {
    const { wire, sink, stream } = clientRig();
    stream[end](FAULTS["downstream.gone"]);
    assert.equal(wire.wasReset, true);
    assert.deepEqual(sink.events().slice(1), ["closed"]);
  }
});

Deno.test("Pipe whose peer said its last and left is whole until somebody talks to it again", () => {
  const { client, sink, stream } = clientRig();
  client.receive(bytesOf("bye"));
  client.eof();
  client.close(null);
  assert.deepEqual(sink.events().slice(1), ["data bye", "end"]);
  stream.data(bytesOf("are you there"), false);
  assert.deepEqual(sink.events().slice(3), ["abort upstream.reset", "closed"]);

  const silent = clientRig();
  silent.client.eof();
  silent.client.close(null);
  silent.stream.data(EMPTY, true);
  assert.deepEqual(silent.sink.events().slice(1), ["end", "closed"]);
});

Deno.test("Pipe holds its feeder while the wire is full", () => {
  const { wire, client, stream } = clientRig();
  const feeder = new CountingSource();
  stream.feeder = feeder;
  wire.full = true;
  stream.data(bytesOf("much"), false);
  assert.equal(feeder.paused, 1);
  client.drained();
  assert.equal(feeder.paused, 0);
});

Deno.test("Pipe passes the same bytes however they are split and held back, and nothing while paused", () => {
  const step = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => ({ bytes })),
    fc.constant("pause" as const),
    fc.constant("resume" as const),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, goes) => {
    const { wire, client, sink, stream } = clientRig();
    let sent = "", pauses = 0;
    for (const one of steps) {
      const before = sink.events().join();
      if (one === "pause") stream.pause(), pauses++;
      else if (one === "resume") stream.resume(), pauses = Math.max(0, pauses - 1);
      else {
        client.receive(one.bytes);
        for (const byte of one.bytes) sent += String.fromCharCode(byte);
        if (pauses > 0) assert.equal(sink.events().join(), before);
      }
      assert.equal(wire.paused, pauses > 0);
    }
    client.eof();
    if (goes) client.close(null);
    for (; pauses > 0; pauses--) stream.resume();
    stream.data(EMPTY, true);
    const events = sink.events();
    const data = events.filter((one) => one.startsWith("data ")).map((one) => one.slice(5)).join(
      "",
    );
    assert.equal(data, sent);
    assert.deepEqual(events.slice(-2), ["end", "closed"]);
    assert.equal(wire.unbalanced, 0);
  }));
});
