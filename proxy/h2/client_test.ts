/** H2Client against servers that keep to RFC 9113 and ones that do not, frame by frame. */
import assert from "node:assert/strict";
import type { Fault } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink } from "../../core/stream.ts";
import { H2Client } from "./client.ts";
import * as f from "./frame.ts";
import { HpackDecoder } from "./hpack/decoder.ts";
import { block, FakeWire, FAULT } from "./rig.ts";

class Answer implements StreamSink<ResponseHead> {
  readonly events: string[] = [];
  fault: Fault | null = null;
  info(head: ResponseHead): void {
    this.events.push(`info ${head.status}`);
  }
  head(head: ResponseHead, end: boolean): void {
    this.events.push(`head ${head.status}${end ? " end" : ""}`);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.events.push(`data ${bytes.length}${end ? " end" : ""}`);
  }
  trailers(fields: Fields): void {
    this.events.push(`trailers ${fields.lines.join("|")}`);
  }
  abort(fault: Fault): void {
    this.fault = fault;
    this.events.push(`abort ${fault.code}`);
  }
  closed(): void {
    this.events.push("closed");
  }
}

const END = f.FLAG_END_HEADERS | f.FLAG_END_STREAM;
const request = (more: Partial<RequestHead> = {}): RequestHead => ({
  method: "GET",
  scheme: "http",
  authority: "a.test",
  path: "/",
  fields: new Fields(),
  ...more,
});

class Rig {
  readonly wire = new FakeWire();
  readonly client = new H2Client(this.wire, { nowMs: () => 0 });

  constructor(...settings: readonly (readonly [number, number])[]) {
    this.wire.take(f.PREFACE.length);
    this.settings(...settings);
    this.wire.take();
  }
  send(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): this {
    const bytes = f.frame(payload.length, type, flags, id);
    bytes.set(payload, f.FRAME_HEADER_BYTES);
    this.client.receive(bytes);
    return this;
  }
  settings(...pairs: readonly (readonly [number, number])[]): this {
    const payload = new Uint8Array(pairs.length * 6);
    pairs.forEach(([name, value], i) => {
      payload[i * 6 + 1] = name;
      f.putU32(payload, i * 6 + 2, value);
    });
    return this.send(f.SETTINGS, 0, 0, payload);
  }
  answer(id: number, flags: number, ...lines: string[]): this {
    return this.send(f.HEADERS, flags, id, block(...lines));
  }
  ask(head = request(), end = true): { answer: Answer; stream: Stream<RequestHead> } {
    const answer = new Answer();
    const stream = this.client.open(answer);
    stream.head(head, end);
    return { answer, stream };
  }
  /** The code we reset `id` with, null: we did not; "goaway": the connection ended instead. */
  verdict(id: number): number | null | "goaway" {
    const frames = this.wire.take();
    if (frames.some((one) => one.type === f.GOAWAY)) return "goaway";
    const reset = frames.find((one) => one.type === f.RST_STREAM && one.id === id);
    return reset === undefined ? null : f.u32(reset.payload, 0);
  }
}

Deno.test("H2Client forbids push in what it begins with (RFC 9113 8.4)", () => {
  const wire = new FakeWire();
  new H2Client(wire, { nowMs: () => 0 });
  const [settings] = wire.take(f.PREFACE.length);
  const view = new DataView(settings!.payload.slice().buffer);
  const found = new Map<number, number>();
  for (let at = 0; at < view.byteLength; at += 6) {
    found.set(view.getUint16(at), view.getUint32(at + 2));
  }
  assert.equal(found.get(2), 0);
  assert.equal(found.has(3), false, "how many streams a server may open is no question then");
});

const MALFORMED: readonly (readonly [string, number, readonly string[]])[] = [
  ["no :status", END, ["content-type", "x"]],
  ["a request's pseudo-header field", END, [":status", "200", ":path", "/"]],
  ["a status of two digits", END, [":status", "20"]],
  ["101, which HTTP/2 has not", f.FLAG_END_HEADERS, [":status", "101"]],
  ["an interim response that ends the stream", END, [":status", "103"]],
  ["a connection field", END, [":status", "200", "connection", "close"]],
  ["transfer-encoding", END, [":status", "200", "transfer-encoding", "chunked"]],
  ["an upper-case name", END, [":status", "200", "X-A", "b"]],
  ["a control character", END, [":status", "200", "x", "a\rb"]],
  ["two lengths", END, [":status", "200", "content-length", "1", "content-length", "1"]],
  ["a length without a body", END, [":status", "200", "content-length", "1"]],
];
for (const [what, flags, lines] of MALFORMED) {
  Deno.test(`H2Client ends the stream, not the connection, of a response with ${what}`, () => {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.answer(1, flags, ...lines);
    assert.equal(rig.verdict(1), f.PROTOCOL_ERROR);
    assert.deepEqual(answer.events, ["abort h2.stream_error", "closed"]);
    const next = rig.ask();
    rig.answer(3, END, ":status", "204");
    assert.deepEqual(next.answer.events, ["head 204 end", "closed"]);
  });
}

Deno.test("H2Client holds a body to its declared length", () => {
  for (const [bytes, flags] of [[4, f.FLAG_END_STREAM], [6, 0]] as const) {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.answer(1, f.FLAG_END_HEADERS, ":status", "200", "content-length", "5");
    rig.send(f.DATA, flags, 1, new Uint8Array(bytes));
    assert.equal(rig.verdict(1), f.PROTOCOL_ERROR);
    assert.deepEqual(answer.events, ["head 200", "abort h2.stream_error", "closed"]);
  }
});

Deno.test("H2Client takes the length a HEAD or 304 only speaks of", () => {
  const rig = new Rig();
  const head = rig.ask(request({ method: "HEAD" })), cached = rig.ask();
  rig.answer(1, END, ":status", "200", "content-length", "5");
  rig.answer(3, END, ":status", "304", "content-length", "5");
  assert.deepEqual(head.answer.events, ["head 200 end", "closed"]);
  assert.deepEqual(cached.answer.events, ["head 304 end", "closed"]);
});

Deno.test("H2Client takes interim responses, ten of them", () => {
  const rig = new Rig();
  const { answer } = rig.ask();
  for (let i = 0; i < 10; i++) rig.answer(1, f.FLAG_END_HEADERS, ":status", "103");
  assert.equal(answer.events.length, 10);
  rig.answer(1, f.FLAG_END_HEADERS, ":status", "103");
  assert.equal(rig.verdict(1), f.PROTOCOL_ERROR);
});

Deno.test("H2Client takes no body before a final head, and none after the end", () => {
  const early = new Rig();
  early.ask();
  early.answer(1, f.FLAG_END_HEADERS, ":status", "100");
  early.send(f.DATA, 0, 1, new Uint8Array(1));
  assert.equal(early.verdict(1), f.PROTOCOL_ERROR);
  const late = new Rig();
  late.ask(request({ method: "POST" }), false);
  late.answer(1, END, ":status", "200").send(f.DATA, 0, 1, new Uint8Array(1));
  assert.equal(late.verdict(1), f.STREAM_CLOSED);
});

Deno.test("H2Client ends the connection over streams that nobody opened", () => {
  const ways: readonly ((rig: Rig) => void)[] = [
    (rig) => rig.answer(3, END, ":status", "200"),
    (rig) => rig.answer(2, END, ":status", "200"),
    (rig) => rig.send(f.DATA, 0, 3, new Uint8Array(1)),
    (rig) => rig.send(f.RST_STREAM, 0, 3, new Uint8Array(4)),
    (rig) => rig.send(f.WINDOW_UPDATE, 0, 3, Uint8Array.of(0, 0, 0, 1)),
    (rig) => rig.send(f.PUSH_PROMISE, f.FLAG_END_HEADERS, 1, Uint8Array.of(0, 0, 0, 2)),
    (rig) => rig.settings([2, 1]),
  ];
  for (const way of ways) {
    const rig = new Rig();
    const { answer } = rig.ask();
    way(rig);
    assert.equal(rig.verdict(1), "goaway", String(way));
    assert.equal(rig.wire.ended, true);
    assert.deepEqual(answer.events, ["abort h2.connection_error", "closed"]);
  }
});

Deno.test("H2Client believes GOAWAY: what is above the last id was not seen, the rest is answered", () => {
  const rig = new Rig();
  const [seen, unseen] = [rig.ask(), rig.ask()];
  rig.send(f.GOAWAY, 0, 0, Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 0));
  assert.equal(rig.client.slots, 0);
  assert.equal(unseen.answer.fault?.sent, false);
  assert.deepEqual(seen.answer.events, []);
  rig.answer(1, END, ":status", "200");
  assert.deepEqual(seen.answer.events, ["head 200 end", "closed"]);
  assert.equal(rig.wire.ended, true);
});

Deno.test("H2Client tells a refused stream, which is safe to try again, from one that was cut", () => {
  for (
    const [code, fault, sent] of [
      [f.REFUSED_STREAM, "h2.refused_stream", false],
      [f.CANCEL, "upstream.reset", true],
      [f.INTERNAL_ERROR, "h2.reset", true],
    ] as const
  ) {
    const rig = new Rig();
    const { answer } = rig.ask();
    rig.client.receive(f.resetFrame(1, code));
    assert.equal(answer.fault?.code, fault);
    assert.equal(answer.fault?.sent, sent);
  }
});

Deno.test("H2Client stops sending when NO_ERROR follows a whole response (RFC 9113 8.1)", () => {
  const rig = new Rig();
  const { answer, stream } = rig.ask(request({ method: "POST" }), false);
  rig.answer(1, END, ":status", "413");
  rig.client.receive(f.resetFrame(1, f.NO_ERROR));
  assert.deepEqual(answer.events, ["head 413 end", "closed"]);
  rig.wire.take();
  stream.data(new Uint8Array(10), true);
  assert.deepEqual(rig.wire.take(), []);
});

Deno.test("H2Client opens no more streams than the server takes, also when that becomes fewer", () => {
  const rig = new Rig([3, 2]);
  assert.equal(rig.client.slots, 2);
  rig.ask();
  assert.equal(rig.client.slots, 1);
  rig.settings([3, 1]);
  assert.equal(rig.client.slots, 0);
  rig.answer(1, END, ":status", "200");
  assert.equal(rig.client.slots, 1);
});

Deno.test("H2Client keeps to both windows, also to one that shrinks below zero", () => {
  const rig = new Rig([4, 1000]);
  const sent = (): number =>
    rig.wire.take().filter((one) => one.type === f.DATA).reduce(
      (n, one) => n + one.payload.length,
      0,
    );
  const { stream } = rig.ask(request({ method: "POST" }), false);
  stream.data(new Uint8Array(5000), true);
  assert.equal(sent(), 1000);
  rig.settings([4, 500]); // 500 too many are out already
  rig.client.receive(f.windowUpdateFrame(1, 400));
  assert.equal(sent(), 0);
  rig.client.receive(f.windowUpdateFrame(1, 200));
  assert.equal(sent(), 100);
  rig.settings([4, 100_000]);
  assert.equal(sent(), 3900);
  const big = rig.ask(request({ method: "POST" }), false);
  big.stream.data(new Uint8Array(100_000), true);
  assert.equal(sent(), f.DEFAULT_WINDOW - 5000);
  rig.client.receive(f.windowUpdateFrame(0, 100_000));
  assert.equal(sent(), 100_000 - f.DEFAULT_WINDOW + 5000);
});

Deno.test("H2Client announces a smaller table before it uses it (RFC 7541 4.2)", () => {
  const rig = new Rig([1, 0]);
  rig.ask(request({ fields: new Fields(["x-a", "b"]) }));
  const head = rig.wire.take().find((one) => one.type === f.HEADERS)!;
  assert.equal(head.payload[0], 0x20);
  const lines: string[] = [];
  new HpackDecoder(4096, { listBytes: 4096, fields: 100 }).decode(head.payload, lines);
  assert.deepEqual(lines.slice(-2), ["x-a", "b"]);
});

Deno.test("H2Client asks for a WebSocket by extended CONNECT, and only of a server that has it (RFC 8441)", () => {
  const upgrade = request({ upgrade: "websocket", path: "/chat" });
  const without = new Rig();
  const refused = without.ask(upgrade, false);
  assert.equal(refused.answer.fault?.code, "h2.no_websocket");
  assert.deepEqual(without.wire.take(), [], "nothing was sent, so there is nothing to reset");
  const rig = new Rig([8, 1]);
  const { answer, stream } = rig.ask(request({ upgrade: "websocket", path: "/chat" }), false);
  const lines: string[] = [];
  new HpackDecoder(4096, { listBytes: 4096, fields: 100 }).decode(
    rig.wire.take()[0]!.payload,
    lines,
  );
  assert.deepEqual(lines.slice(0, 4), [":method", "CONNECT", ":protocol", "websocket"]);
  rig.answer(1, f.FLAG_END_HEADERS, ":status", "200");
  assert.deepEqual(answer.events, ["head 101"]);
  stream.data(new Uint8Array(3), false);
  rig.send(f.DATA, f.FLAG_END_STREAM, 1, new Uint8Array(2));
  assert.deepEqual(answer.events, ["head 101", "data 2 end"]);
  stream.data(new Uint8Array(1), true);
  assert.deepEqual(answer.events.at(-1), "closed");
});

Deno.test("H2Client takes trailers and drops what they may not say", () => {
  const rig = new Rig();
  const { answer } = rig.ask();
  rig.answer(1, f.FLAG_END_HEADERS, ":status", "200");
  rig.answer(1, END, "grpc-status", "0", "set-cookie", "a=b", "x-t", "1");
  assert.deepEqual(answer.events, ["head 200", "trailers grpc-status|0|x-t|1", "closed"]);
});

Deno.test("H2Client gives a cancelled stream up and forgives what is still on its way", () => {
  const rig = new Rig();
  const { answer, stream } = rig.ask();
  rig.answer(1, f.FLAG_END_HEADERS, ":status", "200");
  stream.cancel(FAULT);
  assert.equal(rig.verdict(1), f.CANCEL);
  rig.send(f.DATA, 0, 1, new Uint8Array(100)).answer(1, END, "x", "y");
  assert.equal(rig.verdict(1), null);
  assert.deepEqual(answer.events, ["head 200", "abort x", "closed"]);
});
