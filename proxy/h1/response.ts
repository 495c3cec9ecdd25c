/** From the offsets of a response head to a ResponseHead and the framing of its body (RFC 9112 4 and 6). */
import type { ResponseHead } from "../../core/message.ts";
import { asResponseFault } from "./faults.ts";
import { FieldReader } from "./field_reader.ts";
import { type BodyFraming, CHUNKED, LENGTH, NONE, UNTIL_CLOSE } from "./framing.ts";
import { latin1 } from "./latin1.ts";
import { UPGRADE } from "./names.ts";
import type { HeadParser } from "./parser.ts";

/** Reads heads one after the other; what it says of the last one lies in its fields. */
export class ResponseReader extends FieldReader {
  framing: BodyFraming = NONE;
  /** The upstream would take another request on this connection. */
  keepAlive = true;
  /** The Upgrade field, when the Connection field names it too. */
  upgrade: string | null = null;
  #upgrade: string | null = null;

  /** The head the parser has found, as an answer to `method`; null when it breaks a rule, which `fault` names. */
  read(parser: HeadParser, method: string): ResponseHead | null {
    const { status } = parser;
    const old = parser.minor === 0;
    this.upgrade = this.#upgrade = null;
    const fields = this.readFields(parser, latin1(parser.bytes, parser.from, parser.to));
    const chunked = fields === null ? null : this.readFraming(old);
    if (fields === null || chunked === null) {
      this.fault = asResponseFault(this.fault);
      return null;
    }
    this.keepAlive = !old;
    if (this.connection) {
      const { close, keepAlive, named } = this.options;
      this.keepAlive = !close && (!old || keepAlive);
      if (this.options.upgrade) this.upgrade = this.#upgrade;
      if (named !== null) { for (const name of named) fields.remove(name); }
    }
    this.#frame(chunked, status, method);
    // RFC 9110 8.6: no Content-Length with these.
    const switched = method === "CONNECT" && status < 300;
    if ((status < 200 || status === 204 || switched) && this.contentLength !== null) {
      fields.remove("content-length");
    }
    return { status, fields, version: old ? "1.0" : "1.1" };
  }

  protected override special(kind: number, value: string): string | null {
    if (kind === UPGRADE) {
      this.#upgrade = this.#upgrade === null ? value : `${this.#upgrade},${value}`;
    }
    return null; // between neighbours, or of requests only
  }

  #frame(chunked: boolean, status: number, method: string): void {
    const tunnel = method === "CONNECT" && status >= 200 && status < 300; // RFC 9112 6.3 2
    const bodiless = status < 200 || status === 204 || tunnel;
    if (bodiless || status === 304 || method === "HEAD") {
      // RFC 9112 6.3 1: these end with their head, whatever their fields say. An upstream that promises
      // a body where none can be may send one: nobody should read it as the next response.
      this.framing = NONE;
      if (bodiless && (chunked || this.length > 0)) this.keepAlive = false;
    } else if (chunked) this.framing = CHUNKED;
    else if (this.contentLength !== null) this.framing = this.length === 0 ? NONE : LENGTH;
    else {
      this.framing = UNTIL_CLOSE;
      this.keepAlive = false;
    }
  }
}
