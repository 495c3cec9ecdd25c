/**
 * Finds the parts of a head (RFC 9112 2–5) in bytes: offsets only, nothing is copied or decoded here.
 *
 *   feed ──▶ start line ──▶ field line … ──▶ empty line: DONE
 *              │                │
 *              └── bytes ran out: kept, and the same line is begun anew once its end has come
 *
 * A line is judged when its end is there: CR LF, or the first control byte that cannot be in it. So any
 * split of the same bytes gives the same verdict, and no byte is looked at more than three times.
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import {
  COLON,
  CR,
  DOT,
  HTAB,
  LF,
  LOWER,
  PATH,
  QUERY,
  QUESTION,
  SLASH,
  SP,
  STAR,
  TOKEN,
  VALUE,
} from "./chars.ts";
import type { H1Limits } from "./limits.ts";
import { nameId } from "./names.ts";

export const REQUEST = 0 as const, RESPONSE = 1 as const, TRAILERS = 2 as const;
export type HeadRole = typeof REQUEST | typeof RESPONSE | typeof TRAILERS;

/** What feed() came to. */
export const MORE = 0 as const, DONE = 1 as const, FAILED = 2 as const;

/** Numbers kept per field line: name id (-1: not a known one), name from and to, value from and to. */
export const MARKS = 5;

/** Returned by the line readers instead of an offset. */
const NEED_MORE = -1, REFUSED = -2;
const EMPTY = new Uint8Array(0);

/** Heads that arrive in one piece share these marks; only a head in pieces gets its own. */
let shared = new Int32Array(0);

export class HeadParser {
  /** The head lies in these bytes; valid from DONE to the next feed(), as are all offsets below. */
  bytes: Uint8Array = EMPTY;
  from = 0;
  /** Where the last field line ends. */
  to = 0;
  marks: Int32Array = shared;
  /** How many field lines there are. */
  count = 0;
  methodEnd = 0;
  targetEnd = 0;
  minor = 1;
  status = 0;
  state: typeof MORE | typeof DONE | typeof FAILED = MORE;
  fault: Fault = FAULTS["h1.bad_request_line"];

  readonly #role: HeadRole;
  readonly #limits: H1Limits;
  readonly #maxBytes: number;
  #end = 0;
  /** Start of the line being read. */
  #line = 0;
  #inFields = false;
  #emptyLines = 0;
  /** Bytes of an unfinished head, 0 for none; they lie in #store. */
  #kept = 0;
  #store: Uint8Array = EMPTY;
  #asksHead = false;
  /** No line end lies before this offset of the unfinished line. */
  #searched = 0;

  constructor(role: HeadRole, limits: H1Limits) {
    this.#role = role;
    this.#limits = limits;
    this.#maxBytes = role === TRAILERS ? limits.trailerBytes : limits.headBytes;
    const size = limits.fields * MARKS;
    if (shared.length < size) shared = new Int32Array(size);
    this.#inFields = role === TRAILERS;
  }

  /** Whether a head has begun and its end has not come. */
  get begun(): boolean {
    return this.#kept > 0;
  }

  /** Whether what came of a request so far asks with HEAD, whose answers have no body. */
  get asksHead(): boolean {
    return this.#asksHead;
  }

  /** Takes bytes from `at` on; returns the offset after the last one taken. `state` says what came of it. */
  feed(bytes: Uint8Array, at: number): number {
    const next = this.#feed(bytes, at);
    // Now, since the bytes may be gone when somebody asks.
    if (this.#role === REQUEST) this.#asksHead = asksHead(this.bytes, this.from);
    return next;
  }

  #feed(bytes: Uint8Array, at: number): number {
    if (this.#kept > 0) return this.#feedKept(bytes, at);
    this.bytes = bytes;
    this.from = at;
    this.marks = shared;
    this.count = 0;
    this.#line = at;
    this.#end = bytes.length;
    const next = this.#read();
    if (next === NEED_MORE) {
      this.#keep(bytes, this.from, bytes.length);
      return bytes.length;
    }
    return next === REFUSED ? bytes.length : next;
  }

  /** Forgets what was read; the next feed() begins a new head. */
  #reset(): void {
    this.#kept = 0;
    this.#store = EMPTY;
    this.#emptyLines = 0;
    this.#inFields = this.#role === TRAILERS;
  }

  #feedKept(bytes: Uint8Array, at: number): number {
    const before = this.#kept;
    // Two bytes above the limit are enough to refuse, so a large chunk is never copied whole.
    const take = Math.min(bytes.length - at, Math.max(1, this.#maxBytes + 2 - before));
    this.#grow(before + take);
    this.#store.set(bytes.subarray(at, at + take), before);
    this.#kept = before + take;
    this.bytes = this.#store;
    this.#end = this.#kept;
    const stop = this.#findStop(this.#searched);
    if (stop === NEED_MORE) {
      return this.#outOfBytes(this.#searched) === REFUSED ? bytes.length : at + take;
    }
    const next = this.#read();
    if (next === REFUSED) return bytes.length;
    if (next !== NEED_MORE) return at + next - before;
    if (this.from === this.#kept) this.#kept = 0; // nothing but empty lines: no head has begun
    return at + take;
  }

  /** From the start of the current line to the end of the head: an offset, NEED_MORE or REFUSED. */
  #read(): number {
    if (!this.#inFields) {
      const next = this.#role === REQUEST ? this.#requestLine() : this.#statusLine();
      if (next < 0) return next;
      this.#inFields = true;
      this.#line = next;
    }
    const next = this.#fieldLines();
    if (next < 0) return next;
    this.state = DONE;
    this.#reset();
    return next;
  }

  #fieldLines(): number {
    const { bytes, marks } = this;
    const end = this.#end;
    let at = this.#line;
    for (;;) {
      const start = at;
      let hash = 0, lower = 0;
      while (at < end && (lower = LOWER[bytes[at]!]!) !== 0) {
        hash = (Math.imul(hash, 31) + lower) | 0;
        at++;
      }
      if (at === end) return this.#outOfBytes(start);
      const nameEnd = at;
      let c = bytes[at]!;
      if (c !== COLON || at === start) {
        if (c === CR && at === start) return this.#emptyLine(at);
        // RFC 9112 5.1: no white space before the colon. 5.2: no folding.
        const fold = at === start && (c === SP || c === HTAB);
        return this.#refuse(start, FAULTS[fold ? "h1.obs_fold" : "h1.bad_field_name"]);
      }
      at++;
      while (at < end && ((c = bytes[at]!) === SP || c === HTAB)) at++;
      const from = at;
      while (at < end && VALUE[bytes[at]!] !== 0) at++;
      if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
        return this.#refuse(start, FAULTS["h1.bad_field_value"]);
      }
      if (at - this.from > this.#maxBytes) return this.#refuse(start, FAULTS["h1.bad_field_value"]);
      const { count } = this;
      if (count === this.#limits.fields) return this.#fail(FAULTS["h1.too_many_fields"]);
      let to = at;
      while (to > from && ((c = bytes[to - 1]!) === SP || c === HTAB)) to--;
      const mark = count * MARKS;
      marks[mark] = nameId(bytes, start, nameEnd, hash);
      marks[mark + 1] = start;
      marks[mark + 2] = nameEnd;
      marks[mark + 3] = from;
      marks[mark + 4] = to;
      this.count = count + 1;
      at += 2;
      this.#line = at;
    }
  }

  #emptyLine(at: number): number {
    if (at + 1 >= this.#end || this.bytes[at + 1] !== LF || at - this.from > this.#maxBytes) {
      return this.#refuse(at, FAULTS["h1.bad_line_end"]);
    }
    this.to = at;
    return at + 2;
  }

  /** RFC 9112 3: method SP request-target SP HTTP-version CRLF. */
  #requestLine(): number {
    const { bytes } = this;
    const end = this.#end;
    let at = this.#line;
    // RFC 9112 2.2: empty lines before a request line are skipped, a few of them.
    while (at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) {
      if (++this.#emptyLines > this.#limits.leadingEmptyLines) {
        return this.#fail(FAULTS["h1.bad_request_line"]);
      }
      at += 2;
      this.from = this.#line = at;
    }
    while (at < end && TOKEN[bytes[at]!] !== 0) at++;
    this.methodEnd = at;
    const length = at - this.from;
    if (length === 0 || length > this.#limits.methodBytes || bytes[at] !== SP) {
      return this.#refuse(this.from, FAULTS["h1.bad_method"]);
    }
    at++;
    const target = at;
    while (at < end && PATH[bytes[at]!] !== 0) at++;
    if (at < end && bytes[at] === QUESTION) { while (at < end && QUERY[bytes[at]!] !== 0) at++; }
    this.targetEnd = at;
    if (at === target) return this.#refuse(this.from, FAULTS["h1.bad_request_line"]);
    if (bytes[at] !== SP) {
      const plain = bytes[at] === CR; // no version at all: HTTP/0.9
      return this.#refuse(this.from, FAULTS[plain ? "h1.bad_request_line" : "h1.bad_target"]);
    }
    at++;
    if (at + 10 > end || !this.#version(at) || bytes[at + 8] !== CR || bytes[at + 9] !== LF) {
      const known = at + 9 > end || !isVersion(bytes, at) || bytes[at + 8] !== CR;
      const bad = isForeign(bytes, target, at) ? "h1.not_http" : "h1.bad_request_line";
      return this.#refuse(this.from, FAULTS[known ? bad : "h1.bad_version"]);
    }
    if (at + 8 - this.from > this.#limits.startLineBytes) {
      return this.#refuse(this.from, FAULTS["h1.target_too_long"]);
    }
    return at + 10;
  }

  /** RFC 9112 4: HTTP-version SP status-code SP [reason] CRLF; the second space may be missing. */
  #statusLine(): number {
    const { bytes } = this;
    const end = this.#end;
    let at = this.#line;
    const bad = FAULTS["h1.bad_status_line"];
    if (at + 12 > end || !this.#version(at) || bytes[at + 8] !== SP) return this.#refuse(at, bad);
    let status = 0;
    for (let i = at + 9; i < at + 12; i++) {
      const digit = bytes[i]! - 0x30;
      if (digit < 0 || digit > 9) return this.#refuse(at, bad);
      status = status * 10 + digit;
    }
    if (status < 100) return this.#refuse(at, bad);
    this.status = status;
    at += 12;
    if (at < end && bytes[at] === SP) { while (at < end && VALUE[bytes[at]!] !== 0) at++; }
    if (at + 1 >= end || bytes[at] !== CR || bytes[at + 1] !== LF) {
      return this.#refuse(this.#line, bad);
    }
    if (at - this.from > this.#limits.startLineBytes) {
      return this.#refuse(this.from, FAULTS["h1.target_too_long"]);
    }
    return at + 2;
  }

  /** `HTTP/1.0` or `HTTP/1.1` at `at`, which has eight bytes. */
  #version(at: number): boolean {
    const { bytes } = this;
    const minor = bytes[at + 7]! - 0x30;
    if (minor !== 0 && minor !== 1) return false;
    this.minor = minor;
    return bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 &&
      bytes[at + 3] === 0x50 && bytes[at + 4] === 0x2f && bytes[at + 5] === 0x31 &&
      bytes[at + 6] === DOT;
  }

  /** The line at `start` has something wrong or lacks its end: refused only once its end is there. */
  #refuse(start: number, fault: Fault): number {
    const stop = this.#findStop(start);
    if (stop === NEED_MORE) return this.#outOfBytes(start);
    const tooLarge = this.#tooLarge(stop);
    if (tooLarge !== null) return this.#fail(tooLarge);
    const c = this.bytes[stop];
    if (c === LF || (c === CR && this.bytes[stop + 1] !== LF)) fault = FAULTS["h1.bad_line_end"];
    return this.#fail(fault);
  }

  /** The bytes end before the line does; that is a fault too when the line is already too long. */
  #outOfBytes(from: number): number {
    let stop = from;
    while (stop < this.#end && VALUE[this.bytes[stop]!] !== 0) stop++;
    this.#searched = stop;
    const tooLarge = this.#tooLarge(stop);
    return tooLarge === null ? NEED_MORE : this.#fail(tooLarge);
  }

  /** Whether a line that ends (or may still go on) at `stop` breaks a limit. */
  #tooLarge(stop: number): Fault | null {
    const size = stop - this.from;
    if (!this.#inFields && size > this.#limits.startLineBytes) return FAULTS["h1.target_too_long"];
    if (size <= this.#maxBytes) return null;
    return FAULTS[this.#role === TRAILERS ? "h1.trailers_too_large" : "h1.head_too_large"];
  }

  /** The first byte at or after `from` that ends its line, well or badly; a CR needs the byte after it. */
  #findStop(from: number): number {
    const { bytes } = this;
    const end = this.#end;
    let at = from;
    while (at < end && VALUE[bytes[at]!] !== 0) at++;
    if (at === end || (bytes[at] === CR && at + 1 === end)) return NEED_MORE;
    return at;
  }

  #fail(fault: Fault): number {
    this.fault = fault;
    this.state = FAILED;
    this.#reset();
    return REFUSED;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    this.state = MORE;
    if (to === from) return;
    this.#grow(to - from);
    this.#store.set(bytes.subarray(from, to));
    this.#kept = to - from;
    this.#line -= from;
    this.#searched -= from;
    this.methodEnd -= from;
    this.targetEnd -= from;
    this.from = 0;
    this.bytes = this.#store;
    const used = this.count * MARKS;
    const own = new Int32Array(this.#limits.fields * MARKS);
    for (let i = 0; i < used; i++) {
      const mark = this.marks[i]!;
      own[i] = i % MARKS === 0 ? mark : mark - from;
    }
    this.marks = own;
  }

  #grow(size: number): void {
    if (size <= this.#store.length) return;
    const store = new Uint8Array(Math.max(1024, 2 * this.#store.length, size));
    store.set(this.#store.subarray(0, this.#kept));
    this.#store = store;
  }
}

function asksHead(bytes: Uint8Array, from: number): boolean {
  return bytes[from] === 0x48 && bytes[from + 1] === 0x45 && bytes[from + 2] === 0x41 &&
    bytes[from + 3] === 0x44 && bytes[from + 4] === SP;
}

/**
 * Three words, of which the second is no request target of any form (RFC 9112 3.2) and the third, at
 * `version`, names no HTTP: another protocol, such as a client that greets in HTTP/2 of its own make.
 */
function isForeign(bytes: Uint8Array, target: number, version: number): boolean {
  if (bytes[target] === SLASH || bytes[target] === STAR) return false;
  for (let i = target; i < version; i++) if (bytes[i] === COLON) return false;
  return !(bytes[version] === 0x48 && bytes[version + 1] === 0x54 && bytes[version + 2] === 0x54 &&
    bytes[version + 3] === 0x50);
}

/** Any `HTTP/digit.digit`. */
function isVersion(bytes: Uint8Array, at: number): boolean {
  const major = bytes[at + 5]! - 0x30, minor = bytes[at + 7]! - 0x30;
  return bytes[at] === 0x48 && bytes[at + 1] === 0x54 && bytes[at + 2] === 0x54 &&
    bytes[at + 3] === 0x50 && bytes[at + 4] === 0x2f && bytes[at + 6] === DOT &&
    major >= 0 && major <= 9 && minor >= 0 && minor <= 9;
}
