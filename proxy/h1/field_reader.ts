/** What reading a request head and a response head have in common: fields, lengths, codings, connection options. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { CR, SP } from "./chars.ts";
import { ConnectionOptions } from "./connection_options.ts";
import { codingFault, parseLength } from "./framing.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  KINDS,
  NAMES,
  ORDINARY,
  otherName,
  TE,
  TRANSFER_ENCODING,
} from "./names.ts";
import { type HeadParser, MARKS } from "./parser.ts";
import { NOT_PLAIN, RawFields } from "./raw_fields.ts";

/** 1 for the kinds whose lines may be kept; arrays are made to measure, since growing them costs twice. */
const KEPT = new Uint8Array(16);
for (const kind of [ORDINARY, CONTENT_LENGTH, TE, EXPECT]) KEPT[kind] = 1;

/** Reads the fields of heads one after the other; what it found special in the last one lies in its fields. */
export abstract class FieldReader {
  /** Bytes of the body when its framing is a length. */
  length = 0;
  /** Why the last head was refused. */
  fault: Fault = FAULTS["h1.bad_request_line"];
  protected coding: string | null = null;
  protected contentLength: string | null = null;
  /** The head has a Connection field; only then do `options` say something. */
  protected connection = false;
  protected readonly options: ConnectionOptions = new ConnectionOptions();
  #refused = false;
  /** The last fields, as long as the bytes they came in are there. */
  #raw: RawFields | null = null;

  /** The bytes of the last head are gone: what has not been written yet is written from its strings. */
  release(): void {
    if (this.#raw === null) return;
    this.#raw.raw = null;
    this.#raw = null;
  }

  /** Fields that end here, as Connection says (RFC 9110 7.6.1), in the head and in the trailers; null for none. */
  get named(): readonly string[] | null {
    return this.connection ? this.options.named : null;
  }

  /** A special field of one role only: the value to keep, or null to drop the line (or refuse the head). */
  protected abstract special(kind: number, value: string): string | null;

  /** The fields the parser has found, without those between neighbours; null when one is refused. */
  protected readFields(parser: HeadParser, text: string): RawFields | null {
    const { bytes, marks, count, from } = parser;
    this.coding = this.contentLength = null;
    this.connection = this.#refused = false;
    const size = 2 * keptLines(marks, count);
    const lines = new Array<string>(size);
    const spans = new Array<number>(size);
    let n = 0;
    for (let mark = 0; mark < count * MARKS; mark += MARKS) {
      const id = marks[mark]!;
      const value = text.slice(marks[mark + 3]! - from, marks[mark + 4]! - from);
      let kept: string | null = value;
      if (id >= 0 && KINDS[id] !== ORDINARY) {
        kept = this.#judge(KINDS[id]!, value);
        if (this.#refused) return null;
        if (kept === null) continue;
      }
      const start = marks[mark + 1]!, nameEnd = marks[mark + 2]!, to = marks[mark + 4]!;
      const plain = kept === value && bytes[nameEnd + 1] === SP && bytes[to] === CR &&
        marks[mark + 3] === nameEnd + 2;
      lines[n] = id < 0 ? otherName(bytes, start, nameEnd) : NAMES[id]!;
      lines[n + 1] = kept;
      spans[n] = plain ? start : NOT_PLAIN;
      spans[n + 1] = plain ? to + 2 : NOT_PLAIN;
      n += 2;
    }
    if (n < size) lines.length = n;
    return this.#raw = new RawFields(lines, bytes, spans);
  }

  /**
   * What the coding or the length says of the body (RFC 9112 6.3, without its lenient ways out: whatever two
   * parsers may read differently is refused). True for chunks, false for a length or neither, null for a fault.
   */
  protected readFraming(old: boolean): boolean | null {
    this.length = 0;
    if (this.coding !== null) {
      if (this.contentLength !== null) return this.refuse(FAULTS["h1.length_and_coding"]);
      const fault = old ? FAULTS["h1.bad_transfer_encoding"] : codingFault(this.coding);
      return fault === null || this.refuse(fault);
    }
    if (this.contentLength === null) return false;
    this.length = parseLength(this.contentLength);
    if (this.length < 0) return this.refuse(FAULTS["h1.bad_content_length"]);
    return false;
  }

  protected refuse(fault: Fault): null {
    this.fault = fault;
    this.#refused = true;
    return null;
  }

  #judge(kind: number, value: string): string | null {
    if (kind === CONTENT_LENGTH) {
      if (this.contentLength !== null) return this.refuse(FAULTS["h1.bad_content_length"]);
      return this.contentLength = value;
    }
    if (kind === CONNECTION) {
      if (!this.connection) this.options.clear();
      this.connection = true;
      if (!this.options.add(value)) this.refuse(FAULTS["h1.bad_connection_option"]);
      return null;
    }
    if (kind === TRANSFER_ENCODING) {
      if (this.coding !== null) return this.refuse(FAULTS["h1.bad_transfer_encoding"]);
      this.coding = value;
      return null;
    }
    return this.special(kind, value);
  }
}

function keptLines(marks: Int32Array, count: number): number {
  let kept = 0;
  for (let mark = 0; mark < count * MARKS; mark += MARKS) {
    const id = marks[mark]!;
    if (id < 0 || KEPT[KINDS[id]!] !== 0) kept++;
  }
  return kept;
}
