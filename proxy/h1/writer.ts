/** Writes one message after another onto a wire: heads, bodies in any framing, trailers (RFC 9112). */
import { parseAuthority } from "../../core/authority.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Wire } from "../../core/stream.ts";
import { isToken } from "./chars.ts";
import {
  isOurs,
  open,
  putBytes,
  putField,
  putRange,
  putTarget,
  putText,
  sendOn,
  targetSize,
} from "./encode.ts";
import { type BodyFraming, CHUNKED, LENGTH, NONE, parseLength, UNTIL_CLOSE } from "./framing.ts";
import { NOT_PLAIN, RawFields } from "./raw_fields.ts";
import { statusLine } from "./status.ts";

const CRLF = bytesOf("\r\n");
const LAST_CHUNK = bytesOf("0\r\n\r\n");
const DATA_AND_LAST_CHUNK = bytesOf("\r\n0\r\n\r\n");
/** Chunks up to this size are copied behind their size line: one piece instead of three. */
const SMALL_CHUNK = 2048;
/** Room for the start line's constant parts and the fields we add. */
const HEAD_EXTRA = 256;
/** Around a name and a value: colon, space, CR LF. */
const LINE_EXTRA = 4;
const CHUNK_EXTRA = 32;

/** What a response head needs to know of its request and connection. */
export interface ResponseContext {
  readonly method: string;
  /** The client speaks HTTP/1.0. */
  readonly old: boolean;
  /** Say `connection: close`. */
  readonly close: boolean;
  readonly date: (() => string) | null;
}

export class MessageWriter {
  /** A final head has been written. */
  begun = false;
  /** The whole message has been written. */
  ended = true;
  /** The connection must close to end this message. */
  untilClose = false;
  /** The last write found the wire above its high-water mark. */
  full = false;

  readonly #wire: Wire;
  #framing: BodyFraming = NONE;
  #left = 0;
  // What the last survey of a head's fields found.
  #size = 0;
  #contentLength: string | null = null;
  #hasDate = false;
  #unclean = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** A new message begins. */
  start(): void {
    this.begun =
      this.ended =
      this.untilClose =
      this.full =
        false;
    this.#framing = NONE;
    this.#left = 0;
  }

  info(head: ResponseHead): void {
    this.#survey(head.fields.lines);
    open(this.#size);
    putText(statusLine(head.status));
    this.#putFields(head.fields, false);
    putBytes(CRLF);
    this.#end();
  }

  responseHead(head: ResponseHead, end: boolean, context: ResponseContext): void {
    const { status, fields } = head;
    const { method, old, close, date } = context;
    this.#survey(fields.lines);
    const bodiless = status === 204 || status === 304 || status < 200 || method === "HEAD";
    let length = -1;
    if (this.#contentLength !== null && status !== 204 && status >= 200) {
      length = parseLength(this.#contentLength);
    }
    const given = length;
    if (end && !bodiless) length = 0;
    const pass = length >= 0 && length === given;
    if (bodiless) this.#framing = NONE;
    else if (length >= 0) this.#framing = LENGTH;
    else this.#framing = old ? UNTIL_CLOSE : CHUNKED;
    this.untilClose = this.#framing === UNTIL_CLOSE;
    open(this.#size);
    putText(statusLine(status));
    this.#putFields(fields, pass);
    if (length >= 0 && !pass) putText(`content-length: ${length}\r\n`);
    else if (this.#framing === CHUNKED) putText("transfer-encoding: chunked\r\n");
    if (close || this.untilClose) putText("connection: close\r\n");
    else if (old) putText("connection: keep-alive\r\n");
    if (date !== null && !this.#hasDate) putField("date", date());
    putBytes(CRLF);
    this.begun = true;
    this.#left = length;
    if (end) this.ended = true;
    this.#end();
  }

  /** False, with nothing written, when the head cannot be put as a request line and a Host field. */
  requestHead(head: RequestHead, end: boolean): boolean {
    const { method, path, authority, fields } = head;
    if (!isToken(method) || path === "") return false;
    if (authority !== "" && parseAuthority(authority) === null) return false;
    this.#survey(fields.lines);
    let length = -1;
    if (this.#contentLength !== null) length = parseLength(this.#contentLength);
    const given = length;
    // RFC 9110 8.6: a method that usually has a body says so when it has none.
    if (end) length = length >= 0 || expectsBody(method) ? 0 : -1;
    const pass = length >= 0 && length === given;
    if (length >= 0) this.#framing = LENGTH;
    else this.#framing = end ? NONE : CHUNKED;
    open(this.#size + method.length + authority.length + targetSize(path));
    putText(method);
    putText(" ");
    putTarget(path);
    putText(" HTTP/1.1\r\n");
    putField("host", authority);
    this.#putFields(fields, pass);
    if (length >= 0 && !pass) putText(`content-length: ${length}\r\n`);
    else if (this.#framing === CHUNKED) putText("transfer-encoding: chunked\r\n");
    if (this.#unclean && fields.has("te")) putText("te: trailers\r\nconnection: te\r\n");
    putBytes(CRLF);
    this.begun = true;
    this.#left = length;
    if (end) this.ended = true;
    this.#end();
    return true;
  }

  /** A request for a tunnel; `target` is its request target, `extra` are whole field lines. False as for {@link requestHead}. */
  tunnelHead(head: RequestHead, target: string, extra: string): boolean {
    const { method, authority, fields } = head;
    if (!isToken(method) || target === "" || parseAuthority(authority) === null) return false;
    this.#survey(fields.lines);
    open(this.#size + method.length + authority.length + targetSize(target) + extra.length);
    putText(method);
    putText(" ");
    putTarget(target);
    putText(" HTTP/1.1\r\n");
    putField("host", authority);
    this.#putFields(fields, false);
    this.#endTunnelHead(extra);
    return true;
  }

  /** The response that turns the connection into a tunnel. */
  switchHead(head: ResponseHead, extra: string): void {
    this.#survey(head.fields.lines);
    open(this.#size + extra.length);
    putText(statusLine(head.status));
    this.#putFields(head.fields, false);
    this.#endTunnelHead(extra);
  }

  #endTunnelHead(extra: string): void {
    putText(extra);
    putBytes(CRLF);
    this.begun = this.ended = true;
    this.#framing = NONE;
    this.#end();
  }

  /** False, with nothing written, when the data does not fit what the head promised. */
  data(bytes: Uint8Array, end: boolean): boolean {
    if (end) this.ended = true;
    switch (this.#framing) {
      case NONE: // an answer to HEAD: the body is for nobody
        return true;
      case LENGTH:
        if (bytes.length > this.#left || (end && bytes.length !== this.#left)) return false;
        this.#left -= bytes.length;
        if (bytes.length > 0) this.#send(bytes);
        return true;
      case UNTIL_CLOSE:
        if (bytes.length > 0) this.#send(bytes);
        return true;
      case CHUNKED:
        if (bytes.length > 0) this.#chunk(bytes, end);
        else if (end) this.#send(LAST_CHUNK);
        return true;
    }
  }

  /** Ends the message; trailers that the framing has no place for are dropped. False as for {@link data}. */
  trailers(fields: Fields): boolean {
    if (this.#framing !== CHUNKED) return this.data(EMPTY, true);
    this.ended = true;
    this.#survey(fields.lines);
    open(this.#size);
    putText("0\r\n");
    this.#putFields(fields, false);
    putBytes(CRLF);
    this.#end();
    return true;
  }

  #chunk(bytes: Uint8Array, end: boolean): void {
    const { length } = bytes;
    const tail = end ? DATA_AND_LAST_CHUNK : CRLF;
    if (length <= SMALL_CHUNK) {
      open(length + CHUNK_EXTRA);
      putText(length.toString(16));
      putBytes(CRLF);
      putBytes(bytes);
      putBytes(tail);
      return this.#end();
    }
    open(CHUNK_EXTRA);
    putText(length.toString(16));
    putBytes(CRLF);
    this.#end();
    this.#send(bytes);
    this.#send(tail);
  }

  /** Sends the piece that was put together. */
  #end(): void {
    this.full = !sendOn(this.#wire);
  }

  #send(bytes: Uint8Array): void {
    this.full = !this.#wire.write(bytes);
  }

  /** One pass over the names: how large the head can get, and whether a field needs care. */
  #survey(lines: readonly string[]): void {
    let size = HEAD_EXTRA;
    this.#contentLength = null;
    this.#hasDate = this.#unclean = false;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!, value = lines[i + 1]!;
      size += name.length + value.length + LINE_EXTRA;
      switch (name.length) {
        case 2:
        case 7:
        case 10:
        case 16:
        case 17:
          if (isOurs(name)) this.#unclean = true;
          break;
        case 4:
          if (name === "date") this.#hasDate = true;
          else if (name === "host") this.#unclean = true;
          break;
        case 14:
          if (name !== "content-length") break;
          // Two cannot be passed on, and which of them is true nobody knows: frame anew.
          this.#contentLength = this.#contentLength === null ? value : "";
      }
    }
    this.#size = size;
  }

  /** All lines but ours; `passLength`: a content-length among them is the one this message has. */
  #putFields(fields: Fields, passLength: boolean): void {
    if (fields instanceof RawFields && fields.raw !== null) {
      return putRawFields(fields, fields.raw, passLength, this.#unclean);
    }
    const { lines } = fields;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!;
      if (!isSkipped(name, passLength, this.#unclean)) putField(name, lines[i + 1]!);
    }
  }
}

const EMPTY = new Uint8Array(0);

/** Lines that no filter touched are copied as they came, neighbours in one go. */
function putRawFields(fields: RawFields, raw: Uint8Array, pass: boolean, unclean: boolean): void {
  const { lines, given, spans } = fields;
  fields.raw = null;
  let next = 0; // the given line expected next
  let from = 0, to = 0; // the run to copy
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!, value = lines[i + 1]!;
    if (isSkipped(name, pass, unclean)) continue;
    let k = next;
    while (k < given.length && (given[k + 1] !== value || given[k] !== name)) k += 2;
    const same = k < given.length;
    if (same) next = k + 2;
    if (same && spans[k] === to) {
      to = spans[k + 1]!;
      continue;
    }
    if (to > from) putRange(raw, from, to);
    from = to = 0;
    if (same && spans[k] !== NOT_PLAIN) {
      from = spans[k]!;
      to = spans[k + 1]!;
    } else putField(name, value);
  }
  if (to > from) putRange(raw, from, to);
}

/** Framing is ours to write, whatever a filter may have put into the fields. */
function isSkipped(name: string, passLength: boolean, unclean: boolean): boolean {
  if (name.length === 14 && name === "content-length") return !passLength;
  return unclean && isOurs(name);
}

function expectsBody(method: string): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}
