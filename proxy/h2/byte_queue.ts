/**
 * Body that waits, copied out of the read that brought it into chunks:
 *
 *   large pieces   chunks of 64 KB that all queues share and use again, one behind the other
 *   small pieces   chunks of 4 KB of the queue's own: a thousand streams that each hold a little stay small
 */
import { allocated } from "../scavenge.ts";
import { poison } from "../slab.ts";

/** Pieces from here on are large. */
export const LARGE_BYTES = 8 * 1024;
const SMALL_CHUNK_BYTES = 4096;
const LARGE_CHUNK_BYTES = 64 * 1024;
/** Chunks kept for later; together 1 MB. */
const MOST_SPARE = 16;

const spare: Uint8Array[] = [];

interface Chunk {
  readonly bytes: Uint8Array;
  /** What of it waits. */
  from: number;
  to: number;
}

export class ByteQueue {
  readonly #chunks: Chunk[] = [];
  #length = 0;
  /** A chunk whose last bytes were taken: they are being looked at until the next call. */
  #done: Chunk | null = null;

  /** Bytes waiting. */
  get length(): number {
    return this.#length;
  }
  /** Chunks they wait in: what the queue costs beyond its bytes. */
  get chunks(): number {
    return this.#chunks.length;
  }

  push(bytes: Uint8Array): void {
    let { length } = bytes;
    this.#length += length;
    while (length > 0) {
      const last = this.#last(length);
      const some = Math.min(length, last.bytes.length - last.to);
      last.bytes.set(some === bytes.length ? bytes : bytes.subarray(0, some), last.to);
      last.to += some;
      length -= some;
      if (length > 0) bytes = bytes.subarray(some);
    }
  }

  /** The first bytes, `most` at most; there until the next take(), or used(). Only when something waits. */
  take(most: number): Uint8Array {
    this.used();
    const first = this.#chunks[0]!;
    const from = first.from;
    const to = Math.min(first.to, from + most);
    first.from = to;
    this.#length -= to - from;
    if (to === first.to) {
      this.#chunks.shift();
      this.#done = first;
    }
    return first.bytes.subarray(from, to);
  }

  /** Nobody looks at what was taken last any more. */
  used(): void {
    if (this.#done === null) return;
    giveBack(this.#done);
    this.#done = null;
  }

  /** What is being looked at stays, the rest is gone. */
  clear(): void {
    this.#done = null;
    this.#length = 0;
    for (const chunk of this.#chunks.splice(0)) if (chunk.from === 0) giveBack(chunk);
  }

  /** A chunk with room for some of so many bytes. */
  #last(length: number): Chunk {
    const last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined) {
      const left = last.bytes.length - last.to;
      // A large piece is cut only where that fills a large chunk.
      if (left >= length || (left > 0 && last.bytes.length === LARGE_CHUNK_BYTES)) return last;
    }
    const chunk = { bytes: chunkFor(length), from: 0, to: 0 };
    this.#chunks.push(chunk);
    return chunk;
  }
}

function chunkFor(length: number): Uint8Array {
  if (length >= LARGE_BYTES) {
    const found = spare.pop();
    if (found !== undefined) return found;
    allocated(LARGE_CHUNK_BYTES);
    return new Uint8Array(LARGE_CHUNK_BYTES);
  }
  const size = Math.max(SMALL_CHUNK_BYTES, length);
  allocated(size);
  return new Uint8Array(size);
}

function giveBack({ bytes }: Chunk): void {
  if (poison) bytes.fill(0xdb);
  if (bytes.length === LARGE_CHUNK_BYTES && spare.length < MOST_SPARE) spare.push(bytes);
}
