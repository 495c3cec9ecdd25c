/**
 * Bytes into frames (RFC 9113 section 4). DATA is passed on piece by piece as it arrives, every other
 * frame whole; any split of the input gives the same frames, and the same bytes of DATA.
 */
import { DATA, FLAG_PADDED, FRAME_HEADER_BYTES, u32 } from "./frame.ts";

export interface FrameSink {
  /** A whole frame that is not unpadded DATA; `payload` may be a view that does not outlive the call. False stops reading. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): boolean;
  /** An unpadded DATA frame begins; its `length` bytes follow in pieces. False stops reading. */
  dataBegins(flags: number, streamId: number, length: number): boolean;
  /** `last`: the frame is complete. The bytes do not outlive the call either. */
  dataPiece(bytes: Uint8Array, last: boolean): boolean;
  /** A frame is longer than we allow. Reading has stopped. */
  tooLong(type: number, streamId: number): void;
}

const NOTHING = new Uint8Array(0);

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #maxBytes: number;
  /** What of a frame has come so far, when it did not come whole. */
  #held: Uint8Array = NOTHING;
  #heldBytes = 0;
  /** Bytes of the current DATA frame still to come. */
  #dataLeft = 0;
  #stopped = false;

  constructor(sink: FrameSink, maxBytes: number) {
    this.#sink = sink;
    this.#maxBytes = maxBytes;
  }

  stop(): void {
    this.#stopped = true;
    this.#held = NOTHING;
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#stopped) {
      if (this.#dataLeft > 0) at = this.#piece(bytes, at);
      else if (this.#heldBytes > 0) at = this.#fill(bytes, at);
      else at = this.#direct(bytes, at);
    }
  }

  /** Reads a frame that begins at `at`, without a copy when it is all there. */
  #direct(bytes: Uint8Array, at: number): number {
    if (bytes.length - at < FRAME_HEADER_BYTES) return this.#hold(bytes, at);
    const length = lengthOf(bytes, at);
    if (!this.#mayBe(length, bytes, at)) return bytes.length;
    if (isPlainData(bytes, at)) return this.#dataHead(bytes, at, length, at + FRAME_HEADER_BYTES);
    const end = at + FRAME_HEADER_BYTES + length;
    if (end > bytes.length) return this.#hold(bytes, at);
    this.#whole(bytes, at, end);
    return end;
  }

  /** Adds to a frame that began in an earlier read. */
  #fill(bytes: Uint8Array, at: number): number {
    const wantHeader = FRAME_HEADER_BYTES - this.#heldBytes;
    if (wantHeader > 0) {
      const taken = this.#take(bytes, at, wantHeader);
      if (this.#heldBytes < FRAME_HEADER_BYTES) return at + taken;
      at += taken;
    }
    const length = lengthOf(this.#held, 0);
    if (!this.#mayBe(length, this.#held, 0)) return bytes.length;
    if (isPlainData(this.#held, 0)) {
      const held = this.#held;
      this.#heldBytes = 0;
      return this.#dataHead(held, 0, length, at);
    }
    const want = FRAME_HEADER_BYTES + length - this.#heldBytes;
    at += this.#take(bytes, at, want);
    if (this.#heldBytes < FRAME_HEADER_BYTES + length) return at;
    this.#heldBytes = 0;
    this.#whole(this.#held, 0, FRAME_HEADER_BYTES + length);
    return at;
  }

  #hold(bytes: Uint8Array, at: number): number {
    this.#take(bytes, at, bytes.length - at);
    return bytes.length;
  }

  #take(bytes: Uint8Array, at: number, most: number): number {
    const count = Math.min(most, bytes.length - at);
    const needed = this.#heldBytes + count;
    if (this.#held.length < needed) {
      const grown = new Uint8Array(Math.max(needed, this.#held.length * 2, 256));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(bytes.subarray(at, at + count), this.#heldBytes);
    this.#heldBytes = needed;
    return count;
  }

  #mayBe(length: number, bytes: Uint8Array, at: number): boolean {
    if (length <= this.#maxBytes) return true;
    this.stop();
    this.#sink.tooLong(bytes[at + 3]!, idOf(bytes, at));
    return false;
  }

  #whole(bytes: Uint8Array, at: number, end: number): void {
    const payload = bytes.subarray(at + FRAME_HEADER_BYTES, end);
    if (!this.#sink.frame(bytes[at + 3]!, bytes[at + 4]!, idOf(bytes, at), payload)) this.stop();
  }

  /** `next`: where, in the input, the payload goes on. */
  #dataHead(bytes: Uint8Array, at: number, length: number, next: number): number {
    this.#dataLeft = length;
    if (!this.#sink.dataBegins(bytes[at + 4]!, idOf(bytes, at), length)) this.stop();
    else if (length === 0 && !this.#sink.dataPiece(NOTHING, true)) this.stop();
    return next;
  }

  #piece(bytes: Uint8Array, at: number): number {
    const count = Math.min(this.#dataLeft, bytes.length - at);
    this.#dataLeft -= count;
    if (!this.#sink.dataPiece(bytes.subarray(at, at + count), this.#dataLeft === 0)) this.stop();
    return at + count;
  }
}

function lengthOf(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function idOf(bytes: Uint8Array, at: number): number {
  return u32(bytes, at + 5) & 0x7fffffff; // RFC 9113 4.1: the reserved bit is ignored
}

function isPlainData(bytes: Uint8Array, at: number): boolean {
  return bytes[at + 3] === DATA && (bytes[at + 4]! & FLAG_PADDED) === 0;
}
