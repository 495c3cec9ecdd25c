/** The attacks on HTTP/2 that have names, and what a stream may no longer do once it is over. */
import assert from "node:assert/strict";
import * as f from "./frame.ts";
import { H2_EDGE_LIMITS, H2_LIMITS } from "./limits.ts";
import { assertCalm, block, FAULT, H2Rig, OK, REQUEST } from "./rig.ts";

/** An id for the nth stream. */
const idOf = (nth: number): number => nth * 2 - 1;

/** A raw literal field without indexing: name and value as they are. */
function literal(name: string, value: string): number[] {
  const text = (one: string): number[] => {
    assert.ok(one.length < 127);
    return [one.length, ...new TextEncoder().encode(one)];
  };
  return [0x00, ...text(name), ...text(value)];
}

for (
  const [where, limits, most] of [
    ["the edge", H2_EDGE_LIMITS, 1100],
    ["the mesh", H2_LIMITS, 20_100],
  ] as const
) {
  Deno.test(`CVE-2023-44487: rapid resets end the connection, at ${where}`, () => {
    const rig = new H2Rig(limits);
    const opened = rig.until(most, (n) => {
      rig.open(idOf(n));
      rig.reset(idOf(n));
    });
    assert.ok(opened <= most, String(opened));
    assertCalm(rig, /the last one reset/);
    assert.equal(rig.exchanges.at(-1)!.events.at(-1), "closed");
  });

  Deno.test(`A client that gives up every third request is no attacker, at ${where}`, () => {
    const rig = new H2Rig(limits);
    const opened = rig.until(most * 2, (n) => {
      const x = rig.open(idOf(n), true)!;
      if (n % 3 === 0) rig.reset(idOf(n));
      else x.stream.head(OK(), true);
      rig.wire.take();
    });
    assert.equal(opened, Infinity);
  });
}

Deno.test("CVE-2025-8671: a client that makes us reset is counted like one that resets", () => {
  // Each of these is a stream error of its own kind, after a request that has begun to cost us.
  const ways: readonly ((rig: H2Rig, id: number) => void)[] = [
    (rig, id) => rig.widen(id, 0),
    (rig, id) => rig.widen(id, f.MAX_WINDOW),
    (rig, id) => rig.send(f.PRIORITY, 0, id, new Uint8Array(4)),
    (rig, id) => rig.send(f.HEADERS, f.FLAG_END_HEADERS, id, block("x", "y")), // trailers without an end
    (rig, id) => rig.send(f.DATA, 0, id, new Uint8Array(11)), // more than its content-length
  ];
  for (const way of ways) {
    const rig = new H2Rig(H2_EDGE_LIMITS);
    const opened = rig.until(1100, (n) => {
      rig.open(idOf(n), false, "content-length", "10");
      way(rig, idOf(n));
    });
    assert.ok(opened <= 1100, String(way));
    assertCalm(rig, /the last one stream_error/);
    for (const x of rig.exchanges) assert.equal(x.events.at(-1), "closed");
  }
});

Deno.test("CVE-2024-27316: empty CONTINUATION frames do not go on for ever", () => {
  const rig = new H2Rig();
  rig.send(f.HEADERS, 0, 1);
  const sent = rig.until(100, () => rig.send(f.CONTINUATION, 0, 1));
  assert.equal(sent, 9);
  assertCalm(rig, /header block/);
});

Deno.test("HPACK bomb: one long entry named by a byte each is counted at its full size", () => {
  const rig = new H2Rig({ headerFields: 100_000 });
  const value = "v".repeat(3000);
  const encoder = Uint8Array.of(
    0x40, // literal with indexing, new name
    1,
    0x61,
    0x7f,
    (3000 - 127) & 0x7f | 0x80,
    (3000 - 127) >> 7,
    ...new TextEncoder().encode(value),
  );
  const bomb = new Uint8Array(10_000).fill(0x80 | 62);
  rig.send(
    f.HEADERS,
    f.FLAG_END_HEADERS | f.FLAG_END_STREAM,
    1,
    Uint8Array.of(...block(...REQUEST), ...encoder, ...bomb),
  );
  assert.equal(rig.exchanges.length, 0);
  assert.deepEqual(rig.glitches, ["head_too_large"]);
});

Deno.test("CVE-2026-49975: cookie crumbs count as the fields and bytes they become", () => {
  const crumbs = (count: number, size: number): string[] =>
    Array.from({ length: count }, () => ["cookie", "c".repeat(size)]).flat();
  const rig = new H2Rig({ headerListBytes: 4000 });
  assert.equal(rig.open(1, true, ...crumbs(101, 1)), null);
  assert.equal(rig.open(3, true, ...crumbs(30, 100)), null);
  assert.deepEqual(rig.glitches, ["head_too_large", "head_too_large"]);
  const { fields } = rig.open(5, true, ...crumbs(20, 100))!.request!;
  assert.equal(fields.lines.length, 2);
  assert.equal(fields.get("cookie")!.length, 20 * 102 - 2);
});

for (
  const [name, attack, what] of [
    ["CVE-2019-9512: PING", (rig) => rig.send(f.PING, 0, 0, new Uint8Array(8)), "ping"],
    ["CVE-2019-9515: SETTINGS", (rig) => rig.settings([4, 65_535]), "settings"],
    ["CVE-2019-9518: empty DATA", (rig) => rig.send(f.DATA, 0, 1), "empty_frame"],
    ["CVE-2019-9513: PRIORITY", (rig) => {
      rig.send(f.PRIORITY, 0, 1, new Uint8Array(5));
    }, "priority"],
    ["WINDOW_UPDATE", (rig) => rig.widen(0, 1), "window_update"],
    ["WINDOW_UPDATE on a stream", (rig) => rig.widen(1, 1), "window_update"],
    ["unknown frame", (rig) => rig.send(0xee, 0, 0), "unknown_frame"],
    ["unasked SETTINGS ack", (rig) => rig.send(f.SETTINGS, f.FLAG_ACK, 0), "ack"],
    ["unasked PING ack", (rig) => rig.send(f.PING, f.FLAG_ACK, 0, new Uint8Array(8)), "ack"],
    ["GOAWAY", (rig) => rig.send(f.GOAWAY, 0, 0, new Uint8Array(8)), "goaway"],
    ["reset of a closed stream", (rig) => rig.reset(3), "closed_stream"],
  ] as readonly [string, (rig: H2Rig) => void, string][]
) {
  Deno.test(`A flood ends the connection: ${name}`, () => {
    const rig = new H2Rig(H2_EDGE_LIMITS);
    rig.open(1);
    rig.open(3, true)!.stream.head(OK(), true);
    const sent = rig.until(2000, () => attack(rig));
    assert.ok(sent < 1000, String(sent));
    assertCalm(rig, new RegExp(`the last one ${what}`));
    assert.equal(rig.exchanges[0]!.events.at(-1), "closed");
  });
}

Deno.test("Window updates that overflow end the stream, or the connection", () => {
  const rig = new H2Rig();
  rig.open(1);
  rig.widen(1, f.MAX_WINDOW);
  assert.equal(rig.resetOf(1), f.FLOW_CONTROL_ERROR);
  assert.equal(rig.code, null);
  rig.widen(0, f.MAX_WINDOW);
  assert.equal(rig.code, f.FLOW_CONTROL_ERROR);
});

Deno.test("SETTINGS that overflow a stream's window end the connection", () => {
  const rig = new H2Rig();
  rig.open(1);
  rig.widen(1, f.MAX_WINDOW - f.DEFAULT_WINDOW);
  rig.settings([4, f.DEFAULT_WINDOW + 1]);
  assert.equal(rig.code, f.FLOW_CONTROL_ERROR);
});

Deno.test("Trailers are no way around the limit of a head", () => {
  const rig = new H2Rig({ headerFields: 10 });
  const x = rig.open(1)!;
  const many = Array.from({ length: 11 }, (_, i) => literal(`x-${i}`, "")).flat();
  rig.send(f.HEADERS, f.FLAG_END_HEADERS | f.FLAG_END_STREAM, 1, Uint8Array.from(many));
  assert.equal(rig.resetOf(1), f.PROTOCOL_ERROR);
  assert.deepEqual(x.events, ["head", "abort h2.client_stream_error", "closed"]);
});

Deno.test("Heads on streams that are over are decoded for the table and then counted", () => {
  const rig = new H2Rig({ freeFrames: 10, glitches: 10, glitchesPerSecond: 0 });
  rig.open(1)!.stream.cancel(FAULT);
  const sent = rig.until(100, () =>
    rig.send(
      f.HEADERS,
      f.FLAG_END_HEADERS | f.FLAG_END_STREAM,
      1,
      block("x", "y"),
    ));
  assert.ok(sent < 30, String(sent));
  assertCalm(rig, /closed_stream/);
});

Deno.test("A body of undeclared length may rest, but not fall silent for ever", () => {
  const rig = new H2Rig({ bodyTimeoutMs: 2000, bodySilenceMs: 20_000 });
  const x = rig.open(1)!;
  rig.wait(60, () => rig.nowMs % 15_000 === 0 && rig.send(f.DATA, 0, 1, new Uint8Array(1)));
  assert.ok(!x.events.includes("closed"));
  rig.wait(42);
  assert.deepEqual(x.events.slice(-2), ["abort downstream.timeout", "closed"]);
});

Deno.test("A body that we hold back, or whose answer has begun, is not late", () => {
  const rig = new H2Rig({ bodyTimeoutMs: 2000, windowStallMs: 5000 });
  const held = rig.open(1, false, "content-length", "10")!;
  held.stream.pause();
  const answered = rig.open(3, false, "content-length", "10")!;
  answered.stream.head(OK(), false);
  rig.wait(60);
  assert.deepEqual([held.events, answered.events], [["head"], ["head"]]);
});

Deno.test("Nothing is passed on of a stream that a frame before has reset", () => {
  // CVE-2026-26311: all in one read, so that what follows is already here when the reset is handled.
  const rig = new H2Rig();
  const body = f.frame(5, f.DATA, f.FLAG_END_STREAM, 1);
  const trailers = block("x", "y");
  const more = f.frame(trailers.length, f.HEADERS, f.FLAG_END_HEADERS | f.FLAG_END_STREAM, 1);
  more.set(trailers, f.FRAME_HEADER_BYTES);
  const x = rig.open(1)!;
  rig.server.receive(Uint8Array.of(...f.windowUpdateFrame(1, 0), ...body, ...more));
  assert.deepEqual(x.events, ["head", "abort h2.client_stream_error", "closed"]);
  assert.equal(x.bytes, 0);
  assert.equal(rig.code, null);
});

Deno.test("Nothing is passed on of a stream that its own exchange has cancelled meanwhile", () => {
  const rig = new H2Rig();
  const x = rig.open(1)!;
  x.on = (event) => event === "data" && x.stream.cancel(FAULT);
  const piece = f.frame(5, f.DATA, 0, 1);
  rig.server.receive(Uint8Array.of(...piece, ...piece, ...piece));
  assert.deepEqual(x.events, ["head", "data", "abort x", "closed"]);
});

Deno.test("Nothing is passed on of a paused stream that the peer has reset", () => {
  const rig = new H2Rig();
  const x = rig.open(1)!;
  x.stream.pause();
  rig.send(f.DATA, f.FLAG_END_STREAM, 1, new Uint8Array(5));
  rig.reset(1);
  x.stream.resume();
  assert.deepEqual(x.events, ["head", "abort downstream.gone", "closed"]);
});

Deno.test("Nothing is read of a connection after its error", () => {
  const rig = new H2Rig();
  rig.accepted = (x) => {
    x.on = (event) => event === "head" && rig.server.error(f.INTERNAL_ERROR, "test");
  };
  rig.open(1);
  const before = rig.exchanges[0]!.events.length;
  rig.send(f.DATA, f.FLAG_END_STREAM, 1, new Uint8Array(5));
  rig.open(3);
  assert.equal(rig.exchanges.length, 1);
  assert.equal(rig.exchanges[0]!.events.length, before);
});
