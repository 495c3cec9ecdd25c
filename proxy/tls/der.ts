/** A strict DER reader (X.690 §8, §10): one encoding per value, everything else is a fault. */

/** Universal and context tags as their identifier octet. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** `[n]` constructed, as in `[0] EXPLICIT`. */
export const explicit = (n: number): number => 0xa0 | n;
/** `[n]` primitive, as in `[0] IMPLICIT OCTET STRING`. */
export const implicit = (n: number): number => 0x80 | n;

const NOTHING = new Uint8Array(0);
const MAX_OID_BYTES = 64;

/** What readers of one document share: the first fault, after which every read gives nothing. */
interface State {
  fault: string | null;
}

/**
 * A cursor over the elements of one constructed value.
 *
 * Faults stick instead of being thrown: after the first one every read gives an empty value and
 * {@link atEnd} is true, so a parser reads straight on and looks at {@link fault} once, at its end.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #state: State;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length, state: State = { fault: null }) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#state = state;
  }

  /** What is wrong with the document, null while nothing is. */
  get fault(): string | null {
    return this.#state.fault;
  }

  /** Nothing is left, or a fault was found: loops end either way. */
  get atEnd(): boolean {
    return this.#state.fault !== null || this.#at >= this.#end;
  }

  /** The next element's tag, -1 at the end. */
  get tag(): number {
    return this.atEnd ? -1 : this.#bytes[this.#at]!;
  }

  /** Marks the whole document as faulty; the first call wins. */
  fail(fault: string): void {
    this.#state.fault ??= fault;
  }

  /** Takes the next element, which must have `tag`, and gives a reader over its contents. */
  enter(tag: number): DerReader {
    const [start, end] = this.#take(tag);
    return new DerReader(this.#bytes, start, end, this.#state);
  }

  /** As {@link enter} when the next element has `tag`; otherwise takes nothing and gives null. */
  enterIf(tag: number): DerReader | null {
    return this.tag === tag ? this.enter(tag) : null;
  }

  /** Takes the next element and gives its contents. */
  contents(tag: number): Uint8Array {
    const [start, end] = this.#take(tag);
    return this.#bytes.subarray(start, end);
  }

  /** Takes the next element and gives it whole, with identifier and length. */
  element(tag: number): Uint8Array {
    const from = this.#at;
    const [, end] = this.#take(tag);
    return this.#state.fault === null ? this.#bytes.subarray(from, end) : NOTHING;
  }

  /** Takes the next element, whatever it is. */
  skip(): void {
    if ((this.tag & 0x1f) === 0x1f) this.fail("a tag of more than one octet");
    this.#take(this.tag);
  }

  /** Says that nothing may follow. */
  finish(): void {
    if (this.#state.fault === null && this.#at !== this.#end) this.fail("trailing bytes");
  }

  boolean(): boolean {
    const value = this.contents(TAG.boolean);
    if (this.fault !== null) return false;
    if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff)) this.fail("bad boolean");
    return value[0] === 0xff;
  }

  /** The two's complement octets of an INTEGER in their only minimal form. */
  integer(): Uint8Array {
    const value = this.contents(TAG.integer);
    if (this.fault !== null) return NOTHING;
    const [first = 0, second = 0] = value;
    const padded = value.length > 1 &&
      ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80));
    if (value.length === 0 || padded) this.fail("bad integer");
    return value;
  }

  /** A small non-negative INTEGER. */
  smallInteger(): number {
    const value = this.integer();
    if (this.fault !== null) return 0;
    if (value.length > 4 || value[0]! >= 0x80) this.fail("integer out of range");
    return value.reduce((sum, octet) => sum * 256 + octet, 0);
  }

  /** A BIT STRING of whole octets, as keys and signatures are. */
  bitString(): Uint8Array {
    const value = this.contents(TAG.bitString);
    if (this.fault !== null) return NOTHING;
    if (value.length === 0 || value[0] !== 0) this.fail("bad bit string");
    return value.subarray(1);
  }

  /** A named bit list as a mask: bit 0 is the lowest. At most 16 bits. */
  namedBits(): number {
    const value = this.contents(TAG.bitString);
    if (this.fault !== null) return 0;
    const unused = value[0] ?? 8;
    const last = value[value.length - 1]!;
    // X.690 11.2.2: trailing zero bits are removed, so the last used bit is set and unused ones are not.
    const exact = unused < 8 && value.length > 1 && value.length <= 3 &&
      (last & ((1 << unused) - 1)) === 0 && (last & (1 << unused)) !== 0;
    if (!exact) {
      this.fail("bad named bits");
      return 0;
    }
    let mask = 0;
    for (let bit = 0; bit < (value.length - 1) * 8; bit++) {
      if ((value[1 + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) mask |= 1 << bit;
    }
    return mask;
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    const value = this.contents(TAG.oid);
    if (this.fault !== null) return "";
    if (value.length === 0 || value.length > MAX_OID_BYTES || value[value.length - 1]! >= 0x80) {
      this.fail("bad object identifier");
      return "";
    }
    const arcs: number[] = [];
    let arc = 0;
    for (const octet of value) {
      if ((arc === 0 && octet === 0x80) || arc > 0xffffffff) {
        this.fail("bad object identifier");
        return "";
      }
      arc = arc * 128 + (octet & 0x7f);
      if (octet >= 0x80) continue;
      arcs.push(arc);
      arc = 0;
    }
    const top = Math.min(2, Math.floor(arcs[0]! / 40));
    return [top, arcs[0]! - top * 40, ...arcs.slice(1)].join(".");
  }

  /** A Time of RFC 5280 §4.1.2.5 as Unix milliseconds: whole seconds, always Z. */
  time(): number {
    const short = this.tag === TAG.utcTime;
    const value = this.contents(short ? TAG.utcTime : TAG.generalizedTime);
    if (this.fault !== null) return 0;
    const ms = timeOf(latin1(value), short);
    if (ms === null) this.fail("bad time");
    return ms ?? 0;
  }

  /** Start and end of the next element's contents; moves past it. */
  #take(tag: number): [number, number] {
    const at = this.#at;
    if (this.#state.fault !== null) return [at, at];
    if (at >= this.#end) return this.#refuse("an element is missing");
    if (this.#bytes[at] !== tag) return this.#refuse("an element has an unexpected tag");
    let length = this.#bytes[at + 1] ?? 0x80;
    let start = at + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      // 0x80 is the indefinite form; four octets already reach past every limit of ours.
      if (octets === 0 || octets > 3 || start + octets > this.#end) {
        return this.#refuse("bad length");
      }
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + this.#bytes[start + i]!;
      if (length < 0x80 || length < 2 ** (8 * (octets - 1))) {
        return this.#refuse("length is not minimal");
      }
      start += octets;
    }
    if (start + length > this.#end) return this.#refuse("an element runs past its end");
    this.#at = start + length;
    return [start, start + length];
  }

  #refuse(fault: string): [number, number] {
    this.fail(fault);
    return [this.#at, this.#at];
  }
}

/** Bytes as a string of one char per byte. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function timeOf(text: string, short: boolean): number | null {
  if (!(short ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) return null;
  const pair = Number(text.slice(0, 2));
  // RFC 5280 4.1.2.5.1: two digits mean 1950 to 2049, and 4.1.2.5 leaves those years to UTCTime.
  const year = short ? (pair >= 50 ? 1900 : 2000) + pair : Number(text.slice(0, 4));
  if (!short && year >= 1950 && year < 2050) return null;
  const at = short ? 2 : 4;
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8]
    .map((offset) => Number(text.slice(at + offset, at + offset + 2))) as [
      number,
      number,
      number,
      number,
      number,
    ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  // A date that Date carried over (31 April, 25:00) does not read back the same.
  const same = date.getUTCMonth() === month - 1 && date.getUTCDate() === day &&
    date.getUTCHours() === hour && date.getUTCMinutes() === minute &&
    date.getUTCSeconds() === second;
  return same ? date.getTime() : null;
}
