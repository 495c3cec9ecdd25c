/** H1Server: order, keep-alive, framing of answers, endings, pressure. */
import assert from "node:assert/strict";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { BUSY, HEAD, IDLE } from "../../core/stream.ts";
import { bytesOf, CountingSource, type Handler, serverRig } from "./rig.ts";

const OK: Handler = ({ stream }) => {
  stream.head({ status: 200, fields: new Fields(["content-length", "2"]) }, false);
  stream.data(bytesOf("ok"), true);
};
const OK_TEXT = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Deno.test("H1Server hands on a request and keeps the connection", () => {
  const { wire, send, exchanges, server } = serverRig(OK);
  assert.equal(server.phase, IDLE);
  send("GET /a?b HTTP/1.1\r\nHost: A.Example:8080\r\nAccept: x\r\nX-Own:  1 \r\n\r\n");
  send(GET);
  assert.deepEqual(exchanges[0]!.sink.events(), [
    "head GET http a.example:8080 /a?b accept|x|x-own|1",
    "end",
    "closed",
  ]);
  assert.equal(exchanges.length, 2);
  assert.equal(wire.written, OK_TEXT + OK_TEXT);
  assert.equal(wire.ended, false);
  assert.equal(server.phase, IDLE);
});

Deno.test("H1Server answers pipelined requests in order, one at a time", () => {
  const { wire, send, exchanges } = serverRig();
  send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(exchanges.length, 1);
  exchanges[0]!.stream.head({ status: 204, fields: new Fields() }, true);
  assert.equal(exchanges.length, 2);
  assert.equal(exchanges[1]!.sink.heads[0]!.path, "/2");
  exchanges[1]!.stream.head({ status: 404, fields: new Fields() }, true);
  assert.equal(
    wire.written,
    "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  );
});

Deno.test("H1Server pauses the wire when more than its limit waits behind an exchange", () => {
  const { wire, send, exchanges, server } = serverRig(() => {}, { limits: { heldBytes: 40 } });
  send(GET + GET);
  assert.equal(wire.paused, false);
  send(GET);
  assert.equal(wire.paused, true);
  for (let i = 0; i < 3; i++) {
    exchanges[i]!.stream.head({ status: 204, fields: new Fields() }, true);
  }
  assert.equal(wire.paused, false);
  assert.equal(wire.unbalanced, 0);
  assert.equal(server.phase, IDLE);
});

Deno.test("H1Server closes after an HTTP/1.0 request, unless it asks to keep the connection", () => {
  const first = serverRig(OK);
  first.send("GET / HTTP/1.0\r\n\r\n");
  assert.match(first.wire.written, /connection: close\r\n/);
  assert.equal(first.wire.ended, true);
  const second = serverRig(OK);
  second.send("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
  assert.match(second.wire.written, /connection: keep-alive\r\n/);
  assert.equal(second.wire.ended, false);
});

Deno.test("H1Server ends an HTTP/1.0 answer of unknown length with the connection", () => {
  const { wire, send, exchanges } = serverRig();
  send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const { stream } = exchanges[0]!;
  stream.head({ status: 200, fields: new Fields() }, false);
  stream.data(bytesOf("abc"), false);
  assert.equal(wire.ended, false);
  stream.trailers(new Fields(["grpc-status", "0"]));
  assert.equal(wire.written, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabc");
  assert.equal(wire.ended, true);
});

Deno.test("H1Server closes when asked to", () => {
  const { wire, send } = serverRig(OK);
  send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET);
  assert.equal(wire.written.split("200 OK").length, 2);
  assert.match(wire.written, /connection: close/);
  assert.equal(wire.ended, true);
});

Deno.test("H1Server writes chunks and trailers when the length is not known", () => {
  const { wire, send, exchanges } = serverRig();
  send(GET);
  const { stream } = exchanges[0]!;
  stream.head({ status: 200, fields: new Fields(["x-a", "1"]) }, false);
  stream.data(bytesOf("hello world, hello"), false);
  stream.data(new Uint8Array(0), false);
  stream.data(new Uint8Array(5000).fill(0x61), false);
  stream.trailers(new Fields(["grpc-status", "0", "content-length", "9"]));
  assert.equal(
    wire.written,
    "HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n" +
      "12\r\nhello world, hello\r\n1388\r\n" + "a".repeat(5000) + "\r\n0\r\ngrpc-status: 0\r\n\r\n",
  );
});

Deno.test("H1Server sends no body to HEAD and with 204 and 304", () => {
  const answer = (status: number): Handler => ({ stream }) => {
    stream.head({ status, fields: new Fields(["content-length", "5"]) }, false);
    stream.data(bytesOf("hello"), true);
  };
  const head = serverRig(answer(200));
  head.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(head.wire.written, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
  const none = serverRig(answer(204));
  none.send(GET);
  assert.equal(none.wire.written, "HTTP/1.1 204 No Content\r\n\r\n");
  const same = serverRig(answer(304));
  same.send(GET);
  assert.equal(same.wire.written, "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n");
});

Deno.test("H1Server passes interim responses, but not to HTTP/1.0 clients", () => {
  const handler: Handler = (x) => {
    x.stream.info({ status: 100, fields: new Fields() });
    x.stream.info({ status: 103, fields: new Fields(["link", "</a>"]) });
    OK(x, x.sink.heads[0]!, true);
  };
  const modern = serverRig(handler);
  modern.send("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n");
  assert.deepEqual(modern.exchanges[0]!.sink.heads[0]!.fields.lines, ["expect", "100-continue"]);
  assert.equal(
    modern.wire.written,
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + OK_TEXT,
  );
  const old = serverRig(handler);
  old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  assert.equal(old.wire.written.startsWith("HTTP/1.1 200 OK"), true);
});

Deno.test("H1Server adds a date only when there is none", () => {
  const date = (): string => "Tue, 15 Nov 1994 08:12:31 GMT";
  const handler: Handler = ({ stream }, head) => {
    const fields = new Fields(head.path === "/own" ? ["date", "mine"] : []);
    stream.head({ status: 204, fields }, true);
  };
  const { wire, send } = serverRig(handler, { date });
  send("GET /own HTTP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(wire.taken(), "HTTP/1.1 204 No Content\r\ndate: mine\r\n\r\n");
  send(GET);
  assert.equal(wire.taken(), `HTTP/1.1 204 No Content\r\ndate: ${date()}\r\n\r\n`);
});

Deno.test("H1Server says close and swallows the rest when the answer comes before the body", () => {
  const { wire, send, exchanges, server } = serverRig(OK, { limits: { discardBytes: 10 } });
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  assert.match(wire.written, /connection: close\r\n/);
  assert.deepEqual(exchanges[0]!.sink.events().slice(1), ["closed"]);
  assert.equal(wire.ended, true);
  assert.equal(server.phase, HEAD); // the head timeout bounds how long it may linger
  send("defgh");
  assert.equal(wire.destroyed, false);
  send("defghi");
  assert.equal(wire.destroyed, true);
});

Deno.test("H1Server keeps the connection when the unread rest of a body is already here", () => {
  const { wire, send, exchanges } = serverRig(OK);
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET);
  assert.equal(exchanges.length, 2);
  assert.equal(wire.written, OK_TEXT + OK_TEXT);
});

Deno.test("H1Server holds a body back while its stream is paused, and pauses nest", () => {
  const { wire, send, exchanges } = serverRig();
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
  const { stream, sink } = exchanges[0]!;
  stream.pause();
  stream.pause();
  assert.equal(wire.paused, true);
  send("abc");
  send("def");
  stream.resume();
  assert.equal(sink.events().length, 1);
  stream.resume();
  assert.deepEqual(sink.events().slice(1), ["data abcdef", "end"]);
  stream.resume(); // one too many is harmless
  assert.equal(wire.paused, false);
  assert.equal(wire.unbalanced, 0);
});

Deno.test("H1Server pauses the feeder above the wire's mark and releases it", () => {
  const { wire, send, exchanges, server } = serverRig();
  send(GET);
  const { stream } = exchanges[0]!;
  const feeder = new CountingSource();
  stream.feeder = feeder;
  wire.full = true;
  stream.head({ status: 200, fields: new Fields() }, false);
  stream.data(bytesOf("a"), false);
  assert.equal(feeder.paused, 1);
  assert.equal(feeder.pauses, 1);
  wire.full = false;
  server.drained();
  assert.equal(feeder.paused, 0);
  wire.full = true;
  stream.data(bytesOf("b"), false);
  const next = new CountingSource();
  stream.feeder = next; // the pressure moves with the feeder
  assert.equal(feeder.paused, 0);
  assert.equal(next.paused, 1);
  stream.data(bytesOf("c"), true);
  assert.equal(next.paused, 0);
});

Deno.test("H1Server cuts an aborted answer so that the client sees it", () => {
  for (const end of ["abort", "cancel"] as const) {
    const { wire, send, exchanges } = serverRig();
    send(GET + GET);
    const { stream, sink } = exchanges[0]!;
    stream.head({ status: 200, fields: new Fields() }, false);
    stream.data(bytesOf("abc"), false);
    stream[end](FAULTS["upstream.reset"]);
    assert.equal(wire.written.endsWith("3\r\nabc\r\n"), true); // no last chunk
    assert.equal(wire.ended, true);
    assert.equal(exchanges.length, 1);
    assert.deepEqual(sink.events().at(-1), "closed");
  }
  const old = serverRig();
  old.send("GET / HTTP/1.0\r\n\r\n");
  old.exchanges[0]!.stream.head({ status: 200, fields: new Fields() }, false);
  old.exchanges[0]!.stream.abort(FAULTS["upstream.reset"]);
  assert.equal(old.wire.destroyed, true); // a clean end would look like a whole body
});

Deno.test("H1Server cuts an answer that breaks its content-length", () => {
  for (const body of ["abc", "a"]) {
    const { wire, send, exchanges } = serverRig();
    send(GET);
    const { stream, sink } = exchanges[0]!;
    stream.head({ status: 200, fields: new Fields(["content-length", "2"]) }, false);
    stream.data(bytesOf(body), true);
    assert.equal(wire.written, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
    assert.equal(wire.ended, true);
    assert.deepEqual(sink.events().slice(-2), ["abort proxy.internal", "closed"]);
  }
});

Deno.test("H1Server answers a body that turns out malformed, when no answer has begun", () => {
  const post =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n";
  const silent = serverRig();
  silent.send(post);
  assert.deepEqual(silent.exchanges[0]!.sink.events().slice(1), [
    "data abc",
    "abort h1.bad_chunk_size",
    "closed",
  ]);
  assert.match(silent.wire.written, /^HTTP\/1.1 400 Bad Request\r\n/);
  const begun = serverRig(({ stream }) =>
    stream.head({ status: 200, fields: new Fields() }, false)
  );
  begun.send(post);
  assert.doesNotMatch(begun.wire.written, / 400 /);
  assert.equal(begun.wire.ended, true);
});

Deno.test("H1Server tells an open exchange when the socket has gone", () => {
  const { send, exchanges, server } = serverRig();
  send(GET);
  server.close(null);
  server.close(null);
  assert.deepEqual(exchanges[0]!.sink.events().slice(-2), ["abort downstream.gone", "closed"]);
  exchanges[0]!.stream.head({ status: 200, fields: new Fields() }, true); // late, harmless
});

Deno.test("H1Server answers what a client sent before it half-closed, then ends", () => {
  const { wire, send, exchanges, server } = serverRig();
  send(GET + GET);
  server.eof();
  exchanges[0]!.stream.head({ status: 204, fields: new Fields() }, true);
  assert.equal(wire.ended, false);
  exchanges[1]!.stream.head({ status: 204, fields: new Fields() }, true);
  assert.equal(wire.ended, true);
  assert.match(wire.written, /204 No Content\r\nconnection: close/);
});

Deno.test("H1Server aborts a body that the client's end cuts short", () => {
  const { wire, send, exchanges, server } = serverRig();
  send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
  server.eof();
  assert.deepEqual(exchanges[0]!.sink.events().slice(-2), ["abort downstream.gone", "closed"]);
  assert.equal(wire.ended, true);
});

Deno.test("H1Server drains: idle at once, busy after its answer", () => {
  const idle = serverRig();
  idle.server.drain();
  assert.equal(idle.wire.ended, true);
  const busy = serverRig();
  busy.send(GET + GET);
  busy.server.drain();
  assert.equal(busy.server.phase, BUSY);
  busy.exchanges[0]!.stream.head({ status: 204, fields: new Fields() }, true);
  assert.match(busy.wire.written, /connection: close/);
  assert.equal(busy.wire.ended, true);
  assert.equal(busy.exchanges.length, 1);
});

Deno.test("H1Server reports the phase its timeouts need", () => {
  const { send, server } = serverRig();
  send("GET / HT");
  assert.equal(server.phase, HEAD);
  send("TP/1.1\r\nHost: a\r\n\r\n");
  assert.equal(server.phase, BUSY);
});

Deno.test("H1Server lets no filter forge a line", () => {
  const { wire, send } = serverRig(({ stream }) => {
    const fields = new Fields([
      "x-a",
      "1\r\nset-cookie: evil",
      "x b",
      "1",
      "",
      "1",
      "x-c",
      "\u010a\u4e2d",
      "Connection",
      "close",
      "transfer-encoding",
      "chunked",
      "Transfer-Encoding",
      "chunked",
    ]);
    stream.head({ status: 200, fields }, true);
  });
  send(GET);
  assert.equal(
    wire.written,
    "HTTP/1.1 200 OK\r\nx-a: 1  set-cookie: evil\r\nx-c: ??\r\ncontent-length: 0\r\n\r\n",
  );
});

Deno.test("H1Server keeps the connection when the chunked body of an early answer has come whole", () => {
  const post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const body = "2;x=y\r\nab\r\n3\r\ncde\r\n0\r\nA: b\r\n\r\n";
  // All in one piece, and with the body in pieces behind a pause.
  const one = serverRig(OK);
  one.send(post + body + GET);
  assert.equal(one.wire.written, OK_TEXT + OK_TEXT);
  assert.equal(one.wire.ended, false);
  for (let cut = 1; cut < body.length; cut++) {
    const held = serverRig(({ stream }) => stream.pause());
    held.send(post);
    held.send(body.slice(0, cut));
    held.send(body.slice(cut));
    OK(held.exchanges[0]!, held.exchanges[0]!.sink.heads[0]!, false);
    assert.equal(held.wire.written, OK_TEXT, `cut at ${cut}`);
    assert.equal(held.wire.ended, false);
    held.send(GET);
    assert.equal(held.exchanges.length, 2);
  }
});

Deno.test("H1Server ends the connection when the chunked body of an early answer is not there or malformed", () => {
  for (const body of ["", "2\r\nab\r\n", "2\r\nab\r\n0\r\n", "2\r\nabX\r\n0\r\n\r\n"]) {
    const { wire, send } = serverRig(OK);
    send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    assert.match(wire.written, /connection: close\r\n/, body);
    assert.equal(wire.ended, true);
  }
});

Deno.test("H1Server refuses HEAD without a body", () => {
  const { wire, send } = serverRig();
  send("HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  assert.match(wire.written, /^HTTP\/1\.1 400 [^]*\r\ncontent-length: \d\d[^]*\r\n\r\n$/);
  const get = serverRig();
  get.send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
  assert.match(get.wire.written, /\(h1\.bad_host\)\n$/);
});

Deno.test("H1Server says 408 when a head or a body takes too long, and nothing when an answer runs", () => {
  const timeout = FAULTS["downstream.timeout"];
  const slow = serverRig();
  assert.equal(slow.server.expire(timeout), false); // nothing was asked
  slow.send("GET / HT");
  assert.equal(slow.server.expire(timeout), true);
  assert.match(slow.wire.written, /^HTTP\/1\.1 408 [^]*connection: close\r\n/);
  assert.equal(slow.wire.ended, true);
  assert.equal(slow.server.expire(timeout), false); // the second time it is just closed
  const body = serverRig();
  body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
  assert.equal(body.server.expire(timeout), true);
  assert.match(body.wire.written, /^HTTP\/1\.1 408 /);
  assert.deepEqual(body.exchanges[0]!.sink.events().slice(-2), [
    "abort downstream.timeout",
    "closed",
  ]);
  const answering = serverRig();
  answering.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab");
  answering.exchanges[0]!.stream.head({ status: 200, fields: new Fields() }, false);
  assert.equal(answering.server.expire(timeout), false);
});

Deno.test("H1Server does not answer in HTTP who begins in another protocol", () => {
  const { wire, send, exchanges } = serverRig(OK);
  send("INVALID CONNECTION PREFACE\r\n\r\n");
  assert.equal(exchanges.length, 0);
  assert.equal(wire.written, "");
  assert.equal(wire.ended, true);
});

Deno.test("H1Server answers the same line after a request as the broken request it is", () => {
  const { wire, send } = serverRig(OK);
  send(GET);
  send("INVALID CONNECTION PREFACE\r\n\r\n");
  assert.match(wire.written.slice(OK_TEXT.length), /^HTTP\/1\.1 400 [^]*denim-fault: h1\.not_http/);
});
