/** Flow control against a model (RFC 9113 5.2, 6.9): no window is ever exceeded, and nothing that may move stands still. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Source, Stream } from "../../core/stream.ts";
import { Recorder } from "../../proxy/h1/rig.ts";
import * as f from "../../proxy/h2/frame.ts";
import { H2_LIMITS, type H2Limits } from "../../proxy/h2/limits.ts";
import { H2Server } from "../../proxy/h2/server.ts";
import {
  ByteWire,
  type Frame,
  framesIn,
  headFrames,
  number32,
  PREFACE_BYTES,
  rawFrame,
  settingsFrame,
} from "../support/h2_frames.ts";
import { ModelEncoder } from "./hpack_model.ts";
import { runsOf } from "../support/property.ts";

const RUNS = runsOf("h2_windows", 100);

const STREAMS = 4;

/** A server with four requests begun, whose peer is this test. */
class Peer {
  readonly wire = new ByteWire();
  readonly served: { stream: Stream<ResponseHead>; sink: Recorder<RequestHead> }[] = [];
  readonly server: H2Server;

  constructor(limits: Partial<H2Limits>, end: boolean, initialWindow: number) {
    const sinks = this.served;
    // What is counted against abuse has tests of its own: here all frames are free.
    const options = { nowMs: () => 0, limits: { glitches: 1e9, ...limits } };
    this.server = new H2Server(this.wire, (stream) => {
      const sink = new Recorder<RequestHead>();
      sinks.push({ stream: stream as Stream<ResponseHead>, sink });
      return sink;
    }, options);
    this.server.receive(PREFACE_BYTES);
    this.server.receive(settingsFrame([4, initialWindow]));
    const hpack = new ModelEncoder();
    const head = [":method", "POST", ":scheme", "http", ":authority", "a", ":path", "/"];
    for (let i = 0; i < STREAMS; i++) {
      const block: number[] = [];
      for (let k = 0; k < head.length; k += 2) {
        block.push(...hpack.field(head[k]!, head[k + 1]!, "without", false, true));
      }
      this.server.receive(headFrames(1 + 2 * i, Uint8Array.from(block), end));
    }
  }
  /** Frames since the last call. */
  frames(): Frame[] {
    return framesIn(this.wire.taken()).frames;
  }
}

// ── What we send ────────────────────────────────────────────────────────────

type Move =
  | { kind: "push"; stream: number; bytes: number; end: boolean; trailers: boolean }
  | { kind: "widen"; stream: number; by: number } // stream STREAMS: the connection
  | { kind: "window"; size: number }
  | { kind: "frame"; size: number }
  | { kind: "reset"; stream: number }
  | { kind: "full" }
  | { kind: "drained" };

const anyStream = fc.nat(STREAMS - 1);
const bytes = fc.oneof(fc.nat(20), fc.nat(5000), fc.nat(150_000));
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      stream: anyStream,
      bytes,
      end: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
      trailers: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("widen" as const),
      stream: fc.nat(STREAMS),
      by: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000 })),
    }),
  },
  fc.record({
    kind: fc.constant("window" as const),
    size: fc.oneof(fc.constantFrom(0, 1, 65_535), fc.nat(200_000)),
  }),
  fc.record({
    kind: fc.constant("frame" as const),
    size: fc.integer({ min: 16_384, max: 40_000 }),
  }),
  fc.record({ kind: fc.constant("reset" as const), stream: anyStream }),
  fc.constant({ kind: "full" as const }),
  fc.constant({ kind: "drained" as const }),
);

/** Stops what feeds a stream, and knows whether it is stopped. */
class Feeder implements Source {
  paused = 0;
  pause(): void {
    this.paused++;
  }
  resume(): void {
    this.paused--;
  }
  cancel(): void {}
}

/** What the peer knows of a stream that we answer on. */
interface Sent {
  window: number;
  pushed: number;
  got: number;
  ending: boolean;
  trailers: boolean;
  ended: boolean;
  gone: boolean;
}

const byteAt = (stream: number, at: number): number => (stream * 89 + at * 31) & 255;

Deno.test("HTTP/2 sends within every window, all that they allow, in order and to the end", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), fc.nat(70_000), (moves, initial) => {
      const peer = new Peer({}, true, initial);
      const feeders = peer.served.map(() => new Feeder());
      const sent: Sent[] = peer.served.map(({ stream }, i) => {
        stream.feeder = feeders[i]!;
        stream.head({ status: 200, fields: new Fields() }, false);
        const rest = { ending: false, trailers: false, ended: false, gone: false };
        return { window: initial, pushed: 0, got: 0, ...rest };
      });
      let connection = f.DEFAULT_WINDOW, size = initial, most = f.MIN_MAX_FRAME_BYTES;
      const look = (): void => {
        for (const frame of peer.frames()) {
          const one = sent[(frame.id - 1) >> 1];
          if (frame.type === f.DATA) {
            assert.ok(
              one !== undefined && !one.ended && !one.gone,
              "DATA on a stream that is over",
            );
            const { length } = frame.payload;
            assert.ok(length <= most, `a frame of ${length} bytes, where ${most} are allowed`);
            one.window -= length;
            connection -= length;
            if (length > 0) assert.ok(one.window >= 0 && connection >= 0, "a window was exceeded");
            frame.payload.forEach((byte, i) => {
              if (byte !== byteAt(frame.id, one.got + i)) assert.fail("bytes out of order");
            });
            one.got += length;
            if (frame.flags & 1) one.ended = true;
          } else if (frame.type === f.HEADERS && (frame.flags & 1) !== 0) {
            assert.ok(one!.trailers && one!.got === one!.pushed, "trailers before the body's end");
            one!.ended = true;
          } else assert.ok(frame.type !== f.GOAWAY, "the connection ended");
        }
        if (peer.wire.full) return;
        sent.forEach((one, i) => {
          if (one.gone) return assert.equal(feeders[i]!.paused, 0, "held back for ever");
          const left = one.pushed - one.got;
          if (left > 0) {
            assert.ok(one.window <= 0 || connection <= 0, `${left} bytes stand still`);
            if (feeders[i]!.paused > 0) assert.ok(left > H2_LIMITS.sendBufferBytes >> 1);
          } else {
            assert.equal(one.ended, one.ending, "the end was not sent, or too early");
            assert.equal(feeders[i]!.paused, 0, "a feeder is held back though nothing waits");
          }
        });
      };
      look();
      for (const m of moves) {
        switch (m.kind) {
          case "push": {
            const one = sent[m.stream]!;
            if (one.ending || one.gone) break;
            const { stream } = peer.served[m.stream]!;
            const id = 1 + 2 * m.stream;
            const body = Uint8Array.from({ length: m.bytes }, (_, i) => byteAt(id, one.pushed + i));
            one.pushed += m.bytes;
            one.ending = m.end;
            one.trailers = m.end && m.trailers;
            stream.data(body, m.end && !m.trailers);
            if (one.trailers) stream.trailers(new Fields(["grpc-status", "0"]));
            break;
          }
          case "widen": {
            const id = m.stream === STREAMS ? 0 : 1 + 2 * m.stream;
            if (id === 0) connection += m.by;
            else if (!sent[m.stream]!.gone) sent[m.stream]!.window += m.by;
            peer.server.receive(rawFrame(f.WINDOW_UPDATE, 0, id, number32(m.by)));
            break;
          }
          case "window":
            for (const one of sent) one.window += m.size - size;
            size = m.size;
            peer.server.receive(settingsFrame([4, size]));
            break;
          case "frame":
            most = m.size;
            peer.server.receive(settingsFrame([5, most]));
            break;
          case "reset": {
            const one = sent[m.stream]!;
            if (one.ended) break;
            look();
            one.gone = true;
            peer.server.receive(rawFrame(f.RST_STREAM, 0, 1 + 2 * m.stream, number32(8)));
            break;
          }
          case "full":
            peer.wire.full = true;
            break;
          case "drained":
            peer.wire.full = false;
            peer.server.drained();
        }
        look();
      }
      // Every window wide open: all that was pushed arrives.
      peer.wire.full = false;
      peer.server.drained();
      for (let i = 0; i < STREAMS; i++) {
        if (!sent[i]!.ended && !sent[i]!.gone) {
          sent[i]!.window += 1 << 25;
          peer.server.receive(rawFrame(f.WINDOW_UPDATE, 0, 1 + 2 * i, number32(1 << 25)));
        }
      }
      connection += 1 << 27;
      peer.server.receive(rawFrame(f.WINDOW_UPDATE, 0, 0, number32(1 << 27)));
      look();
      for (const one of sent) assert.ok(one.gone || one.got === one.pushed, "bytes were lost");
    }),
    RUNS,
  );
});

// ── What we let the peer send ───────────────────────────────────────────────

type Turn =
  | { kind: "send"; stream: number; bytes: number; padding: number }
  | { kind: "pause"; stream: number }
  | { kind: "resume"; stream: number }
  | { kind: "reset"; stream: number };
const turn: fc.Arbitrary<Turn> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      stream: anyStream,
      bytes: fc.oneof(fc.nat(20), fc.nat(16_000)),
      padding: fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, fc.nat(255)),
    }),
  },
  fc.record({ kind: fc.constantFrom("pause" as const, "resume" as const), stream: anyStream }),
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("reset" as const),
      stream: fc.integer({ min: 1, max: STREAMS - 1 }),
    }),
  },
);
const windows = fc.record({
  streamWindowBytes: fc.oneof(
    fc.integer({ min: 1, max: 100 }),
    fc.integer({ min: 1, max: 50_000 }),
  ),
  connectionWindowBytes: fc.integer({ min: 65_535, max: 200_000 }),
  heldBytes: fc.oneof(fc.nat(10_000), fc.nat(300_000)),
});

Deno.test("HTTP/2 takes all that its windows allow, gives them back, and bounds what is held", () => {
  fc.assert(
    fc.property(
      windows,
      fc.array(turn, { maxLength: 150 }),
      fc.boolean(),
      (limits, turns, over) => {
        const peer = new Peer(limits, false, 65_535);
        let connection = f.DEFAULT_WINDOW;
        const window = new Array<number>(STREAMS).fill(limits.streamWindowBytes);
        const paused = new Array<number>(STREAMS).fill(0);
        const bodies = new Array<number>(STREAMS).fill(0);
        const gone = new Array<boolean>(STREAMS).fill(false);
        const look = (): void => {
          for (const { type, id, payload } of peer.frames()) {
            assert.ok(
              type !== f.GOAWAY && type !== f.RST_STREAM,
              "a peer within its windows is ended",
            );
            if (type !== f.WINDOW_UPDATE) continue;
            const by = (payload[0]! << 24) | (payload[1]! << 16) | (payload[2]! << 8) | payload[3]!;
            assert.ok(by > 0);
            if (id === 0) connection += by;
            else window[(id - 1) >> 1]! += by;
          }
          assert.ok(connection <= limits.connectionWindowBytes, "more is allowed than the limit");
          let held = 0;
          peer.served.forEach(({ sink }, i) => {
            if (gone[i]) return; // what it held is let go
            const taken = bodyOf(sink);
            if (paused[i] === 0) assert.equal(taken, bodies[i], "body stands still");
            held += bodies[i]! - taken;
            const waits = bodies[i]! - taken + window[i]!;
            assert.ok(waits <= limits.streamWindowBytes, `${waits} bytes could wait on a stream`);
            if (paused[i] === 0) assert.ok(window[i]! > 0, "a stream that is read has no window");
          });
          assert.ok(held + connection <= limits.heldBytes + limits.connectionWindowBytes * 2);
          if (held <= limits.heldBytes) {
            assert.ok(
              connection > 0,
              "the connection's window is shut",
            );
          }
        };
        look();
        for (const t of turns) {
          if (gone[t.stream]) continue;
          if (t.kind === "pause") {
            paused[t.stream]!++;
            peer.served[t.stream]!.stream.pause();
          } else if (t.kind === "resume") {
            if (paused[t.stream] === 0) continue;
            paused[t.stream]!--;
            peer.served[t.stream]!.stream.resume();
          } else if (t.kind === "reset") {
            gone[t.stream] = true;
            peer.server.receive(rawFrame(f.RST_STREAM, 0, 1 + 2 * t.stream, number32(8)));
          } else {
            const extra = t.padding < 0 ? 0 : t.padding + 1;
            const most = Math.min(connection, window[t.stream]!) - extra;
            const body = Math.min(t.bytes, most);
            if (body < 0) continue;
            const id = 1 + 2 * t.stream;
            connection -= body + extra;
            window[t.stream]! -= body + extra;
            bodies[t.stream]! += body;
            peer.server.receive(
              t.padding < 0
                ? rawFrame(f.DATA, 0, id, new Uint8Array(body))
                : rawFrame(f.DATA, 8, id, [t.padding, ...new Uint8Array(body + t.padding)]),
            );
          }
          look();
        }
        if (over) {
          // One byte more than a stream's window: that stream is reset, and only that one.
          peer.served[0]!.stream.pause();
          paused[0]!++;
          while (window[0]! > 0 && connection > 0) {
            const body = Math.min(window[0]!, connection, 16_000);
            window[0]! -= body;
            connection -= body;
            bodies[0]! += body;
            peer.server.receive(rawFrame(f.DATA, 0, 1, new Uint8Array(body)));
            look();
          }
          peer.server.receive(rawFrame(f.DATA, 0, 1, [0]));
          const [error] = peer.frames().filter(({ type }) => type === f.GOAWAY || type === 3);
          assert.equal(error?.type, connection > 0 ? f.RST_STREAM : f.GOAWAY);
          assert.equal(error!.payload.at(connection > 0 ? 3 : 7), f.FLOW_CONTROL_ERROR);
          return;
        }
        peer.served.forEach(({ stream }, i) => {
          for (; paused[i]! > 0; paused[i]!--) stream.resume();
        });
        look();
        peer.served.forEach(({ sink }, i) => {
          if (!gone[i]) assert.equal(bodyOf(sink), bodies[i]);
        });
      },
    ),
    RUNS,
  );
});

function bodyOf(sink: Recorder<RequestHead>): number {
  return sink.events().reduce((n, line) => n + (line.startsWith("data ") ? line.length - 5 : 0), 0);
}
