/** Bytes that have come off the wire and wait for the codec: the piece being read and those behind it. */

export class Intake {
  /** The piece being read; null when all is read. */
  bytes: Uint8Array | null = null;
  /** How far it is read. */
  at = 0;
  /** The pieces after it. */
  readonly behind: Uint8Array[] = [];
  #behindBytes = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.bytes === null) {
      this.bytes = bytes;
      this.at = 0;
    } else {
      this.behind.push(bytes);
      this.#behindBytes += bytes.length;
    }
  }

  /** What is left of a piece that came just now is copied: the piece itself is gone when its read is over. */
  own(): void {
    if (this.bytes === null) return;
    const last = this.behind.length - 1;
    if (last >= 0) this.behind[last] = this.behind[last]!.slice();
    else {
      this.bytes = this.bytes.slice(this.at);
      this.at = 0;
    }
  }

  /** Bytes not read yet. */
  get held(): number {
    return this.bytes === null ? 0 : this.bytes.length - this.at + this.#behindBytes;
  }

  /** The current piece is read up to `at`. */
  advance(at: number): void {
    if (at < this.bytes!.length) {
      this.at = at;
      return;
    }
    const next = this.behind.shift();
    this.at = 0;
    if (next === undefined) {
      this.bytes = null;
    } else {
      this.bytes = next;
      this.#behindBytes -= next.length;
    }
  }

  clear(): void {
    this.bytes = null;
    this.at = 0;
    this.behind.length = 0;
    this.#behindBytes = 0;
  }
}
