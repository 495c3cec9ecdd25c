/** The little of Protocol Buffers that one request and one response take (protobuf.dev, encoding). */

const VARINT = 0, I64 = 1, LEN = 2, I32 = 5;

/** Writes fields in the order they are given; values that are the default may be left out by the caller. */
export class ProtoWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** What has been written; valid until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A non-negative int32, uint32, int64, bool or enum; whole and below 2^53. */
  varint(field: number, value: number): this {
    return this.#varint(field * 8 + VARINT).#varint(value);
  }

  /** An int64 of −1. */
  minusOne(field: number): this {
    this.#varint(field * 8 + VARINT).#room(10);
    this.#bytes.fill(0xff, this.#length, this.#length + 9);
    this.#bytes[this.#length + 9] = 0x01;
    this.#length += 10;
    return this;
  }

  raw(field: number, value: Uint8Array): this {
    this.#varint(field * 8 + LEN).#varint(value.length).#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  message(field: number, child: ProtoWriter): this {
    return this.raw(field, child.bytes);
  }

  /**
   * A string whose characters are bytes, as field values are. Strings have to be UTF-8: in one that is not,
   * each byte that is no ASCII becomes "!".
   */
  text(field: number, latin1: string): this {
    const { length } = latin1;
    this.#varint(field * 8 + LEN).#varint(length).#room(length);
    const from = this.#length;
    let ascii = true;
    for (let i = 0; i < length; i++) {
      const code = latin1.charCodeAt(i) & 0xff;
      if (code > 0x7f) ascii = false;
      this.#bytes[from + i] = code;
    }
    this.#length += length;
    if (!ascii && !isUtf8(this.#bytes, from, this.#length)) {
      for (let i = from; i < this.#length; i++) if (this.#bytes[i]! > 0x7f) this.#bytes[i] = 0x21;
    }
    return this;
  }

  #varint(value: number): this {
    this.#room(10);
    let left = value;
    while (left > 0x7f) {
      this.#bytes[this.#length++] = (left % 128) | 0x80;
      left = Math.floor(left / 128);
    }
    this.#bytes[this.#length++] = left;
    return this;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes));
    larger.set(this.bytes);
    this.#bytes = larger;
  }
}

/** Reads field by field; `broken` once something is not as it should be, and then nothing more comes. */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  /** Of the field that next() found. */
  field = 0;
  /** A number's value; of an integer beyond 2^53 roughly. */
  value = 0;
  /** A string's, message's or byte array's content; a view. */
  content: Uint8Array = NOTHING;
  broken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Goes to the next field; false: there is none, or the message is broken. */
  next(): boolean {
    if (this.broken || this.#at >= this.#bytes.length) return false;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.value = 0;
    this.content = NOTHING;
    switch (tag % 8) {
      case VARINT:
        this.value = this.#varint();
        break;
      case LEN:
        this.content = this.#take(this.#varint());
        break;
      case I64:
        this.#take(8);
        break;
      case I32:
        this.#take(4);
        break;
      default:
        this.broken = true;
    }
    if (this.field === 0) this.broken = true;
    return !this.broken;
  }

  #varint(): number {
    let value = 0, scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    this.broken = true;
    return 0;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) {
      this.broken = true;
      return NOTHING;
    }
    return this.#bytes.subarray(this.#at, this.#at += length);
  }
}

const NOTHING = new Uint8Array(0);

/** RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to;) {
    const lead = bytes[i++]!;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    for (let n = 0; n < more; n++, i++) {
      if (i >= to) return false;
      const byte = bytes[i]!;
      if (byte < (n === 0 ? least : 0x80) || byte > (n === 0 ? most : 0xbf)) return false;
    }
  }
  return true;
}
