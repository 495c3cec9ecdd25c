/** Body that waits, copied out of the read that brought it: large pieces alone, small ones together. */

import { allocated } from "../scavenge.ts";

/** Pieces below this share a chunk; a thousand of one byte must not cost a thousand objects. */
export const SMALL_BYTES = 1024;
const CHUNK_BYTES = 4096;

export class ByteQueue {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;
  /** The chunk small pieces are being copied into, always the last piece, and how much of it is used. */
  #chunk: Uint8Array | null = null;
  #used = 0;

  /** Bytes waiting. */
  get length(): number {
    return this.#length;
  }
  /** Pieces waiting: what the queue costs beyond its bytes. */
  get pieces(): number {
    return this.#pieces.length;
  }

  push(bytes: Uint8Array): void {
    const { length } = bytes;
    if (length === 0) return;
    this.#length += length;
    if (length >= SMALL_BYTES) {
      allocated(length);
      this.#pieces.push(bytes.slice());
      this.#chunk = null;
      return;
    }
    const last = this.#pieces.length - 1;
    if (this.#chunk !== null && this.#used + length <= CHUNK_BYTES) {
      this.#chunk.set(bytes, this.#used);
      // The last piece is a view that grows; what was taken from its front stays taken.
      const piece = this.#pieces[last]!;
      this.#pieces[last] = this.#chunk.subarray(this.#used - piece.length, this.#used + length);
      this.#used += length;
      return;
    }
    this.#chunk = new Uint8Array(CHUNK_BYTES);
    this.#chunk.set(bytes, 0);
    this.#used = length;
    this.#pieces.push(this.#chunk.subarray(0, length));
  }

  /** The first piece, cut to `most` bytes. Only when something waits. */
  take(most: number): Uint8Array {
    const first = this.#pieces[0]!;
    if (first.length <= most) {
      this.#pieces.shift();
      if (this.#pieces.length === 0) this.#chunk = null;
      this.#length -= first.length;
      return first;
    }
    this.#pieces[0] = first.subarray(most);
    this.#length -= most;
    return first.subarray(0, most);
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#length = 0;
    this.#chunk = null;
  }
}
