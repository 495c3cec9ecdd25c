/** Bytes written one after the other into one array that grows: rewriting a module makes hundreds of thousands of small pieces. */

import { signedLeb } from "./reader.ts";

export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(expected: number) {
    this.#bytes = new Uint8Array(Math.max(64, expected));
  }

  get length(): number {
    return this.#at;
  }

  /** What has been written, good until the next write. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  clear(): void {
    this.#at = 0;
  }

  /** A few bytes. */
  put(bytes: readonly number[]): void {
    this.#reserve(bytes.length);
    for (let i = 0; i < bytes.length; i++) this.#bytes[this.#at + i] = bytes[i]!;
    this.#at += bytes.length;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  leb(value: number): void {
    this.#reserve(5);
    let rest = value >>> 0;
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = rest & 0x7f | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** Signed LEB128 of a safe integer that is not negative. */
  signedLeb(value: number): void {
    if (value > 0x7fff_ffff) return this.put(signedLeb(value));
    this.#reserve(6);
    let rest = value;
    while (rest >= 0x40) {
      this.#bytes[this.#at++] = rest & 0x7f | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A piece of another array. */
  copy(from: Uint8Array, start: number, end: number): void {
    const length = end - start;
    this.#reserve(length);
    // A native copy is worth its call from some tens of bytes on.
    if (length > 48) this.#bytes.set(from.subarray(start, end), this.#at);
    else for (let i = 0; i < length; i++) this.#bytes[this.#at + i] = from[start + i]!;
    this.#at += length;
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#at + more, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}
