/** Upgrades and CONNECT, as server and as client: when a connection becomes a tunnel, and when it must not. */
import assert from "node:assert/strict";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { H1Client } from "./client.ts";
import { bytesOf, connectHead, CountingSource, MemoryWire, Recorder, serverRig } from "./rig.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ=="; // with its answer, from RFC 6455 1.3
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const ASK =
  "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
const CONNECT = "CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n";
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  `Sec-WebSocket-Accept: ${ACCEPT}\r\n`;

const head = (status: number, lines: string[] = []) => ({ status, fields: new Fields(lines) });

Deno.test("H1Server holds what comes after a request to upgrade until the 101, then carries both ways", () => {
  const { wire, server, exchanges, send } = serverRig();
  send(ASK + "early");
  const { stream, sink } = exchanges[0]!;
  assert.equal(sink.heads[0]!.upgrade, "websocket");
  assert.equal(sink.heads[0]!.fields.has("sec-websocket-key"), false);
  assert.deepEqual(sink.events().slice(1), []);
  stream.head(head(101, ["sec-websocket-protocol", "chat"]), false);
  assert.equal(
    wire.taken(),
    "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-protocol: chat\r\n" +
      `connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ${ACCEPT}\r\n\r\n`,
  );
  send("GET / HTTP/1.1\r\n\r\n");
  assert.deepEqual(sink.events().slice(1), ["data earlyGET / HTTP/1.1\r\n\r\n"]);
  stream.data(bytesOf("HTTP"), false);
  assert.equal(wire.taken(), "HTTP");
  server.eof();
  assert.equal(sink.events().at(-1), "end");
  stream.data(bytesOf("bye"), true);
  assert.deepEqual([wire.taken(), wire.ended, wire.destroyed], ["bye", true, false]);
  assert.equal(sink.events().at(-1), "closed");
});

Deno.test("H1Server lets a tunnel's client go on after the other side has ended", () => {
  const { wire, server, exchanges, send } = serverRig();
  send(CONNECT);
  const { stream, sink } = exchanges[0]!;
  assert.deepEqual([sink.heads[0]!.upgrade, sink.heads[0]!.authority], ["connect", "db:5432"]);
  stream.head(head(200), false);
  stream.data(bytesOf("all"), true);
  assert.equal(wire.ended, true);
  send("more");
  assert.deepEqual(sink.events().slice(1), ["data more"]);
  server.eof();
  assert.deepEqual(sink.events().slice(-2), ["end", "closed"]);
});

Deno.test("H1Server never reads a request behind a refused CONNECT or upgrade (CVE-2025-64763)", () => {
  for (const [ask, status] of [[ASK, 403], [ASK, 200], [CONNECT, 503]] as const) {
    const { wire, exchanges, send } = serverRig();
    send(`${ask}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    exchanges[0]!.stream.head(head(status, ["content-length", "0"]), true);
    send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(exchanges.length, 1);
    assert.match(wire.written, new RegExp(`^HTTP/1.1 ${status} [^]*connection: close\r\n`));
    assert.deepEqual([wire.ended, exchanges[0]!.sink.events().at(-1)], [true, "closed"]);
  }
});

Deno.test("H1Server stops reading when much comes before the switch, and goes on after it", () => {
  const { wire, exchanges, send } = serverRig(undefined, { limits: { heldBytes: 10 } });
  send(ASK);
  send("0123456789ab");
  assert.equal(wire.paused, true);
  exchanges[0]!.stream.head(head(101), false);
  assert.equal(wire.paused, false);
  assert.deepEqual(exchanges[0]!.sink.events().slice(1), ["data 0123456789ab"]);
  assert.equal(wire.unbalanced, 0);
});

Deno.test("H1Server passes pressure on in a tunnel, both ways", () => {
  const { wire, server, exchanges, send } = serverRig();
  send(CONNECT);
  const { stream, sink } = exchanges[0]!;
  const feeder = stream.feeder = new CountingSource();
  stream.head(head(200), false);
  wire.full = true;
  stream.data(bytesOf("x"), false);
  assert.equal(feeder.paused, 1);
  server.drained();
  assert.equal(feeder.paused, 0);
  stream.pause();
  assert.equal(wire.paused, true);
  send("held");
  assert.deepEqual(sink.events().slice(1), []);
  stream.resume();
  assert.deepEqual(sink.events().slice(1), ["data held"]);
});

Deno.test("H1Server reads requests from a CONNECT that ends in its own proxy, whatever its version", () => {
  for (const version of ["HTTP/1.1\r\nHost: web:80", "HTTP/1.0"]) {
    const { wire, exchanges, send } = serverRig();
    send(`CONNECT web:80 ${version}\r\n\r\nGET /early HTTP/1.1\r\nHost: web\r\n\r\n`);
    const [connect] = exchanges;
    connect!.sink.heads[0]!.here = "taken";
    connect!.stream.head(head(200), true);
    assert.equal(wire.taken(), "HTTP/1.1 200 OK\r\n\r\n");
    assert.equal(connect!.sink.events().at(-1), "closed");
    assert.equal(exchanges[1]!.sink.heads[0]!.path, "/early");
    exchanges[1]!.stream.head(head(204), true);
    send("GET /later HTTP/1.1\r\nHost: web\r\n\r\n");
    assert.equal(exchanges[2]!.sink.heads[0]!.path, "/later");
    assert.deepEqual([wire.ended, wire.destroyed], [false, false]);
  }
});

Deno.test("H1Server takes a 200 that ends another's CONNECT for the end of the connection", () => {
  const { wire, exchanges, send } = serverRig();
  send(`${CONNECT}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  exchanges[0]!.stream.head(head(200), true);
  assert.deepEqual([exchanges.length, wire.ended], [1, true]);
});

Deno.test("H1Server serves one request of a CONNECT to itself that began while it drains", () => {
  const { wire, server, exchanges, send } = serverRig();
  send(CONNECT);
  server.drain();
  exchanges[0]!.sink.heads[0]!.here = "taken";
  exchanges[0]!.stream.head(head(200), true);
  assert.equal(wire.ended, false);
  send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  wire.taken();
  exchanges[1]!.stream.head(head(204), true);
  assert.match(wire.taken(), /connection: close/);
  assert.equal(wire.ended, true);
});

Deno.test("H1Server passes on what a client sent before it left, however late it is wanted", () => {
  const { server, exchanges, send } = serverRig();
  send(CONNECT);
  const { stream, sink } = exchanges[0]!;
  stream.head(head(200), false);
  stream.data(bytesOf("all I have"), true);
  stream.pause();
  send("last words");
  server.eof();
  server.close(null);
  assert.deepEqual(sink.events().slice(1), []);
  stream.resume();
  assert.deepEqual(sink.events().slice(1), ["data last words", "end", "closed"]);
});

Deno.test("H1Server cuts a tunnel hard when the other side breaks off", () => {
  const { wire, exchanges, send } = serverRig();
  send(CONNECT);
  exchanges[0]!.stream.head(head(200), false);
  exchanges[0]!.stream.abort({
    code: "x",
    source: "upstream",
    status: 502,
    sent: true,
    detail: "",
  });
  assert.deepEqual([wire.destroyed, exchanges[0]!.sink.events().at(-1)], [true, "closed"]);
});

Deno.test("H1Server writes no 101 that nobody asked for", () => {
  const { wire, exchanges, send } = serverRig();
  send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  exchanges[0]!.stream.head(head(101), false);
  assert.doesNotMatch(wire.written, / 101 /);
  assert.equal(wire.ended, true);
});

function asking(head: Partial<RequestHead> = {}) {
  const wire = new MemoryWire();
  const client = new H1Client(wire, { websocketKey: () => KEY });
  const sink = new Recorder();
  const stream = client.open(sink);
  stream.head({
    method: "GET",
    scheme: "http",
    authority: "a",
    path: "/chat",
    fields: new Fields(["sec-websocket-version", "13", "sec-websocket-key", "forged"]),
    upgrade: "websocket",
    ...head,
  }, false);
  const send = (text: string): void => client.receive(bytesOf(text));
  return { wire, client, sink, stream, send };
}
const connecting = () => asking(connectHead());

Deno.test("H1Client asks with a key of its own and carries both ways after the right answer", () => {
  const { wire, client, sink, stream, send } = asking();
  assert.equal(
    wire.taken(),
    "GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-version: 13\r\n" +
      `connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${KEY}\r\n\r\n`,
  );
  send(`${SWITCH}X: 1\r\n\r\nfirst`);
  assert.deepEqual(sink.events(), ["head 101 x|1", "data first"]);
  stream.data(bytesOf("hello"), false);
  assert.equal(wire.taken(), "hello");
  stream.data(new Uint8Array(0), true);
  assert.deepEqual([wire.ended, wire.destroyed], [true, false]);
  send("last");
  client.eof();
  assert.deepEqual(sink.events().slice(1), ["data first", "data last", "end", "closed"]);
  assert.deepEqual([client.slots, wire.destroyed], [0, false]);
});

Deno.test("H1Client takes no switch but the one it asked for", () => {
  const wrong: [string, string][] = [
    ["another answer", SWITCH.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=")],
    ["two answers", `${SWITCH}Sec-WebSocket-Accept: ${ACCEPT}\r\n`],
    ["no answer", SWITCH.replace(/Sec-.*\r\n/, "")],
    ["another protocol", SWITCH.replace("websocket", "h2c")],
    ["no Upgrade", SWITCH.replace(/Upgrade: websocket\r\n/, "")],
    ["no Connection", SWITCH.replace(/Connection: Upgrade\r\n/, "")],
  ];
  for (const [name, answer] of wrong) {
    const { wire, sink, send } = asking();
    send(`${answer}\r\nbytes`);
    assert.deepEqual(sink.events(), ["abort h1.bad_switch", "closed"], name);
    assert.equal(wire.destroyed, true, name);
  }
});

Deno.test("H1Client reads 200 to an upgrade as an ordinary response (CVE-2024-23326) and closes after it", () => {
  const { wire, client, sink, stream, send } = asking();
  wire.taken();
  send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  stream.data(bytesOf("not passed on"), false);
  send("ok");
  assert.deepEqual(sink.events(), ["head 200 content-length|2", "data ok", "end", "closed"]);
  assert.deepEqual([wire.taken(), client.slots, wire.destroyed], ["", 0, true]);
});

Deno.test("H1Client opens a tunnel by CONNECT on any 2xx, whatever lengths that names", () => {
  const { wire, sink, stream, send } = connecting();
  assert.equal(wire.taken(), "CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\n");
  send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef");
  assert.deepEqual(sink.events(), ["head 200 ", "data abcdef"]);
  stream.data(bytesOf("q"), false);
  assert.equal(wire.taken(), "q");
});

Deno.test("H1Client reads a refused CONNECT as an ordinary response", () => {
  const { sink, send } = connecting();
  send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  assert.deepEqual(sink.events(), ["head 403 content-length|2", "data no", "end", "closed"]);
});

Deno.test("H1Client says that a tunnel broke when its connection goes without an end", () => {
  const { client, sink, send } = connecting();
  send("HTTP/1.1 200 OK\r\n\r\nabc");
  client.close(null);
  assert.deepEqual(sink.events().slice(-2), ["abort upstream.reset", "closed"]);
});

Deno.test("H1Client passes on the end of a tunnel whose connection went while nobody wanted more", () => {
  for (const held of ["", "last words"]) {
    const { client, sink, stream, send } = connecting();
    send("HTTP/1.1 200 OK\r\n\r\n");
    stream.data(bytesOf("bye"), true);
    stream.pause();
    if (held !== "") send(held);
    client.eof();
    client.close(null);
    assert.equal(sink.fault, null);
    stream.resume();
    const data = held === "" ? [] : [`data ${held}`];
    assert.deepEqual(sink.events().slice(-2 - data.length), [...data, "end", "closed"]);
  }
});

Deno.test("A tunnel that is cut is reset on the other side, at both codecs", () => {
  const { wire, exchanges, send } = serverRig();
  send(CONNECT);
  exchanges[0]!.stream.head(head(200), false);
  exchanges[0]!.stream.cancel(FAULTS["upstream.reset"]);
  assert.equal(wire.wasReset, true);
  const up = connecting();
  up.send("HTTP/1.1 200 OK\r\n\r\n");
  up.stream.cancel(FAULTS["downstream.gone"]);
  assert.equal(up.wire.wasReset, true);
});
