/** From the offsets of a response head to a ResponseHead and the framing of its body (RFC 9112 4 and 6). */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { ResponseHead } from "../../core/message.ts";
import { ConnectionOptions } from "./connection_options.ts";
import { asResponseFault } from "./faults.ts";
import {
  type BodyFraming,
  CHUNKED,
  codingFault,
  LENGTH,
  NONE,
  parseLength,
  UNTIL_CLOSE,
} from "./framing.ts";
import { latin1 } from "./latin1.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  KINDS,
  NAMES,
  ORDINARY,
  otherName,
  TRANSFER_ENCODING,
} from "./names.ts";
import { type HeadParser, MARKS } from "./parser.ts";
import { pushSpan, RawFields } from "./raw_fields.ts";

/** Reads heads one after the other; what it says of the last one lies in its fields. */
export class ResponseReader {
  framing: BodyFraming = NONE;
  /** Bytes of the body when `framing` is LENGTH. */
  length = 0;
  /** The upstream would take another request on this connection. */
  keepAlive = true;
  fault: Fault = FAULTS["h1.bad_response"];

  readonly #options = new ConnectionOptions();
  #coding: string | null = null;
  #contentLength: string | null = null;
  #connection = false;

  /** The head the parser has found, as an answer to `method`; null when it breaks a rule, which `fault` names. */
  read(parser: HeadParser, method: string): ResponseHead | null {
    const { status } = parser;
    const old = parser.minor === 0;
    this.#coding = this.#contentLength = null;
    this.#connection = false;
    const fields = this.#fields(parser);
    if (fields === null || !this.#frame(status, method, old, fields)) return null;
    if (this.#connection) {
      this.keepAlive = !this.#options.close && (!old || this.#options.keepAlive);
      const { named } = this.#options;
      if (named !== null) { for (const name of named) fields.remove(name); }
    } else this.keepAlive = !old;
    if (this.framing === UNTIL_CLOSE || this.#lying) this.keepAlive = false;
    return { status, fields };
  }

  /** The head said that a body follows where none can: the bytes after it belong to nobody. */
  #lying = false;

  #fields(parser: HeadParser): Fields | null {
    const { bytes, marks, count, from } = parser;
    const text = latin1(bytes, from, parser.to);
    const lines: string[] = [], spans: number[] = [];
    for (let i = 0, mark = 0; i < count; i++, mark += MARKS) {
      const id = marks[mark]!;
      const value = text.slice(marks[mark + 3]! - from, marks[mark + 4]! - from);
      if (id < 0) lines.push(otherName(bytes, marks[mark + 1]!, marks[mark + 2]!), value);
      else if (KINDS[id] === ORDINARY) lines.push(NAMES[id]!, value);
      else if (!this.#special(KINDS[id]!, value, lines)) return null;
      else if (KINDS[id] !== CONTENT_LENGTH) continue;
      pushSpan(spans, parser, mark);
    }
    return new RawFields(lines, bytes, spans);
  }

  #special(kind: number, value: string, lines: string[]): boolean {
    switch (kind) {
      case CONTENT_LENGTH:
        if (this.#contentLength !== null) return this.#refuse(FAULTS["h1.bad_content_length"]);
        this.#contentLength = value;
        lines.push("content-length", value);
        return true;
      case TRANSFER_ENCODING:
        if (this.#coding !== null) return this.#refuse(FAULTS["h1.bad_transfer_encoding"]);
        this.#coding = value;
        return true;
      case CONNECTION:
        if (!this.#connection) this.#options.clear();
        this.#connection = true;
        return this.#options.add(value) || this.#refuse(FAULTS["h1.bad_connection_option"]);
      default:
        return true; // hop-by-hop or of requests only: dropped
    }
  }

  #frame(status: number, method: string, old: boolean, fields: Fields): boolean {
    this.framing = UNTIL_CLOSE;
    this.length = 0;
    this.#lying = false;
    const bodiless = status < 200 || status === 204;
    if (this.#coding !== null) {
      if (this.#contentLength !== null) return this.#refuse(FAULTS["h1.length_and_coding"]);
      const fault = old ? FAULTS["h1.bad_transfer_encoding"] : codingFault(this.#coding);
      if (fault !== null) return this.#refuse(fault);
      this.framing = CHUNKED;
      // RFC 9112 6.1: no Transfer-Encoding where there can be no body.
      this.#lying = bodiless;
    } else if (this.#contentLength !== null) {
      this.length = parseLength(this.#contentLength);
      if (this.length < 0) return this.#refuse(FAULTS["h1.bad_content_length"]);
      this.framing = this.length === 0 ? NONE : LENGTH;
      if (bodiless) {
        fields.remove("content-length");
        this.#lying = this.length > 0;
      }
    }
    // RFC 9112 6.3 1: these end with their head, whatever their fields say.
    if (bodiless || status === 304 || method === "HEAD") this.framing = NONE;
    return true;
  }

  #refuse(fault: Fault): boolean {
    this.fault = asResponseFault(fault);
    return false;
  }
}
