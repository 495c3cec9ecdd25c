/**
 * What leaves an HTTP/2 connection: heads at once and in order, body as the windows and the socket
 * allow, streams taking turns of one frame each so that a large body cannot hold up the small ones.
 */
import type { Fields } from "../../core/fields.ts";
import type { Wire } from "../../core/stream.ts";
import * as f from "./frame.ts";
import type { HpackEncoder } from "./hpack/encoder.ts";
import type { H2Limits } from "./limits.ts";
import type { PeerSettings } from "./settings.ts";
import type { H2Stream } from "./stream.ts";

/** Bodies up to this are copied behind their frame header: one piece to send instead of two. */
const COPY_BYTES = 4096;

export class Sender {
  readonly #wire: Wire;
  readonly #encoder: HpackEncoder;
  readonly #peer: PeerSettings;
  readonly #limits: H2Limits;
  /** What the peer lets us send on the whole connection. */
  #window = f.DEFAULT_WINDOW;
  /** Streams with something to send that their own window allows, in turn. */
  readonly #ready: H2Stream[] = [];
  #congested = false;
  #pumping = false;

  constructor(wire: Wire, encoder: HpackEncoder, peer: PeerSettings, limits: H2Limits) {
    this.#wire = wire;
    this.#encoder = encoder;
    this.#peer = peer;
    this.#limits = limits;
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
  block(stream: H2Stream, end: boolean): void {
    const block = this.#encoder.finish();
    const most = this.#peer.maxFrameBytes;
    const flags = end ? f.FLAG_END_STREAM : 0;
    if (block.length <= most) {
      const bytes = f.frame(block.length, f.HEADERS, flags | f.FLAG_END_HEADERS, stream.id);
      bytes.set(block, f.FRAME_HEADER_BYTES);
      this.#wire.write(bytes);
      return;
    }
    for (let at = 0; at < block.length; at += most) {
      const part = block.subarray(at, at + most);
      const last = at + most >= block.length ? f.FLAG_END_HEADERS : 0;
      const type = at === 0 ? f.HEADERS : f.CONTINUATION;
      const bytes = f.frame(part.length, type, (at === 0 ? flags : 0) | last, stream.id);
      bytes.set(part, f.FRAME_HEADER_BYTES);
      this.#wire.write(bytes);
    }
  }

  trailers(stream: H2Stream, fields: Fields): void {
    this.#encoder.begin();
    this.fields(fields);
    this.block(stream, true);
  }

  data(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    const { length } = bytes;
    if (
      stream.queue.length === 0 && !this.#congested && length <= stream.sendWindow &&
      length <= this.#window && length <= this.#peer.maxFrameBytes
    ) {
      this.#frame(stream, bytes, end);
      if (end) stream.sentEnd();
      return;
    }
    stream.queue.push(bytes);
    stream.queued += length;
    if (end) stream.endQueued = true;
    this.pump(stream);
    if (
      !end && stream.queued > this.#limits.sendBufferBytes && !stream.feederPaused &&
      stream.feeder !== null
    ) {
      stream.feederPaused = true;
      stream.feeder.pause();
    }
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
    if (stream.ready || stream.queue.length === 0 || stream.over) return;
    // An empty piece (a bare END_STREAM) needs no window.
    if (stream.sendWindow <= 0 && stream.queued > 0) return;
    stream.ready = true;
    this.#ready.push(stream);
  }

  #run(): void {
    if (this.#pumping) return; // a feeder that resumes may push and come back here
    this.#pumping = true;
    while (!this.#congested && this.#ready.length > 0) {
      const stream = this.#ready[0]!;
      if (stream.over) {
        stream.ready = false;
        this.#ready.shift();
        continue;
      }
      if (this.#window <= 0 && stream.queued > 0) break;
      this.#ready.shift();
      stream.ready = false;
      this.#turn(stream);
    }
    this.#pumping = false;
  }

  /** One frame of one stream. */
  #turn(stream: H2Stream): void {
    const first = stream.queue[0]!;
    const room = Math.min(stream.sendWindow, this.#window, this.#peer.maxFrameBytes);
    let piece = first;
    if (first.length > room) {
      piece = first.subarray(0, room);
      stream.queue[0] = first.subarray(room);
    } else stream.queue.shift();
    stream.queued -= piece.length;
    const last = stream.queue.length === 0 && stream.endQueued;
    this.#frame(stream, piece, last && stream.trailersQueued === null);
    if (last) {
      if (stream.trailersQueued !== null) this.trailers(stream, stream.trailersQueued);
      return stream.sentEnd();
    }
    this.#enlist(stream);
    if (stream.feederPaused && stream.queued <= this.#limits.sendBufferBytes >> 1) {
      stream.feederPaused = false;
      stream.feeder?.resume();
    }
  }

  #frame(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    const { length } = bytes;
    stream.sendWindow -= length;
    this.#window -= length;
    const flags = end ? f.FLAG_END_STREAM : 0;
    const copied = length <= COPY_BYTES ? length : 0;
    const head = new Uint8Array(f.FRAME_HEADER_BYTES + copied);
    f.putFrameHeader(head, 0, length, f.DATA, flags, stream.id);
    if (copied > 0) head.set(bytes, f.FRAME_HEADER_BYTES);
    let more = this.#wire.write(head);
    if (copied < length) more = this.#wire.write(bytes);
    if (!more) this.#congested = true;
  }
}
