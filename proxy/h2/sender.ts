/**
 * What leaves an HTTP/2 connection: heads at once and in order, body as the windows and the socket
 * allow, streams taking turns of one frame each so that a large body cannot hold up the small ones.
 */
import type { Fields } from "../../core/fields.ts";
import type { Wire } from "../../core/stream.ts";
import { reserve, slab } from "../slab.ts";
import * as f from "./frame.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import type { H2Limits } from "./limits.ts";
import type { H2Stream } from "./stream.ts";

/**
 * Streams share the connection by frames, so none is larger, whatever the peer would take. With its header
 * such a frame fills three TLS records, as many as the runtime seals at a time (Deno 2.9.6).
 */
export const MOST_DATA_BYTES = 3 * 16_384 - f.FRAME_HEADER_BYTES;
const NOTHING = new Uint8Array(0);

/** RFC 9113 8.2.2 and 8.3.1: without meaning in HTTP/2; a filter may have set one. */
const FORBIDDEN: ReadonlySet<string> = new Set([
  "connection",
  "host",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

export class Sender {
  readonly #wire: Wire;
  readonly #encoder: HpackEncoder;
  readonly #limits: H2Limits;
  /** What the peer lets us send on the whole connection. */
  #window = f.DEFAULT_WINDOW;
  /** Streams with something to send that their own window allows, in turn. */
  readonly #ready: H2Stream[] = [];
  /** Streams whose feeders are held back and may go on as soon as the socket has room. */
  readonly #resumable: H2Stream[] = [];
  /** Of one DATA frame. */
  #most = f.MIN_MAX_FRAME_BYTES;
  #congested = false;
  #pumping = false;
  readonly #framed: () => void;

  /** `framed` is called for each DATA frame. */
  constructor(wire: Wire, limits: H2Limits, framed: () => void) {
    this.#wire = wire;
    this.#encoder = new HpackEncoder({ tableBytes: limits.tableBytes, without: FORBIDDEN });
    this.#limits = limits;
    this.#framed = framed;
  }

  /** Starts a header block; the caller adds fields to the encoder, then block(). */
  get encoder(): HpackEncoder {
    return this.#encoder;
  }

  fields(fields: Fields): void {
    const { lines } = fields;
    const encoder = this.#encoder;
    for (let i = 0; i < lines.length; i += 2) encoder.field(lines[i]!, lines[i + 1]!);
  }

  /** Sends the block the encoder holds. */
  block(id: number, end: boolean): void {
    const block = this.#encoder.finish();
    const most = f.MIN_MAX_FRAME_BYTES;
    const flags = end ? f.FLAG_END_STREAM : 0;
    if (block.length <= most) {
      return void this.#put(block, f.HEADERS, flags | f.FLAG_END_HEADERS, id);
    }
    for (let at = 0; at < block.length; at += most) {
      const part = block.subarray(at, at + most);
      const last = at + most >= block.length ? f.FLAG_END_HEADERS : 0;
      const type = at === 0 ? f.HEADERS : f.CONTINUATION;
      this.#put(part, type, (at === 0 ? flags : 0) | last, id);
    }
  }

  trailers(stream: H2Stream, fields: Fields): void {
    this.#encoder.begin();
    this.fields(fields);
    this.block(stream.id, true);
  }

  /** The peer takes frames of this size. */
  set frameBytes(bytes: number) {
    this.#most = Math.min(bytes, MOST_DATA_BYTES);
  }

  data(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    if (bytes.length === 0 && !end) return;
    // What came just now leaves without being kept, when nobody waits for a turn.
    const most = this.#most;
    while (
      bytes.length > most && stream.queue.length === 0 && !this.#congested &&
      this.#ready.length === 0 && most <= stream.sendWindow && most <= this.#window
    ) {
      this.#frame(stream, bytes.subarray(0, most), false);
      bytes = bytes.subarray(most);
    }
    const { length } = bytes;
    if (
      stream.queue.length === 0 && !this.#congested && length <= stream.sendWindow &&
      length <= this.#window && length <= most
    ) {
      this.#frame(stream, bytes, end);
      if (end) return stream.sentEnd();
    } else {
      stream.queue.push(bytes);
      if (end) stream.endQueued = true;
      this.pump(stream);
    }
    // The socket has enough to do: what else its source has is better left there than copied.
    if (!end && (this.#congested || stream.queue.length > this.#limits.sendBufferBytes)) {
      this.#hold(stream);
    }
  }

  #hold(stream: H2Stream): void {
    if (stream.feederPaused || stream.feeder === null) return;
    stream.feederPaused = true;
    stream.feeder.pause();
    this.#mayGoOn(stream);
  }

  /** Its feeder goes on when it is its turn, if little enough waits. */
  #mayGoOn(stream: H2Stream): void {
    if (!stream.feederPaused || stream.resumable) return;
    if (stream.queue.length > this.#limits.sendBufferBytes >> 1) return;
    stream.resumable = true;
    this.#resumable.push(stream);
  }

  /** The peer widened the connection's window; false when that overflows it. */
  widen(increment: number): boolean {
    if (this.#window + increment > f.MAX_WINDOW) return false;
    this.#window += increment;
    this.#run();
    return true;
  }

  /** The socket took what was queued. */
  drained(): void {
    this.#congested = false;
    this.#run();
  }

  /** A stream may have become able to send. */
  pump(stream: H2Stream): void {
    this.#enlist(stream);
    this.#run();
  }

  pumpAll(streams: Iterable<H2Stream>): void {
    for (const stream of streams) this.#enlist(stream);
    this.#run();
  }

  #enlist(stream: H2Stream): void {
    const { queue } = stream;
    if (stream.ready || stream.over || (queue.length === 0 && !stream.endQueued)) return;
    // A bare END_STREAM needs no window.
    if (stream.sendWindow <= 0 && queue.length > 0) return;
    stream.ready = true;
    this.#ready.push(stream);
  }

  #run(): void {
    if (this.#pumping) return; // a feeder that resumes may push and come back here
    this.#pumping = true;
    while (!this.#congested) {
      const stream = this.#next();
      if (stream !== null) this.#turn(stream);
      else if (!this.#resume()) break;
    }
    this.#pumping = false;
  }

  /** Whose turn it is; null when none may send. */
  #next(): H2Stream | null {
    for (let stream = this.#ready[0]; stream !== undefined; stream = this.#ready[0]) {
      if (!stream.over && this.#window <= 0 && stream.queue.length > 0) return null;
      this.#ready.shift();
      stream.ready = false;
      if (!stream.over) return stream;
    }
    return null;
  }

  /** Lets one feeder go on; false when none is left. */
  #resume(): boolean {
    const stream = this.#resumable.shift();
    if (stream === undefined) return false;
    stream.resumable = false;
    if (stream.feederPaused) {
      stream.feederPaused = false;
      stream.feeder?.resume();
    }
    return true;
  }

  /** One frame of one stream. */
  #turn(stream: H2Stream): void {
    const { queue } = stream;
    if (queue.length > 0) {
      const most = Math.min(stream.sendWindow, this.#window, this.#most);
      if (most <= 0) return; // its window shrank while it waited its turn
      const piece = queue.take(most);
      const ends = stream.endQueued && queue.length === 0;
      this.#frame(stream, piece, ends && stream.trailersQueued === null);
      queue.used();
      if (ends) return this.#ended(stream);
    } else {
      if (!stream.endQueued) return; // the peer wants no more of it
      if (stream.trailersQueued === null) this.#frame(stream, NOTHING, true);
      return this.#ended(stream);
    }
    this.#enlist(stream);
    this.#mayGoOn(stream);
  }

  #ended(stream: H2Stream): void {
    stream.endQueued = false;
    if (stream.trailersQueued !== null) this.trailers(stream, stream.trailersQueued);
    stream.sentEnd();
  }

  #frame(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    const { length } = bytes;
    stream.sendWindow -= length;
    stream.moved += length;
    this.#window -= length;
    this.#framed();
    const flags = end ? f.FLAG_END_STREAM : 0;
    if (!this.#put(bytes, f.DATA, flags, stream.id)) this.#congested = true;
  }

  #put(payload: Uint8Array, type: number, flags: number, id: number): boolean {
    const { length } = payload;
    const at = reserve(f.FRAME_HEADER_BYTES + length);
    f.putFrameHeader(slab.bytes, at, length, type, flags, id);
    if (length > 0) slab.bytes.set(payload, at + f.FRAME_HEADER_BYTES);
    slab.at = at + f.FRAME_HEADER_BYTES + length;
    return this.#wire.wrote(at, slab.at);
  }
}
