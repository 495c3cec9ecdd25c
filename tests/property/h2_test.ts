/** What holds for every input to HTTP/2: any split gives the same events, nothing throws, heads come out as they went in. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream } from "../../core/stream.ts";
import { Recorder } from "../../proxy/h1/rig.ts";
import { H2Client } from "../../proxy/h2/client.ts";
import { H2Server } from "../../proxy/h2/server.ts";
import { ByteWire, PREFACE_BYTES, rawFrame } from "../support/h2_frames.ts";
import { conversation, type Damage, damaged, type Op, type Speaker } from "./h2_conversation.ts";
import { clientTrace, serverTrace } from "./h2_rig.ts";
import { pieces, runsOf } from "../support/property.ts";

const RUNS = runsOf("h2", 150);
/** For heads that are large now and then. */
const FEWER_RUNS = { ...RUNS, numRuns: Math.ceil(RUNS.numRuns / 3) };

const small = fc.nat(2000);
const ops: fc.Arbitrary<Op[]> = fc.array(fc.tuple(small, small, small, small), { maxLength: 40 });
const damages: fc.Arbitrary<Damage[]> = fc.array(fc.tuple(fc.nat(), small, small, small), {
  maxLength: 4,
});
/** Where the input is cut; or, as often, after every byte. */
const cuts = fc.oneof(
  fc.array(fc.nat(), { maxLength: 20 }),
  fc.constant(Array.from({ length: 20_000 }, (_, i) => i)),
);

/** Frames of any kind in any order on few streams. */
const soup = fc.array(
  fc.tuple(fc.nat(10), fc.nat(255), fc.nat(6), fc.uint8Array({ maxLength: 20 })),
  { maxLength: 30 },
).map((frames) => frames.map(([type, flags, id, payload]) => rawFrame(type, flags, id, payload)));

for (const speaker of ["client", "server"] as const) {
  const trace = speaker === "client" ? serverTrace : clientTrace;
  const codec = speaker === "client" ? "server" : "client";

  Deno.test(`HTTP/2 ${codec}: any split of a conversation gives the same events and frames`, () => {
    fc.assert(
      fc.property(ops, cuts, (ops, at) => {
        const bytes = conversation(speaker, ops);
        assert.deepEqual(trace(pieces(bytes, at)), trace([bytes]));
      }),
      RUNS,
    );
  });

  Deno.test(`HTTP/2 ${codec}: any split of a damaged conversation gives the same events`, () => {
    fc.assert(
      fc.property(ops, damages, cuts, (ops, damages, at) => {
        const bytes = damaged(conversation(speaker, ops), damages);
        assert.deepEqual(trace(pieces(bytes, at)), trace([bytes]));
      }),
      RUNS,
    );
  });

  Deno.test(`HTTP/2 ${codec}: any split of noise gives the same events`, () => {
    const noise = fc.oneof(
      soup.map((frames) => Uint8Array.from(begin(speaker).concat(...frames.map((f) => [...f])))),
      fc.uint8Array({ maxLength: 300 }),
    );
    fc.assert(
      fc.property(noise, cuts, (bytes, at) => {
        assert.deepEqual(trace(pieces(bytes, at)), trace([bytes]));
      }),
      RUNS,
    );
  });
}

function begin(speaker: Speaker): number[] {
  return [...(speaker === "client" ? PREFACE_BYTES : []), ...rawFrame(4, 0, 0)];
}

Deno.test("HTTP/2 conversations reach most of what the codecs do", () => {
  const seen = new Set<string>();
  for (const speaker of ["client", "server"] as const) {
    for (const list of fc.sample(ops, { seed: 1, numRuns: 300 })) {
      const trace = speaker === "client" ? serverTrace : clientTrace;
      for (const line of trace([conversation(speaker, list)])) {
        seen.add(`${speaker} ${line.replace(/^(\w+) .*/s, "$1")}`);
      }
    }
  }
  // Without these the properties above would hold of inputs that are refused at their first byte.
  for (const what of ["head", "data", "trailers", "abort", "closed", "end"]) {
    assert.ok(seen.has(`client ${what}`), `no request came to "${what}"`);
    assert.ok(seen.has(`server ${what}`), `no response came to "${what}"`);
  }
  assert.ok(seen.has("server info"), "no interim response came");
});

const token = fc.string({
  unit: fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"),
  minLength: 1,
  maxLength: 20,
});
const OWNED = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"],
  ...["host", "cookie", "content-length"],
]);
const text = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((c) => c !== 0x7f)
    .map((c) => String.fromCharCode(c)),
  maxLength: 400,
}).map((value) => value.trim());
const pair = fc.tuple(token.filter((name) => !OWNED.has(name)), text);
/** Few, or enough for CONTINUATION. */
const fields = fc.oneof(
  { weight: 4, arbitrary: fc.array(pair, { maxLength: 8 }) },
  fc.array(pair, { minLength: 60, maxLength: 90 }),
).filter((pairs) => pairs.reduce((n, [name, value]) => n + name.length + value.length, 0) < 50_000)
  .map((pairs) => pairs.flat());
const path = fc.string({
  unit: fc.constantFrom(..."abcXYZ019/-._~%:@!$&'()*+,;=?[]{}|\"<>"),
  maxLength: 30,
}).map((rest) => `/${rest}`);
const requests = fc.record({
  method: token.map((name) => name.toUpperCase()).filter((name) => name !== "CONNECT"),
  scheme: fc.constantFrom("http", "https"),
  authority: fc.constantFrom("a.test", "a.test:8080", "[::1]:80", "127.0.0.1"),
  path,
  fields,
}, { noNullPrototype: true });

Deno.test("HTTP/2 requests are read as they were written, from one connection, however cut", () => {
  fc.assert(
    fc.property(fc.array(requests, { minLength: 1, maxLength: 6 }), cuts, (heads, at) => {
      const wire = new ByteWire();
      const client = new H2Client(wire, { nowMs: () => 0 });
      for (const head of heads) {
        client.open(new Recorder<ResponseHead>())
          .head({ ...head, fields: new Fields([...head.fields]) }, true);
      }
      const sinks: Recorder<RequestHead>[] = [];
      const server = new H2Server(new ByteWire(), () => {
        sinks.push(new Recorder<RequestHead>());
        return sinks.at(-1)!;
      }, { nowMs: () => 0 });
      for (const piece of pieces(wire.taken(), at)) server.receive(piece);
      const read = sinks.map(({ heads: [head] }) => {
        const { method, scheme, authority, path, fields: { lines } } = head!;
        return { method, scheme, authority, path, fields: lines };
      });
      assert.deepEqual(read, heads);
    }),
    FEWER_RUNS,
  );
});

Deno.test("HTTP/2 responses are read as they were written, from one connection, however cut", () => {
  const responses = fc.record({ status: fc.integer({ min: 200, max: 999 }), fields }, {
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(fc.array(responses, { minLength: 1, maxLength: 6 }), cuts, (heads, at) => {
      const up = new ByteWire(), down = new ByteWire();
      const client = new H2Client(up, { nowMs: () => 0 });
      const streams: Stream<ResponseHead>[] = [];
      const server = new H2Server(down, (stream) => {
        streams.push(stream);
        return new Recorder<RequestHead>();
      }, { nowMs: () => 0 });
      const sinks = heads.map(() => {
        const sink = new Recorder<ResponseHead>();
        const fields = new Fields();
        client.open(sink).head(
          { method: "GET", scheme: "http", authority: "a", path: "/", fields },
          true,
        );
        return sink;
      });
      server.receive(up.taken());
      heads.forEach(({ status, fields }, i) =>
        streams[i]!.head({ status, fields: new Fields([...fields]) }, true)
      );
      for (const piece of pieces(down.taken(), at)) client.receive(piece);
      const read = sinks.map(({ heads: [head] }) => ({
        status: head!.status,
        fields: head!.fields.lines,
      }));
      assert.deepEqual(read, heads);
    }),
    FEWER_RUNS,
  );
});
