/** Where a body ends (RFC 9112 6 and 7): lengths, transfer codings, and the reader that cuts bodies out of the bytes. */
import { charCode } from "../../core/chars.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { mayTrail } from "../../core/trailers.ts";
import {
  BACKSLASH,
  CR,
  EQUALS,
  HEX,
  HTAB,
  isToken,
  LF,
  QUOTE,
  SEMICOLON,
  SP,
  TOKEN,
  VALUE,
} from "./chars.ts";
import type { Intake } from "./intake.ts";
import { latin1 } from "./latin1.ts";
import type { H1Limits } from "./limits.ts";
import { NAMES, otherName } from "./names.ts";
import { DONE, FAILED, HeadParser, MARKS, TRAILERS } from "./parser.ts";

/** No body · a known number of bytes · chunks · whatever comes until the connection closes. */
export const NONE = 0 as const, LENGTH = 1 as const, CHUNKED = 2 as const, UNTIL_CLOSE = 3 as const;
export type BodyFraming = typeof NONE | typeof LENGTH | typeof CHUNKED | typeof UNTIL_CLOSE;

/** A Content-Length as a number; -1 unless it is digits, without leading zeros, up to 2^53-1. */
export function parseLength(text: string): number {
  const { length } = text;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = charCode(text, i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  if (length > 1 && charCode(text, 0) === 0x30) return -1;
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** What is wrong with a Transfer-Encoding; null when it is exactly `chunked`. */
export function codingFault(value: string): Fault | null {
  if (value === "chunked") return null;
  const codings = value.split(",");
  let chunked = -1;
  for (let i = 0; i < codings.length; i++) {
    const coding = trimOws(codings[i]!).toLowerCase();
    if (!isToken(coding)) return FAULTS["h1.bad_transfer_encoding"];
    if (coding !== "chunked") continue;
    // RFC 9112 6.1: chunked once, and last.
    if (chunked >= 0 || i < codings.length - 1) return FAULTS["h1.bad_transfer_encoding"];
    chunked = i;
  }
  return codings.length === 1 && chunked === 0 ? null : FAULTS["h1.unknown_transfer_coding"];
}

function trimOws(text: string): string {
  let from = 0, to = text.length;
  while (from < to && isOws(charCode(text, from))) from++;
  while (to > from && isOws(charCode(text, to - 1))) to--;
  return text.slice(from, to);
}

function isOws(code: number): boolean {
  return code === SP || code === HTAB;
}

// States of the chunked decoder, in the order of the grammar.
const SIZE = 0, EXTENSION = 1, SIZE_LF = 2, DATA = 3, DATA_CR = 4, DATA_LF = 5, TRAILER = 6;
const MAX_SIZE_DIGITS = 16;
const EMPTY = new Uint8Array(0);

/**
 * Cuts one body out of the bytes. After each step(): data lies in `[from, to)` of the given bytes, `ended`
 * says that the message is over, `fault` that it is malformed.
 */
export class BodyReader {
  from = 0;
  to = 0;
  ended = true;
  fault: Fault | null = null;
  /** The trailer fields to pass on of a body that ended; null for none. */
  trailers: Fields | null = null;

  readonly #limits: H1Limits;
  #framing: BodyFraming = NONE;
  /** Bytes left of the body or of the chunk. */
  #left = 0;
  #state = SIZE;
  #digits = 0;
  #extension = 0;
  #extensions = 0;
  #quoted = false;
  #escaped = false;
  /** A `;` was seen and no name after it yet. */
  #nameless = false;
  #trailerParser: HeadParser | null = null;
  /** Fields that the message's Connection names: they end here (RFC 9110 7.6.1). */
  #named: readonly string[] | null = null;

  constructor(limits: H1Limits) {
    this.#limits = limits;
  }

  get framing(): BodyFraming {
    return this.#framing;
  }

  start(framing: BodyFraming, length: number, named: readonly string[] | null = null): void {
    this.#named = named;
    this.#framing = framing;
    this.#left = framing === LENGTH ? length : 0;
    this.ended = framing === NONE;
    this.fault = null;
    this.trailers = null;
    this.#state = SIZE;
    this.#digits = this.#extension = this.#extensions = 0;
  }

  /** Whether the body surely ends within what the intake holds; looks, but takes nothing. */
  endsWithin(intake: Intake): boolean {
    if (this.ended || this.#framing === LENGTH) return this.#left <= intake.held;
    if (this.#framing !== CHUNKED || this.#state === TRAILER || intake.bytes === null) return false;
    const probe = new BodyReader(this.#limits);
    probe.#framing = CHUNKED;
    probe.ended = false;
    probe.#left = this.#left;
    probe.#state = this.#state;
    probe.#digits = this.#digits;
    probe.#extension = this.#extension;
    probe.#extensions = this.#extensions;
    probe.#quoted = this.#quoted;
    probe.#escaped = this.#escaped;
    probe.#nameless = this.#nameless;
    return probe.#endsIn(intake.bytes, intake.at) || intake.behind.some((b) => probe.#endsIn(b, 0));
  }

  #endsIn(bytes: Uint8Array, at: number): boolean {
    while (at < bytes.length && !this.ended && this.fault === null) at = this.step(bytes, at);
    return this.ended;
  }

  /** Takes bytes from `at` on, up to one piece of data; returns the offset after them. */
  step(bytes: Uint8Array, at: number): number {
    this.from = this.to = at;
    if (this.#framing === CHUNKED) return this.#chunked(bytes, at);
    if (this.#framing === UNTIL_CLOSE) return this.to = bytes.length;
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    this.ended = this.#left === 0;
    return this.to = to;
  }

  /** The data of the last step: a view of the bytes, or the bytes themselves when it is all of them. */
  data(bytes: Uint8Array): Uint8Array {
    const { from, to } = this;
    if (from === to) return EMPTY;
    return to - from === bytes.length ? bytes : bytes.subarray(from, to);
  }

  #chunked(bytes: Uint8Array, at: number): number {
    while (at < bytes.length) {
      if (this.#state === DATA) return this.#data(bytes, at);
      if (this.#state === TRAILER) return this.#trailer(bytes, at);
      const c = bytes[at]!;
      if (this.#state === SIZE) this.#size(c);
      else if (this.#state === EXTENSION) this.#extend(c);
      else if (this.#state === SIZE_LF) this.#sizeEnd(c);
      else if (this.#state === DATA_CR) this.#expect(c, CR, DATA_LF);
      else this.#expect(c, LF, SIZE);
      at++;
      if (this.fault !== null) return at;
    }
    this.from = this.to = at;
    return at;
  }

  #data(bytes: Uint8Array, at: number): number {
    const to = Math.min(bytes.length, at + this.#left);
    this.#left -= to - at;
    this.from = at;
    this.to = to;
    if (this.#left > 0) return to;
    this.#state = DATA_CR;
    // The usual end of a message in one look, so that the last data and the end are one event.
    if (
      to + 7 <= bytes.length && bytes[to] === CR && bytes[to + 1] === LF &&
      bytes[to + 2] === 0x30 &&
      bytes[to + 3] === CR && bytes[to + 4] === LF && bytes[to + 5] === CR && bytes[to + 6] === LF
    ) {
      this.ended = true;
      return to + 7;
    }
    return to;
  }

  /** RFC 9112 7.1: 1*HEXDIG, then CR or an extension. No sign, no prefix, no white space. */
  #size(c: number): void {
    const digit = HEX[c]!;
    if (digit < 16) {
      this.#left = this.#left * 16 + digit;
      if (++this.#digits > MAX_SIZE_DIGITS || this.#left > Number.MAX_SAFE_INTEGER) {
        this.fault = FAULTS["h1.bad_chunk_size"];
      }
    } else if (this.#digits === 0) this.fault = FAULTS["h1.bad_chunk_size"];
    else if (c === CR) this.#state = SIZE_LF;
    else if (c === SEMICOLON) {
      this.#state = EXTENSION;
      this.#extension = 0;
      this.#quoted = this.#escaped = false;
      this.#nameless = true;
    } else this.fault = FAULTS["h1.bad_chunk_size"];
  }

  /** RFC 9112 7.1.1: extensions are checked, then dropped; an open quote must not hide a line end. */
  #extend(c: number): void {
    const { chunkExtensionBytes, chunkExtensionTotalBytes } = this.#limits;
    if (c === CR && !this.#quoted && !this.#nameless) {
      this.#state = SIZE_LF;
      return;
    }
    if (
      ++this.#extension > chunkExtensionBytes || ++this.#extensions > chunkExtensionTotalBytes ||
      !this.#extensionByte(c)
    ) this.fault = FAULTS["h1.bad_chunk_extension"];
  }

  #extensionByte(c: number): boolean {
    if (VALUE[c] === 0 || c > 0x7e) return false;
    if (this.#quoted) {
      if (this.#escaped) this.#escaped = false;
      else if (c === BACKSLASH) this.#escaped = true;
      else if (c === QUOTE) this.#quoted = false;
      return true;
    }
    if (c === SP || c === HTAB) return true;
    if (c === SEMICOLON) {
      if (this.#nameless) return false;
      return this.#nameless = true;
    }
    if (this.#nameless) {
      this.#nameless = false;
      return TOKEN[c] !== 0;
    }
    if (c === QUOTE) return this.#quoted = true;
    return c === EQUALS || TOKEN[c] !== 0;
  }

  #sizeEnd(c: number): void {
    if (c !== LF) this.fault = FAULTS["h1.bad_line_end"];
    this.#digits = 0;
    this.#state = this.#left === 0 ? TRAILER : DATA;
  }

  #expect(c: number, want: number, next: number): void {
    if (c !== want) this.fault = FAULTS["h1.bad_chunk_size"];
    this.#state = next;
  }

  #trailer(bytes: Uint8Array, at: number): number {
    const parser = this.#trailerParser ??= new HeadParser(TRAILERS, this.#limits);
    const next = parser.feed(bytes, at);
    this.from = this.to = next;
    if (parser.state === FAILED) this.fault = parser.fault;
    else if (parser.state === DONE) {
      this.ended = true;
      if (parser.count > 0) this.trailers = passedTrailers(parser, this.#named);
    }
    return next;
  }
}

/** Those that are passed on; `named` are those that end here, as the head's Connection fields say. */
function passedTrailers(parser: HeadParser, named: readonly string[] | null): Fields | null {
  const { bytes, marks, count } = parser;
  const fields = new Fields();
  for (let mark = 0; mark < count * MARKS; mark += MARKS) {
    const id = marks[mark]!;
    const name = id >= 0 ? NAMES[id]! : otherName(bytes, marks[mark + 1]!, marks[mark + 2]!);
    if (!mayTrail(name) || named?.includes(name)) continue;
    fields.append(name, latin1(bytes, marks[mark + 3]!, marks[mark + 4]!));
  }
  return fields.size > 0 ? fields : null;
}
