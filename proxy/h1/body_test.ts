/** Large bodies through both codecs, joined as a proxy joins them: whole, in order, in flat memory, under pressure. */
import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Codec, Source, Stream, StreamSink } from "../../core/stream.ts";
import type { ResettableWire } from "../tunnel.ts";
import { H1Client } from "./client.ts";
import { bytesOf } from "./rig.ts";
import { slab } from "../slab.ts";
import { H1Server } from "./server.ts";

const MARK = 128 * 1024;
const PIECE = 64 * 1024;
const BODY = 100 * 1024 * 1024;

/** A pipe with a mark: takes what is written, hands it to the other end when told to. */
class PipeWire implements ResettableWire {
  peer: Codec | null = null;
  own: Codec | null = null;
  paused = false;
  queued = 0;
  most = 0;
  readonly #queue: Uint8Array[] = [];
  #full = false;

  write(bytes: Uint8Array): boolean {
    this.#queue.push(bytes);
    this.queued += bytes.length;
    this.most = Math.max(this.most, this.queued);
    this.#full ||= this.queued > MARK;
    return !this.#full;
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(latin1: string): boolean {
    return this.write(bytesOf(latin1));
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  end(): void {}
  reset(): void {}
  destroy(): void {}

  /** Hands on one piece, unless the peer's wire is paused; false when there was nothing to do. */
  move(to: PipeWire): boolean {
    if (to.paused || this.#queue.length === 0) return false;
    const bytes = this.#queue.shift()!;
    this.queued -= bytes.length;
    to.own!.receive(bytes);
    if (this.#full && this.queued === 0) {
      this.#full = false;
      this.own!.drained();
    }
    return true;
  }
}

/** Pushes a body of `total` bytes while nothing holds it back. */
class Feeder implements Source {
  readonly #stream: Stream<RequestHead> | Stream<ResponseHead>;
  // Used in turn, so that memory that grows is the codecs' and not the test's.
  readonly #pieces = Array.from({ length: 16 }, () => new Uint8Array(PIECE));
  #left: number;
  #pauses = 0;
  #sent = 0;
  constructor(stream: Stream<RequestHead> | Stream<ResponseHead>, total: number) {
    this.#stream = stream;
    this.#left = total;
    stream.feeder = this;
  }
  pause(): void {
    this.#pauses++;
  }
  resume(): void {
    this.#pauses--;
  }
  cancel(): void {}
  get done(): boolean {
    return this.#left === 0;
  }
  push(): boolean {
    if (this.#pauses > 0 || this.#left === 0) return false;
    const size = Math.min(this.#left, PIECE - (this.#sent % 7)); // odd sizes, so that pieces never line up
    this.#left -= size;
    const bytes = this.#pieces[this.#sent % this.#pieces.length]!.subarray(0, size);
    this.#sent++;
    this.#stream.data(bytes, this.#left === 0);
    return true;
  }
}

class Counter<H> implements StreamSink<H> {
  bytes = 0;
  ended = false;
  left = false;
  onHead: () => void = () => {};
  info(): void {}
  head(): void {
    this.onHead();
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.bytes += bytes.length;
    if (end) this.ended = true;
  }
  trailers(): void {
    this.ended = true;
  }
  abort(): void {}
  closed(): void {
    this.left = true;
  }
}

/** client ⇄ wire pair ⇄ server, by hand; gives how much was ever queued on a wire. */
function run(framing: "length" | "chunked", direction: "up" | "down", readers: number): number {
  const up = new PipeWire(), down = new PipeWire();
  const client = new H1Client(up);
  const received = new Counter<RequestHead>();
  const answered = new Counter<ResponseHead>();
  let answer!: Stream<ResponseHead>;
  const server = new H1Server(down, (stream) => {
    answer = stream;
    return received;
  }, { scheme: "http" });
  up.own = client;
  down.own = server;
  const stream = client.open(answered);
  const fields = new Fields(framing === "length" ? ["content-length", String(BODY)] : []);
  const head = { scheme: "http", authority: "a", path: "/", fields: new Fields() };
  let feeder!: Feeder;
  if (direction === "up") {
    stream.head({ ...head, method: "PUT", fields }, false);
    feeder = new Feeder(stream, BODY);
  } else {
    received.onHead = () => {
      answer.head({ status: 200, fields }, false);
      feeder = new Feeder(answer, BODY);
    };
    stream.head({ ...head, method: "GET" }, true);
  }
  up.move(down); // the request's head
  const target = direction === "up" ? received : answered;
  const from = direction === "up" ? up : down, to = direction === "up" ? down : up;
  const receiver: Source = direction === "up" ? answer : stream;
  for (let turn = 0; !target.ended; turn++) {
    // A reader that stops every so often: the pressure must reach the feeder through both codecs.
    if (turn % readers === 0) receiver.pause();
    while (feeder.push());
    for (let i = 0; i < 5; i++) from.move(to);
    if (turn % readers === 0) receiver.resume();
    assert.ok(turn < 100_000, "no progress");
  }
  assert.equal(target.bytes, BODY);
  return Math.max(up.most, down.most);
}

for (const direction of ["up", "down"] as const) {
  for (const framing of ["length", "chunked"] as const) {
    Deno.test(`100 MB ${direction}, ${framing}, pass whole and queue little`, () => {
      const before = Deno.memoryUsage().rss;
      const most = run(framing, direction, 3);
      const grown = Deno.memoryUsage().rss - before;
      assert.ok(most <= MARK + PIECE + 64, `${most} bytes were queued`);
      assert.ok(grown < 24 * 1024 * 1024, `memory grew by ${grown} bytes`);
    });
  }
}
