/** What leaves an HTTP/2 connection while its socket has enough to do, and in what pieces. */
import assert from "node:assert/strict";
import type { Source } from "../../core/stream.ts";
import * as f from "./frame.ts";
import { type Exchange, H2Rig, OK } from "./rig.ts";
import { MOST_DATA_BYTES } from "./sender.ts";

const WIDE = 10_000_000, MAX_FRAME_SIZE = 5;

/** A source that says whether it is held back, and may push when it goes on. */
class Feeder implements Source {
  held = 0;
  onResume: () => void = () => {};
  pause(): void {
    this.held++;
  }
  resume(): void {
    this.held--;
    this.onResume();
  }
  cancel(): void {}
}

/** A server whose peer has opened so many streams, with windows that hold nothing up. */
function open(streams: number, frameBytes?: number): { rig: H2Rig; opened: Exchange[] } {
  const rig = new H2Rig();
  if (frameBytes !== undefined) rig.settings([MAX_FRAME_SIZE, frameBytes]);
  rig.widen(0, WIDE);
  const opened = Array.from({ length: streams }, (_, i) => {
    const x = rig.open(1 + 2 * i, true)!;
    rig.widen(1 + 2 * i, WIDE);
    x.stream.head(OK(), false);
    return x;
  });
  rig.wire.take();
  return { rig, opened };
}

/** Lengths of the DATA frames since the last look. */
const lengths = (rig: H2Rig): number[] =>
  rig.wire.take().filter(({ type }) => type === f.DATA).map(({ payload }) => payload.length);

Deno.test("DATA frames are as large as the peer takes, but never larger than a stream's turn", () => {
  for (
    const [taken, most] of [[undefined, 16_384], [20_000, 20_000], [1_000_000, MOST_DATA_BYTES]]
  ) {
    const { rig, opened } = open(1, taken);
    opened[0]!.stream.data(new Uint8Array(2 * most! + 5), false);
    assert.deepEqual(lengths(rig), [most, most, 5]);
  }
});

Deno.test("A stream whose peer takes smaller frames from now on keeps to it", () => {
  const { rig, opened } = open(1, 1_000_000);
  rig.settings([MAX_FRAME_SIZE, f.MIN_MAX_FRAME_BYTES]);
  opened[0]!.stream.data(new Uint8Array(f.MIN_MAX_FRAME_BYTES + 1), false);
  assert.deepEqual(lengths(rig), [f.MIN_MAX_FRAME_BYTES, 1]);
});

Deno.test("A full socket holds back who feeds it, before anything is kept, until it has room", () => {
  const { rig, opened } = open(2);
  const feeders = opened.map(({ stream }) => stream.feeder = new Feeder());
  rig.wire.accepts = false;
  opened[0]!.stream.data(new Uint8Array(100), false);
  assert.deepEqual(feeders.map((one) => one.held), [1, 0]);
  assert.deepEqual(lengths(rig), [100], "what found the socket full has been written");
  rig.wire.accepts = true;
  rig.server.drained();
  assert.deepEqual(feeders.map((one) => one.held), [0, 0]);
});

Deno.test("Those held back go on one by one, behind what waits, as long as there is room", () => {
  const { rig, opened } = open(3);
  const feeders = opened.map(({ stream }) => stream.feeder = new Feeder());
  rig.wire.accepts = false;
  for (const { stream } of opened) stream.data(new Uint8Array(10), false);
  assert.deepEqual(lengths(rig), [10]);
  // Each fills the socket again as soon as it may.
  opened.forEach(({ stream }, i) =>
    feeders[i]!.onResume = () => stream.data(new Uint8Array(20 + i), false)
  );
  const turns: number[][] = [];
  for (let i = 0; i < 6; i++) {
    rig.server.drained();
    turns.push(lengths(rig));
  }
  assert.deepEqual(turns, [[10], [10], [20], [21], [22], [20]]);
});

Deno.test("A stream that is over is not held back, nor let go on a second time", () => {
  const { rig, opened } = open(2);
  const feeders = opened.map(({ stream }) => stream.feeder = new Feeder());
  rig.wire.accepts = false;
  for (const { stream } of opened) stream.data(new Uint8Array(10), false);
  assert.deepEqual(feeders.map((one) => one.held), [1, 1]);
  rig.reset(1);
  assert.deepEqual(feeders.map((one) => one.held), [0, 1]);
  rig.wire.accepts = true;
  rig.server.drained();
  assert.deepEqual(feeders.map((one) => one.held), [0, 0]);
});
