/** H1Client: requests as written, answers as read, when a connection may be used again, and why it may not. */
import assert from "node:assert/strict";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { BUSY, IDLE } from "../../core/stream.ts";
import { bytesOf, type ClientRig, clientRig, CountingSource } from "./rig.ts";

function request(over: Partial<RequestHead> = {}): RequestHead {
  return {
    method: "GET",
    scheme: "http",
    authority: "a:80",
    path: "/",
    fields: new Fields(),
    ...over,
  };
}

/** Sends a GET and gives the answer's events. */
function answer(rig: ClientRig, text: string, method = "GET"): string[] {
  const { stream, sink } = rig.open();
  stream.head(request({ method }), true);
  rig.send(text);
  return sink.events();
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OK_EVENTS = ["head 200 content-length|2", "data ok", "end", "closed"];

Deno.test("H1Client writes a request and can be used again after its answer", () => {
  const rig = clientRig();
  assert.equal(rig.client.slots, 1);
  const { stream, sink } = rig.open();
  assert.equal(rig.client.slots, 0);
  assert.equal(rig.client.phase, BUSY);
  stream.head(request({ path: "/x?y=1", fields: new Fields(["accept", "*/*"]) }), true);
  assert.equal(rig.wire.written, "GET /x?y=1 HTTP/1.1\r\nhost: a:80\r\naccept: */*\r\n\r\n");
  rig.send(OK);
  assert.deepEqual(sink.events(), OK_EVENTS);
  assert.equal(rig.client.slots, 1);
  assert.equal(rig.client.phase, IDLE);
  assert.deepEqual(answer(rig, OK), OK_EVENTS);
});

Deno.test("H1Client frames request bodies", () => {
  const text = (send: (rig: ReturnType<ClientRig["open"]>) => void): string => {
    const rig = clientRig();
    send(rig.open());
    return rig.wire.written.slice(rig.wire.written.indexOf("host: a:80\r\n") + 12);
  };
  const POST = { method: "POST" };
  assert.equal(text(({ stream }) => stream.head(request(POST), true)), "content-length: 0\r\n\r\n");
  assert.equal(text(({ stream }) => stream.head(request({ method: "DELETE" }), true)), "\r\n");
  const known = text(({ stream }) => {
    stream.head(request({ ...POST, fields: new Fields(["content-length", "3"]) }), false);
    stream.data(bytesOf("abc"), true);
  });
  assert.equal(known, "content-length: 3\r\n\r\nabc");
  const unknown = text(({ stream }) => {
    stream.head(request({ ...POST, fields: new Fields(["te", "trailers"]) }), false);
    stream.data(bytesOf("abc"), false);
    stream.trailers(new Fields(["x-t", "1"]));
  });
  assert.equal(
    unknown,
    "transfer-encoding: chunked\r\nte: trailers\r\nconnection: te\r\n\r\n3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n",
  );
});

Deno.test("H1Client sends no request that is not one", () => {
  const wrong: Partial<RequestHead>[] = [
    { method: "GET / HTTP/1.1\r\nx:" },
    { authority: "a\r\nx: y" },
    { authority: "a/b" },
    { path: "" },
  ];
  for (const over of wrong) {
    const { open, wire } = clientRig();
    const { stream, sink } = open();
    stream.head(request(over), true);
    assert.equal(wire.written, "");
    assert.deepEqual(sink.events(), ["abort proxy.internal", "closed"]);
  }
  const rig = clientRig();
  rig.open().stream.head(request({ path: "/a b\r\nX: y#\u00e9\u4e2d?q=|#" }), true);
  assert.equal(
    rig.wire.written.split("\r\n")[0],
    "GET /a%20b%0D%0AX:%20y%23%C3%A9%E4%B8%AD?q=|%23 HTTP/1.1",
  );
});

Deno.test("H1Client reads chunks, and trailers but for those that act as headers", () => {
  const rig = clientRig();
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" +
    "2;a=b\r\nok\r\n1\r\n!\r\n0\r\nContent-Length: 3\r\nGrpc-Status: 0\r\nSet-Cookie: a\r\nX-T: 1\r\n\r\n";
  assert.deepEqual(answer(rig, chunked), [
    "head 200 ",
    "data ok!",
    "trailers grpc-status|0|x-t|1",
    "end",
    "closed",
  ]);
  assert.equal(rig.client.slots, 1);
});

Deno.test("H1Client drops trailers that Connection names, for their own message only (RFC 9110 7.6.1)", () => {
  const rig = clientRig();
  const chunked = (connection: string): string =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n${connection}\r\n0\r\nX-Hop: 1\r\nX-T: 1\r\n\r\n`;
  const trailers = (raw: string): string | undefined =>
    answer(rig, raw).findLast((line) => line.startsWith("trailers "));
  assert.equal(trailers(chunked("Connection: X-Hop\r\n")), "trailers x-t|1");
  assert.equal(trailers(chunked("")), "trailers x-hop|1|x-t|1");
});

Deno.test("H1Client reads to the end of the connection when the answer has no length", () => {
  const rig = clientRig();
  const { stream, sink } = rig.open();
  stream.head(request(), true);
  rig.send("HTTP/1.1 200 OK\r\n\r\nabc");
  rig.send("def");
  assert.deepEqual(sink.events(), ["head 200 ", "data abcdef"]);
  rig.client.eof();
  assert.deepEqual(sink.events().slice(2), ["end", "closed"]);
  assert.equal(rig.client.slots, 0);
  assert.equal(rig.wire.destroyed, true);
});

Deno.test("H1Client knows the answers that end with their head", () => {
  for (
    const [method, text] of [
      ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"],
      ["GET", "HTTP/1.1 204 No Content\r\n\r\n"],
      ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"],
      ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ] as const
  ) {
    const rig = clientRig();
    assert.deepEqual(answer(rig, text, method).slice(1), ["end", "closed"]);
    assert.equal(rig.client.slots, 1, text);
  }
});

Deno.test("H1Client never reuses a connection whose 204 promised a body", () => {
  const rig = clientRig();
  assert.deepEqual(answer(rig, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), [
    "head 204 ",
    "end",
    "closed",
  ]);
  assert.equal(rig.wire.destroyed, true);
});

Deno.test("H1Client reuses no connection that does not stay open", () => {
  for (
    const head of [
      "HTTP/1.1 200 OK\r\nConnection: close\r\n",
      "HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\n",
      "HTTP/1.0 200 OK\r\n",
    ]
  ) {
    const rig = clientRig();
    answer(rig, `${head}Content-Length: 0\r\n\r\n`);
    assert.equal(rig.client.slots, 0, head);
    assert.equal(rig.wire.destroyed, true);
  }
  const old = clientRig();
  answer(old, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n");
  assert.equal(old.client.slots, 1);
});

Deno.test("H1Client drops a connection on bytes that no request asked for", () => {
  const idle = clientRig();
  idle.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
  assert.equal(idle.wire.destroyed, true);
  assert.equal(idle.client.fault?.code, "h1.unasked_bytes");
  const after = clientRig();
  assert.deepEqual(answer(after, OK + "HTTP/1.1 200 OK\r\n"), OK_EVENTS);
  assert.equal(after.wire.destroyed, true);
  assert.equal(after.client.slots, 0);
  const early = clientRig();
  const { sink } = early.open();
  early.send(OK);
  assert.deepEqual(sink.events(), ["abort h1.unasked_bytes", "closed"]);
});

Deno.test("H1Client says so when the upstream speaks HTTP/2, however its SETTINGS come", () => {
  const settings = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64";
  for (const piece of [1, 4, 100]) {
    const rig = clientRig();
    const { stream, sink } = rig.open();
    stream.head(request(), true);
    for (let at = 0; at < settings.length; at += piece) rig.send(settings.slice(at, at + piece));
    assert.deepEqual(sink.events(), ["abort upstream.speaks_h2", "closed"]);
  }
  const other = clientRig();
  const { stream, sink } = other.open();
  stream.head(request(), true);
  other.send("HTTP\x00/1.1 200 OK\r\n\r\n");
  assert.deepEqual(sink.events(), ["abort h1.bad_status_line", "closed"]);
});

Deno.test("H1Client does not reuse a connection whose request was still being sent", () => {
  const rig = clientRig();
  const { stream, sink } = rig.open();
  stream.head(request({ method: "POST" }), false);
  rig.send(OK);
  assert.deepEqual(sink.events(), OK_EVENTS);
  assert.equal(rig.wire.destroyed, true);
  stream.data(bytesOf("late"), true); // harmless
});

Deno.test("H1Client tells a stale connection from a refused and a reset one", () => {
  const fresh = clientRig();
  const first = fresh.open();
  first.stream.head(request(), true);
  fresh.client.eof();
  assert.equal(first.sink.fault?.code, "upstream.refused");

  const reused = clientRig();
  answer(reused, OK);
  const second = reused.open();
  second.stream.head(request(), true);
  reused.client.close(null);
  assert.deepEqual(second.sink.events(), ["abort upstream.stale", "closed"]);

  const begun = clientRig();
  const third = begun.open();
  third.stream.head(request(), true);
  begun.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
  begun.client.eof();
  assert.deepEqual(third.sink.events().slice(-2), ["abort upstream.reset", "closed"]);

  const told = clientRig();
  const fourth = told.open();
  fourth.stream.head(request(), true);
  told.client.close(FAULTS["upstream.connect"]);
  assert.equal(fourth.sink.fault?.code, "upstream.connect");
});

Deno.test("H1Client passes interim answers and caps them", () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  const rig = clientRig({ interimResponses: 2 });
  const events = answer(rig, "HTTP/1.1 100 Continue\r\n\r\n" + interim + OK);
  assert.deepEqual(events, ["info 100 ", "info 103 link|</a>", ...OK_EVENTS]);
  const flood = answer(rig, interim.repeat(3));
  assert.deepEqual(flood.slice(2), ["abort h1.too_many_interim", "closed"]);
});

Deno.test("H1Client refuses a protocol switch", () => {
  const events = answer(clientRig(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
  assert.deepEqual(events, ["abort h1.unasked_switch", "closed"]);
});

Deno.test("H1Client cancels by closing", () => {
  const rig = clientRig();
  const { stream, sink } = rig.open();
  stream.head(request(), true);
  stream.cancel(FAULTS["proxy.stopped"]);
  assert.equal(rig.wire.destroyed, true);
  assert.deepEqual(sink.events(), ["closed"]);
  rig.client.close(null);
  assert.deepEqual(sink.events(), ["closed"]);
});

Deno.test("H1Client holds an answer back while paused, its end included", () => {
  const rig = clientRig();
  const { stream, sink } = rig.open();
  stream.head(request(), true);
  rig.send("HTTP/1.1 200 OK\r\n\r\nabc");
  stream.pause();
  assert.equal(rig.wire.paused, true);
  rig.send("def");
  rig.client.eof();
  rig.client.close(null);
  assert.deepEqual(sink.events(), ["head 200 ", "data abc"]);
  stream.resume();
  assert.deepEqual(sink.events().slice(1), ["data abc", "data def", "end", "closed"]);
});

Deno.test("H1Client pauses the feeder above the wire's mark, but not for a request that is whole", () => {
  const rig = clientRig();
  const { stream } = rig.open();
  const feeder = new CountingSource();
  stream.feeder = feeder;
  rig.wire.full = true;
  stream.head(request({ method: "POST" }), false);
  stream.data(bytesOf("abc"), false);
  assert.equal(feeder.paused, 1);
  rig.client.drained();
  assert.equal(feeder.paused, 0);
  stream.data(bytesOf("abc"), true);
  assert.equal(feeder.paused, 0);
  const other = clientRig();
  const second = other.open();
  second.stream.feeder = feeder;
  other.wire.full = true;
  second.stream.head(request({ method: "POST" }), false);
  assert.equal(feeder.paused, 1);
  second.stream.feeder = null; // given up: the client behind it must not hang
  assert.equal(feeder.paused, 0);
});

Deno.test("H1Client opened without a free slot fails like a stale connection", () => {
  const rig = clientRig();
  rig.open();
  const { stream, sink } = rig.open();
  stream.head(request(), true);
  assert.deepEqual(sink.events(), ["abort upstream.stale", "closed"]);
});

Deno.test("H1Client drains: idle at once, busy after its answer", () => {
  const idle = clientRig();
  idle.client.drain();
  assert.equal(idle.wire.ended, true);
  assert.equal(idle.client.slots, 0);
  const busy = clientRig();
  const { stream, sink } = busy.open();
  stream.head(request(), true);
  busy.client.drain();
  busy.send(OK);
  assert.deepEqual(sink.events(), OK_EVENTS);
  assert.equal(busy.client.slots, 0);
  assert.equal(busy.wire.destroyed, true);
});
