/** From the offsets of a request head to a RequestHead and the framing of its body (RFC 9112 3 and 6). */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { parseAuthority, sameAuthority } from "./authority.ts";
import { QUESTION, SLASH } from "./chars.ts";
import { ConnectionOptions } from "./connection_options.ts";
import { CHUNKED, codingFault, LENGTH, NONE, parseLength } from "./framing.ts";
import { latin1 } from "./latin1.ts";
import {
  CONNECTION,
  CONTENT_LENGTH,
  EXPECT,
  HOP,
  HOST,
  KINDS,
  methodAt,
  NAMES,
  ORDINARY,
  otherName,
  TE,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./names.ts";
import { type HeadParser, MARKS } from "./parser.ts";
import { NOT_PLAIN, pushSpan, RawFields } from "./raw_fields.ts";

/** Reads heads one after the other; what it says of the last one lies in its fields. */
export class RequestReader {
  readonly #scheme: "http" | "https";
  framing: typeof NONE | typeof LENGTH | typeof CHUNKED = NONE;
  /** Bytes of the body when `framing` is LENGTH. */
  length = 0;
  /** The client speaks HTTP/1.0: no chunks, no interim responses. */
  old = false;
  /** The client would send another request on this connection. */
  keepAlive = true;
  fault: Fault = FAULTS["h1.bad_request_line"];

  readonly #options = new ConnectionOptions();
  #host: string | null = null;
  #coding: string | null = null;
  #upgrade: string | null = null;
  #contentLength: string | null = null;
  #connection = false;

  constructor(scheme: "http" | "https") {
    this.#scheme = scheme;
  }

  /** The head the parser has found; null when it breaks a rule, which `fault` names. */
  read(parser: HeadParser): RequestHead | null {
    const { bytes, from } = parser;
    this.old = parser.minor === 0;
    this.#host =
      this.#coding =
      this.#upgrade =
      this.#contentLength =
        null;
    this.#connection = false;
    const text = latin1(bytes, from, parser.to);
    const fields = this.#fields(parser, text);
    if (fields === null || !this.#frame()) return null;
    if (this.#connection) {
      if (!this.#judgeConnection(fields)) return null;
    } else this.keepAlive = !this.old;
    const method = methodAt(bytes, from, parser.methodEnd);
    return this.#target(parser, text, method, fields);
  }

  #fields(parser: HeadParser, text: string): Fields | null {
    const { bytes, marks, count, from } = parser;
    const lines: string[] = [], spans: number[] = [];
    for (let i = 0, mark = 0; i < count; i++, mark += MARKS) {
      const id = marks[mark]!;
      const value = text.slice(marks[mark + 3]! - from, marks[mark + 4]! - from);
      if (id < 0) lines.push(otherName(bytes, marks[mark + 1]!, marks[mark + 2]!), value);
      else if (KINDS[id] === ORDINARY) lines.push(NAMES[id]!, value);
      else {
        const before = lines.length;
        if (!this.#special(KINDS[id]!, value, lines)) return null;
        if (lines.length === before) continue;
        if (KINDS[id] !== CONTENT_LENGTH) {
          spans.push(NOT_PLAIN, NOT_PLAIN);
          continue;
        }
      }
      pushSpan(spans, parser, mark);
    }
    return new RawFields(lines, bytes, spans);
  }

  #special(kind: number, value: string, lines: string[]): boolean {
    switch (kind) {
      case HOST:
        if (this.#host !== null) return this.#refuse(FAULTS["h1.bad_host"]);
        this.#host = value;
        return true;
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
      case UPGRADE:
        this.#upgrade = this.#upgrade === null ? value : `${this.#upgrade},${value}`;
        return true;
      case TE:
        if (hasToken(value, "trailers")) lines.push("te", "trailers");
        return true;
      case EXPECT:
        if (this.old) return true; // RFC 9110 10.1.1: ignored from an HTTP/1.0 client
        if (value.toLowerCase() !== "100-continue") return this.#refuse(FAULTS["h1.expectation"]);
        lines.push("expect", "100-continue");
        return true;
      default:
        return kind === HOP;
    }
  }

  /** RFC 9112 6.3, without its lenient ways out: whatever two parsers may read differently is refused. */
  #frame(): boolean {
    this.framing = NONE;
    this.length = 0;
    if (this.#coding !== null) {
      if (this.#contentLength !== null) return this.#refuse(FAULTS["h1.length_and_coding"]);
      const fault = this.old ? FAULTS["h1.bad_transfer_encoding"] : codingFault(this.#coding);
      if (fault !== null) return this.#refuse(fault);
      this.framing = CHUNKED;
    } else if (this.#contentLength !== null) {
      this.length = parseLength(this.#contentLength);
      if (this.length < 0) return this.#refuse(FAULTS["h1.bad_content_length"]);
      if (this.length > 0) this.framing = LENGTH;
    }
    return true;
  }

  #judgeConnection(fields: Fields): boolean {
    const options = this.#options;
    this.keepAlive = !options.close && (!this.old || options.keepAlive);
    if (options.named !== null) {
      for (const name of options.named) if (name !== "te") fields.remove(name);
    }
    // h2c is never passed on nor answered (h2c smuggling): the request goes on as plain HTTP/1.1.
    if (options.upgrade && this.#upgrade !== null && !onlyH2c(this.#upgrade)) {
      return this.#refuse(FAULTS["h1.upgrade_refused"]);
    }
    return true;
  }

  #target(parser: HeadParser, text: string, method: string, fields: Fields): RequestHead | null {
    const { bytes, from, methodEnd, targetEnd } = parser;
    const start = methodEnd + 1;
    let path = text.slice(start - from, targetEnd - from);
    // RFC 9112 3.2: one Host on HTTP/1.1, and a valid one; an HTTP/1.0 client may have none.
    let authority: string | null = "";
    if (this.#host !== null) authority = parseAuthority(this.#host);
    else if (!this.old) authority = null;
    if (authority === null) return this.#none(FAULTS["h1.bad_host"]);
    if (method === "CONNECT") return this.#none(FAULTS["h1.connect_refused"]);
    if (bytes[start] !== SLASH && path !== "*") {
      const absolute = this.#absolute(path, authority, method);
      if (absolute === null) return null;
      path = absolute;
      if (authority === "") authority = this.#absoluteAuthority;
    }
    if (path === "*" && method !== "OPTIONS") return this.#none(FAULTS["h1.bad_target"]);
    return { method, scheme: this.#scheme, authority, path, fields };
  }

  #absoluteAuthority = "";

  /** RFC 9112 3.2.2: the origin form of an absolute target whose authority is that of the Host field. */
  #absolute(target: string, host: string, method: string): string | null {
    const prefix = `${this.#scheme}://`;
    if (target.slice(0, prefix.length).toLowerCase() !== prefix) {
      return this.#none(FAULTS["h1.bad_target"]);
    }
    let end = prefix.length;
    for (; end < target.length; end++) {
      const code = target.charCodeAt(end);
      if (code === SLASH || code === QUESTION) break;
    }
    const authority = parseAuthority(target.slice(prefix.length, end));
    if (authority === null) return this.#none(FAULTS["h1.bad_target"]);
    if (host !== "" && !sameAuthority(authority, host, this.#scheme)) {
      return this.#none(FAULTS["h1.host_mismatch"]);
    }
    this.#absoluteAuthority = authority;
    const rest = target.slice(end);
    if (rest === "") return method === "OPTIONS" ? "*" : "/";
    return rest.charCodeAt(0) === SLASH ? rest : `/${rest}`;
  }

  #refuse(fault: Fault): boolean {
    this.fault = fault;
    return false;
  }

  #none(fault: Fault): null {
    this.fault = fault;
    return null;
  }
}

/** Whether a comma-separated list holds a token, parameters aside. */
function hasToken(list: string, token: string): boolean {
  if (list === token) return true;
  for (const part of list.split(",")) {
    if (part.split(";", 1)[0]!.trim().toLowerCase() === token) return true;
  }
  return false;
}

function onlyH2c(list: string): boolean {
  for (const part of list.split(",")) {
    const protocol = part.trim().toLowerCase();
    if (protocol !== "" && protocol !== "h2c") return false;
  }
  return true;
}
