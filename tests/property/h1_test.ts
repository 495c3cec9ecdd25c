/** What holds for every input: any split gives the same events, what is written is read back, nothing throws. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import {
  bytesOf,
  clientRig,
  MemoryWire,
  Recorder,
  serverRig,
  textOf,
  whenWhole,
} from "../../proxy/h1/rig.ts";
import { H1Server } from "../../proxy/h1/mod.ts";
import type { RequestHead } from "../../core/message.ts";
import { REQUESTS, RESPONSES } from "../conformance/h1/cases.ts";
import { pieces, runsOf } from "../support/property.ts";

const RUNS = runsOf("h1", 300);

/** Everything a server tells and writes about some input. Some exchanges answer at the head, some at the end. */
function serverTrace(input: readonly Uint8Array[]): string[] {
  const rig = serverRig(({ stream, sink }, head, end) => {
    const answer = (): void => {
      stream.head({ status: 200, fields: new Fields(["content-length", "2"]) }, false);
      stream.data(bytesOf("ok"), true);
    };
    if (end) return answer();
    if (head.method === "PUT") return;
    whenWhole(sink, answer);
  });
  for (const bytes of input) rig.server.receive(bytes);
  const { wire, server } = rig;
  const state = `${server.phase} ${wire.ended} ${wire.destroyed} ${wire.paused}`;
  server.eof();
  server.close(null);
  return [...rig.exchanges.flatMap(({ sink }) => sink.events()), wire.written, state];
}

function clientTrace(input: readonly Uint8Array[], method: string): string[] {
  const { client, wire, open } = clientRig();
  const { stream, sink } = open();
  stream.head({ method, scheme: "http", authority: "a", path: "/", fields: new Fields() }, true);
  for (const bytes of input) client.receive(bytes);
  const state = `${client.phase} ${client.slots} ${wire.destroyed}`;
  client.eof();
  client.close(null);
  return [...sink.events(), state];
}

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const requestInput = fc.array(fc.constantFrom(...REQUESTS.map((row) => row.raw)), {
  minLength: 1,
  maxLength: 3,
}).map((raws) => raws.join(""));
const responseInput = fc.array(fc.constantFrom(...RESPONSES.map((row) => row.raw)), {
  minLength: 1,
  maxLength: 2,
}).map((raws) => raws.join(""));

/** A message with some bytes put in, taken out, doubled or changed. */
const SPICE = '\r\n\r\n \t:;,\0\x7f\xff#?/\\"chunked0123456789abcdef\n\r';
function mutated(input: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(),
    drop: fc.nat(3),
    put: fc.nat(SPICE.length),
    twice: fc.nat(9),
  });
  return fc.tuple(input, fc.array(change, { maxLength: 4 })).map(([text, changes]) => {
    for (const { at, drop, put, twice } of changes) {
      const from = at % (text.length + 1);
      const added = twice === 0
        ? text.slice(from, from + 40)
        : SPICE.slice(put, put + 1 + twice % 3);
      text = text.slice(0, from) + added + text.slice(from + drop);
    }
    return text;
  });
}

Deno.test("server: any split of any input gives the same events and the same output", () => {
  fc.assert(
    fc.property(mutated(requestInput), cuts, (text, at) => {
      const bytes = bytesOf(text);
      assert.deepEqual(serverTrace(pieces(bytes, at)), serverTrace([bytes]));
    }),
    RUNS,
  );
});

Deno.test("client: any split of any input gives the same events", () => {
  fc.assert(
    fc.property(mutated(responseInput), cuts, fc.boolean(), (text, at, head) => {
      const bytes = bytesOf(text);
      const method = head ? "HEAD" : "GET";
      assert.deepEqual(clientTrace(pieces(bytes, at), method), clientTrace([bytes], method));
    }),
    RUNS,
  );
});

Deno.test("server and client take random bytes without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), cuts, (bytes, at) => {
      serverTrace(pieces(bytes, at));
      clientTrace(pieces(bytes, at), "GET");
    }),
    RUNS,
  );
});

const TOKEN_CHARS = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARS), minLength: 1, maxLength: 20 });
const OWNED = new Set([
  "host",
  "content-length",
  "connection",
  "transfer-encoding",
  "keep-alive",
  "upgrade",
  "te",
  "expect",
  "proxy",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-authentication-info",
  "http2-settings",
  "date",
]);
const fieldName = token.filter((name) => !OWNED.has(name));
const value = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((c) => c !== 0x7f).map((c) =>
    String.fromCharCode(c)
  ),
  maxLength: 40,
}).map((text) => text.replace(/^[ \t]+|[ \t]+$/g, ""));
const fields = fc.array(fc.tuple(fieldName, value), { maxLength: 20 }).map((pairs) => pairs.flat());
const bodies = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 });
/** How a body is framed: no length, a length, or chunks with trailers. */
const framing = fc.constantFrom("none", "length", "chunked", "trailers");

Deno.test("a request written by the client codec is read back by the server codec", () => {
  const path = fc.string({
    unit: fc.constantFrom(..."abcXYZ019/-._~%:@!$&'()*+,;=?"),
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      token,
      path,
      fields,
      bodies,
      framing,
      cuts,
      (method, rest, lines, body, kind, at) => {
        if (method === "connect") return;
        const { wire, open } = clientRig();
        const { stream } = open();
        const text = body.map(textOf).join("");
        const sent = new Fields([...lines]);
        if (kind === "length") sent.append("content-length", String(text.length));
        const head = { method, scheme: "http", authority: "a.b:1", path: `/${rest}`, fields: sent };
        send(stream, head, kind, body);
        const got = receiveRequest(pieces(bytesOf(wire.written), at));
        const read = got.heads[0]!;
        assert.equal(got.heads.length, 1);
        assert.deepEqual([read.method, read.authority, read.path], [method, "a.b:1", `/${rest}`]);
        read.fields.remove("content-length");
        assert.deepEqual(read.fields.lines, lines);
        checkBody(got.events(), kind === "none" ? "" : text, kind);
      },
    ),
    RUNS,
  );
});

Deno.test("a response written by the server codec is read back by the client codec", () => {
  const status = fc.integer({ min: 200, max: 999 }).filter((s) => s !== 204 && s !== 304);
  fc.assert(
    fc.property(status, fields, bodies, framing, cuts, (status, lines, body, kind, at) => {
      const rig = serverRig();
      rig.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      const text = body.map(textOf).join("");
      const sent = new Fields([...lines]);
      if (kind === "length") sent.append("content-length", String(text.length));
      send(rig.exchanges[0]!.stream, { status, fields: sent }, kind, body);
      const { client, open } = clientRig();
      const { stream, sink } = open();
      stream.head({
        method: "GET",
        scheme: "http",
        authority: "a",
        path: "/",
        fields: new Fields(),
      }, true);
      for (const piece of pieces(bytesOf(rig.wire.written), at)) client.receive(piece);
      assert.equal(sink.heads[0]!.status, status);
      sink.heads[0]!.fields.remove("content-length");
      assert.deepEqual(sink.heads[0]!.fields.lines, lines);
      checkBody(sink.events(), kind === "none" ? "" : text, kind);
      assert.equal(client.slots, 1);
    }),
    RUNS,
  );
});

Deno.test("a head that filters changed goes on as changed, and nothing else of it", () => {
  const NAMES = ["accept", "x-a", "x-b", "cookie", "user-agent", "x-other"];
  const name = fc.constantFrom(...NAMES);
  const ows = fc.constantFrom("", " ", "  ", "\t", " \t ");
  const line = fc.tuple(name, fc.boolean(), ows, value, ows);
  const edit = fc.oneof(
    fc.tuple(fc.constant("set" as const), name, value),
    fc.tuple(fc.constant("append" as const), name, value),
    fc.tuple(fc.constant("remove" as const), name, fc.constant("")),
  );
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 15 }),
      fc.array(edit, { maxLength: 6 }),
      cuts,
      (given, edits, at) => {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n";
        for (const [name, upper, before, value, after] of given) {
          text += `${upper ? name.toUpperCase() : name}:${before}${value}${after}\r\n`;
        }
        const head = receiveRequest(pieces(bytesOf(`${text}\r\n`), at)).heads[0]!;
        assert.deepEqual(head.fields.lines, given.flatMap(([name, , , value]) => [name, value]));
        for (const [what, name, value] of edits) {
          if (what === "remove") head.fields.remove(name);
          else head.fields[what](name, value);
        }
        // Written twice, as a retry does: the first copies what it can, the second writes all anew.
        for (let attempt = 0; attempt < 2; attempt++) {
          const { wire, open } = clientRig();
          open().stream.head(head, true);
          const read = receiveRequest([bytesOf(wire.written)]).heads[0]!;
          assert.deepEqual(read.fields.lines, head.fields.lines);
        }
      },
    ),
    RUNS,
  );
});

interface Outgoing<H> {
  head(head: H, end: boolean): void;
  data(bytes: Uint8Array, end: boolean): void;
  trailers(fields: Fields): void;
}

function send<H>(stream: Outgoing<H>, head: H, kind: string, body: readonly Uint8Array[]): void {
  stream.head(head, kind === "none");
  if (kind === "none") return;
  for (const bytes of body) stream.data(bytes, false);
  if (kind === "trailers") stream.trailers(new Fields(["grpc-status", "0"]));
  else stream.data(new Uint8Array(0), true);
}

function receiveRequest(input: readonly Uint8Array[]): Recorder<RequestHead> {
  const sink = new Recorder<RequestHead>();
  const server = new H1Server(new MemoryWire(), () => sink, { scheme: "http" });
  for (const bytes of input) server.receive(bytes);
  return sink;
}

function checkBody(events: readonly string[], body: string, kind: string): void {
  const data = events.filter((line) => line.startsWith("data ")).map((line) => line.slice(5));
  assert.equal(data.join(""), body);
  assert.equal(events.includes("end"), true);
  assert.equal(events.includes("trailers grpc-status|0"), kind === "trailers");
}
