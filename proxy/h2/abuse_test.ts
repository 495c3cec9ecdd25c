/** Every limit of limits.ts, driven: the type of the table below sees to it that none is without a test. */
import assert from "node:assert/strict";
import type { Source } from "../../core/stream.ts";
import * as f from "./frame.ts";
import type { H2Limits } from "./limits.ts";
import { assertCalm, block, FAULT, H2Rig, OK, REQUEST } from "./rig.ts";

const LIMITS: { readonly [K in keyof H2Limits]: () => void } = {
  concurrentStreams() {
    const rig = new H2Rig({ concurrentStreams: 2 });
    for (const id of [1, 3, 5]) rig.open(id);
    assert.equal(rig.exchanges.length, 2);
    assert.equal(rig.resetOf(5), f.REFUSED_STREAM);
    assert.deepEqual(rig.glitches, ["refused_stream"]);
    rig.exchanges[0]!.stream.head(OK(), true);
    assert.ok(rig.open(7) !== null, "a stream that is over makes room");
  },

  tableBytes() {
    const rig = new H2Rig({ tableBytes: 8192 });
    // RFC 7541 6.3: an update over what we announced; 5 bits, then base 128: 8193 - 31 = 8162.
    const update = (size: number): Uint8Array => {
      const rest = size - 31;
      return Uint8Array.of(0x3f, (rest & 0x7f) | 0x80, rest >> 7, ...block(...REQUEST));
    };
    rig.send(f.HEADERS, f.FLAG_END_HEADERS, 1, update(8192));
    assert.equal(rig.exchanges.length, 1);
    rig.send(f.HEADERS, f.FLAG_END_HEADERS, 3, update(8193));
    assert.equal(rig.code, f.COMPRESSION_ERROR);
  },

  headerBlockBytes() {
    const rig = new H2Rig({ headerBlockBytes: 20_000 });
    rig.send(f.HEADERS, 0, 1, new Uint8Array(16_000));
    assert.equal(rig.code, null);
    rig.send(f.CONTINUATION, 0, 1, new Uint8Array(4001));
    assertCalm(rig, /header block/);
  },

  continuationFrames() {
    const rig = new H2Rig({ continuationFrames: 8 });
    const head = block(...REQUEST);
    rig.send(f.HEADERS, 0, 1, head.subarray(0, 1));
    const sent = rig.until(100, () => rig.send(f.CONTINUATION, 0, 1, head.subarray(1, 2)));
    assert.equal(sent, 9);
    assertCalm(rig, /header block/);
  },

  headerListBytes() {
    const rig = new H2Rig({ headerListBytes: 4000, headerFields: 1000 });
    const value = "v".repeat(1000);
    assert.ok(rig.open(1, true, "a", value, "b", value) !== null);
    assert.equal(rig.open(3, true, "a", value, "b", value, "c", value, "d", value), null);
    assert.deepEqual(rig.glitches, ["head_too_large"]);
    const answer = rig.wire.take().find((one) => one.type === f.HEADERS && one.id === 3);
    assert.match(new TextDecoder("latin1").decode(answer?.payload), /431[^]*h2\.head_too_large/);
    assert.ok(rig.open(5) !== null, "the connection and its table go on");
  },

  headerFields() {
    const rig = new H2Rig({ headerFields: 10 });
    const six = Array.from({ length: 6 }, (_, i) => [`x-${i}`, ""]).flat();
    assert.ok(rig.open(1, true, ...six) !== null); // and four pseudo-header fields
    assert.equal(rig.open(3, true, ...six, "x-6", ""), null);
    assert.deepEqual(rig.glitches, ["head_too_large"]);
  },

  streamWindowBytes() {
    const rig = new H2Rig({ streamWindowBytes: 10_000 });
    rig.open(1)!.stream.pause(); // nothing is taken, so nothing is given back
    rig.send(f.DATA, 0, 1, new Uint8Array(10_000));
    assert.equal(rig.resetOf(1), null);
    rig.send(f.DATA, 0, 1, new Uint8Array(1));
    assert.equal(rig.resetOf(1), f.FLOW_CONTROL_ERROR);
    assert.equal(rig.code, null);
  },

  connectionWindowBytes() {
    const limits = { streamWindowBytes: 100_000, connectionWindowBytes: 70_000, heldBytes: 0 };
    const rig = new H2Rig({ ...limits, frameBytes: 16_384 });
    for (const id of [1, 3]) rig.open(id)!.stream.pause();
    const sent = rig.until(10, (n) => rig.send(f.DATA, 0, n % 2 ? 1 : 3, new Uint8Array(10_000)));
    assert.equal(sent, 8);
    assert.equal(rig.code, f.FLOW_CONTROL_ERROR);
  },

  frameBytes() {
    const rig = new H2Rig({ frameBytes: 16_384 });
    rig.open(1);
    rig.send(f.DATA, 0, 1, new Uint8Array(16_384));
    assert.equal(rig.code, null);
    rig.send(f.DATA, 0, 1, new Uint8Array(16_385));
    assert.equal(rig.code, f.FRAME_SIZE_ERROR);
  },

  sendBufferBytes() {
    const rig = new H2Rig({ sendBufferBytes: 10_000 });
    const { stream } = rig.open(1, true)!;
    let paused = 0;
    stream.feeder = { pause: () => paused++, resume: () => paused-- } as unknown as Source;
    stream.head(OK(), false);
    stream.data(new Uint8Array(f.DEFAULT_WINDOW + 10_000), false);
    assert.equal(paused, 0);
    stream.data(new Uint8Array(1), false);
    assert.equal(paused, 1);
    rig.widen(0, 8000);
    rig.widen(1, 8000);
    assert.equal(paused, 0);
  },

  heldBytes() {
    const windows = { streamWindowBytes: 50_000, connectionWindowBytes: 70_000 };
    const rig = new H2Rig({ ...windows, heldBytes: 45_000 });
    const given = (): number =>
      rig.wire.take().filter((one) => one.type === f.WINDOW_UPDATE && one.id === 0).length;
    const slow = rig.open(1)!, other = rig.open(3)!;
    slow.stream.pause();
    for (let i = 0; i < 4; i++) rig.send(f.DATA, 0, 1, new Uint8Array(10_000));
    assert.equal(given(), 1, "one slow stream does not shut the connection");
    other.stream.pause();
    for (let i = 0; i < 4; i++) rig.send(f.DATA, 0, 3, new Uint8Array(10_000));
    assert.equal(given(), 0, "two of them do");
    slow.stream.resume();
    assert.equal(given(), 1);
  },

  windowStallMs() {
    const rig = new H2Rig({ windowStallMs: 5000 });
    rig.settings([4, 0]); // INITIAL_WINDOW_SIZE
    const x = rig.open(1, true)!;
    x.stream.head(OK(), false);
    x.stream.data(new Uint8Array(100_000), true);
    rig.wait(6);
    assert.equal(rig.resetOf(1), null);
    rig.wait(1);
    assert.equal(rig.resetOf(1), f.CANCEL);
    assert.equal(rig.glitches.at(-1), "stalled");
    assert.deepEqual(x.events.slice(-1), ["closed"]);
  },

  windowStallBytes() {
    const dribble = (bytes: number): number | null => {
      const rig = new H2Rig({ windowStallMs: 5000, windowStallBytes: 1000 });
      rig.settings([4, 0]);
      const { stream } = rig.open(1, true)!;
      stream.head(OK(), false);
      stream.data(new Uint8Array(100_000), true);
      rig.wait(30, () => rig.widen(1, bytes));
      assert.equal(rig.code, null);
      return rig.resetOf(1);
    };
    assert.equal(dribble(1), f.CANCEL);
    assert.equal(dribble(1000), null);
  },

  bodyTimeoutMs() {
    const rig = new H2Rig({ bodyTimeoutMs: 5000 });
    const x = rig.open(1, false, "content-length", "1000")!;
    rig.wait(6);
    assert.equal(rig.resetOf(1), null);
    rig.wait(1);
    const frames = rig.wire.take();
    const answer = frames.find((one) => one.type === f.HEADERS);
    assert.match(new TextDecoder("latin1").decode(answer?.payload), /408[^]*downstream\.timeout/);
    assert.equal(frames.at(-1)?.type, f.RST_STREAM);
    assert.deepEqual(x.events, ["head", "abort downstream.timeout", "closed"]);
  },

  bodySilenceMs() {
    const rig = new H2Rig({ bodyTimeoutMs: 2000, bodySilenceMs: 5000, pingAfterMs: 100_000 });
    const x = rig.open(1)!; // a conversation: its length is not said
    rig.wait(5, () => rig.send(f.DATA, 0, 1, new Uint8Array(1)));
    rig.wait(5);
    assert.equal(x.events.at(-1), "data");
    rig.wait(6);
    assert.deepEqual(x.events.slice(-2), ["abort downstream.timeout", "closed"]);
    const begun = rig.open(3)!;
    begun.stream.head(OK(), false);
    rig.wait(60);
    assert.deepEqual(begun.events, ["head"], "once the answer has begun both may rest");
  },

  pingAfterMs() {
    const rig = new H2Rig({ pingAfterMs: 5000 });
    const pings = (): number =>
      rig.wire.take().filter((one) => one.type === f.PING && one.flags === 0).length;
    rig.wait(60);
    assert.equal(pings(), 0, "without streams the idle timeout decides");
    const x = rig.open(1)!;
    rig.wait(6);
    assert.equal(pings(), 0);
    rig.wait(2);
    assert.equal(pings(), 1);
    for (let i = 0; i < 10; i++) {
      rig.send(f.PING, f.FLAG_ACK, 0, new Uint8Array(8));
      rig.wait(8);
    }
    assert.equal(pings(), 10);
    assert.deepEqual([x.events, rig.code, rig.glitches], [["head"], null, []]);
  },

  pingTimeoutMs() {
    const rig = new H2Rig({ pingAfterMs: 5000, pingTimeoutMs: 3000 });
    rig.open(1, true);
    rig.wait(10);
    assert.equal(rig.code, null);
    rig.wait(2);
    assert.equal(rig.code, f.ENHANCE_YOUR_CALM);
    const late = new H2Rig({ pingAfterMs: 5000, pingTimeoutMs: 3000 });
    late.open(1);
    late.wait(10);
    late.send(f.DATA, 0, 1, new Uint8Array(1)); // any sign of life will do
    late.wait(6);
    assert.equal(late.code, null);
  },

  bodyMinRate() {
    const upload = (bytes: number): string[] => {
      const rig = new H2Rig({ bodyTimeoutMs: 5000, bodyMinRate: 100 });
      const x = rig.open(1, false, "content-length", "1000000")!;
      rig.wait(30, () => rig.send(f.DATA, 0, 1, new Uint8Array(bytes)));
      return x.events.filter((event) => event !== "data");
    };
    assert.deepEqual(upload(90), ["head", "abort downstream.timeout", "closed"]);
    assert.deepEqual(upload(110), ["head"]);
  },

  headTimeoutMs() {
    const rig = new H2Rig({ headTimeoutMs: 5000 });
    rig.open(1); // a stream under way must not hide it
    rig.send(f.HEADERS, 0, 3, block(...REQUEST));
    rig.wait(6);
    assert.equal(rig.code, null);
    rig.wait(1);
    assertCalm(rig, /header block takes too long/);
  },

  settingsTimeoutMs() {
    const rig = new H2Rig({ settingsTimeoutMs: 5000 }, false);
    rig.server.receive(new TextEncoder().encode(f.PREFACE));
    rig.send(f.SETTINGS, 0, 0);
    rig.wait(6);
    assert.equal(rig.code, null);
    rig.wait(1);
    assert.equal(rig.code, f.SETTINGS_TIMEOUT);
  },

  glitches() {
    const rig = new H2Rig({ glitches: 50, glitchesPerSecond: 1 });
    const sent = rig.until(1000, () => rig.settings());
    assert.equal(sent, 50); // and the one the connection began with
    assertCalm(rig, /too many glitches, the last one settings/);
    assert.equal(rig.failure!.glitches.get("settings"), 51);
  },

  glitchesPerSecond() {
    const rig = new H2Rig({ glitches: 50, glitchesPerSecond: 10 });
    const slow = rig.until(1000, () => {
      rig.nowMs += 100;
      rig.settings();
    });
    assert.equal(slow, Infinity, "ten a second are no attack");
    const fast = rig.until(1000, () => {
      rig.nowMs += 50;
      rig.settings();
    });
    assert.ok(fast > 50 && fast < 150, String(fast));
  },

  freeFrames() {
    const limits = { freeFrames: 30, glitches: 10, glitchesPerSecond: 0 };
    const ping = (rig: H2Rig) => rig.send(f.PING, 0, 0, new Uint8Array(8));
    const idle = new H2Rig(limits);
    assert.equal(idle.until(1000, () => ping(idle)), 40);
    assertCalm(idle, /the last one ping/);
    // A peer that measures what it is being sent is no attacker.
    const busy = new H2Rig(limits);
    const { stream } = busy.open(1, true)!;
    stream.head(OK(), false);
    const pings = busy.until(1000, () => {
      stream.data(new Uint8Array(1), false);
      for (let i = 0; i < 10; i++) ping(busy);
    });
    assert.equal(pings, Infinity);
  },

  queuedControlBytes() {
    const rig = new H2Rig({ queuedControlBytes: 1000, freeFrames: 10_000 });
    rig.wire.accepts = false;
    const sent = rig.until(1000, () => rig.send(f.PING, 0, 0, new Uint8Array(8)));
    assert.equal(sent, Math.ceil(1001 / 17));
    assertCalm(rig, /answers are not read/);
  },

  rememberedResets() {
    const rig = new H2Rig({ rememberedResets: 2 });
    for (const id of [1, 3, 5]) rig.open(id)!.stream.cancel(FAULT);
    rig.send(f.DATA, 0, 5, new Uint8Array(1));
    rig.send(f.DATA, 0, 3, new Uint8Array(1));
    assert.equal(rig.code, null, "late frames of streams we reset are forgiven");
    rig.send(f.DATA, 0, 1, new Uint8Array(1));
    assert.equal(rig.code, f.STREAM_CLOSED);
  },
};

for (const [limit, test] of Object.entries(LIMITS)) {
  Deno.test(`H2Server keeps its limit ${limit}`, test);
}

Deno.test("H2Server lets a tunnel of bare TCP stall for longer than any message", () => {
  const rig = new H2Rig({ windowStallMs: 5000 });
  rig.settings([4, 0]);
  rig.send(f.HEADERS, f.FLAG_END_HEADERS, 1, block(":method", "CONNECT", ":authority", "db:5432"));
  const { stream, events } = rig.exchanges[0]!;
  stream.head(OK(), false);
  stream.data(new Uint8Array(100_000), false);
  rig.wait(60);
  assert.equal(rig.resetOf(1), null);
  assert.deepEqual(events, ["head"]);
  rig.widen(1, 100_000);
  rig.widen(0, 100_000);
  const sent = rig.wire.take().filter((one) => one.type === f.DATA && one.id === 1);
  assert.equal(sent.reduce((sum, one) => sum + one.payload.length, 0), 100_000);
});
