/** From the offsets of a request head to a RequestHead and the framing of its body (RFC 9112 3 and 6). */
import { parseAuthority, sameAuthority } from "../../core/authority.ts";
import { FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { QUESTION, SLASH } from "./chars.ts";
import { FieldReader } from "./field_reader.ts";
import { CHUNKED, LENGTH, NONE } from "./framing.ts";
import { latin1 } from "./latin1.ts";
import { EXPECT, HOST, methodAt, TE, UPGRADE } from "./names.ts";
import type { HeadParser } from "./parser.ts";
import { handshakeFault, KEY_FIELD } from "./websocket.ts";

/** Reads heads one after the other; what it says of the last one lies in its fields. */
export class RequestReader extends FieldReader {
  readonly #scheme: "http" | "https";
  framing: typeof NONE | typeof LENGTH | typeof CHUNKED = NONE;
  /** The client speaks HTTP/1.0: no chunks, no interim responses. */
  old = false;
  /** The client would send another request on this connection. */
  keepAlive = true;
  /** What the Sec-WebSocket-Accept must be made of when the request asks for a WebSocket. */
  websocketKey = "";
  #host: string | null = null;
  #upgrade: string | null = null;
  #websocket = false;
  /** The authority of an absolute target. */
  #named = "";

  constructor(scheme: "http" | "https") {
    super();
    this.#scheme = scheme;
  }

  /** The head the parser has found; null when it breaks a rule, which `fault` names. */
  read(parser: HeadParser): RequestHead | null {
    this.old = parser.minor === 0;
    this.#host = this.#upgrade = null;
    this.#websocket = false;
    const text = latin1(parser.bytes, parser.from, parser.to);
    const fields = this.readFields(parser, text);
    if (fields === null) return null;
    const chunked = this.readFraming(this.old);
    if (chunked === null) return null;
    this.framing = chunked ? CHUNKED : this.length > 0 ? LENGTH : NONE;
    this.keepAlive = !this.old;
    if (this.connection && !this.#readConnection(fields)) return null;
    const head = this.#target(parser, text, fields);
    if (head === null || !(this.#websocket || head.method === "CONNECT")) return head;
    return this.#tunnel(head);
  }

  protected override special(kind: number, value: string): string | null {
    switch (kind) {
      case HOST:
        if (this.#host !== null) return this.refuse(FAULTS["h1.bad_host"]);
        this.#host = value;
        return null;
      case UPGRADE:
        this.#upgrade = this.#upgrade === null ? value : `${this.#upgrade},${value}`;
        return null;
      case TE:
        return hasToken(value, "trailers") ? "trailers" : null;
      case EXPECT:
        if (this.old) return null; // RFC 9110 10.1.1: ignored from an HTTP/1.0 client
        if (value === "100-continue") return value;
        if (value.toLowerCase() === "100-continue") return "100-continue";
        return this.refuse(FAULTS["h1.expectation"]);
      default:
        return null; // between neighbours only
    }
  }

  #readConnection(fields: Fields): boolean {
    const { options } = this;
    this.keepAlive = !options.close && (!this.old || options.keepAlive);
    if (options.named !== null) {
      for (const name of options.named) if (name !== "te") fields.remove(name);
    }
    // RFC 9110 7.8: from an HTTP/1.0 client the field is ignored.
    if (!options.upgrade || this.#upgrade === null || this.old) return true;
    // h2c is never passed on nor answered (h2c smuggling): the request goes on as plain HTTP/1.1.
    if (onlyH2c(this.#upgrade)) return true;
    if (this.#upgrade.toLowerCase() === "websocket") return this.#websocket = true;
    this.refuse(FAULTS["h1.upgrade_refused"]);
    return false;
  }

  #target(parser: HeadParser, text: string, fields: Fields): RequestHead | null {
    const { bytes, from, methodEnd, targetEnd } = parser;
    const method = methodAt(bytes, from, methodEnd);
    // RFC 9113 11.6: nobody's method; some servers take it for the beginning of HTTP/2.
    if (method === "PRI") return this.refuse(FAULTS["h1.bad_method"]);
    const version = this.old ? "1.0" : "1.1";
    const start = methodEnd + 1;
    let path = text.slice(start - from, targetEnd - from);
    // RFC 9112 3.2: one Host on HTTP/1.1, and a valid one; an HTTP/1.0 client may have none.
    let authority: string | null = "";
    if (this.#host !== null) authority = parseAuthority(this.#host);
    else if (!this.old) authority = null;
    if (authority === null) return this.refuse(FAULTS["h1.bad_host"]);
    if (method === "CONNECT") {
      const named = parseAuthority(path);
      if (named === null || !hasPort(named)) return this.refuse(FAULTS["h1.connect_target"]);
      if (authority !== "" && authority !== named && !named.startsWith(`${authority}:`)) {
        return this.refuse(FAULTS["h1.host_mismatch"]);
      }
      return { method, scheme: this.#scheme, authority: named, path: "/", fields, version };
    }
    if (bytes[start] !== SLASH && path !== "*") {
      const origin = this.#originForm(path, authority, method);
      if (origin === null) return null;
      path = origin;
      if (authority === "") authority = this.#named;
    }
    if (path === "*" && method !== "OPTIONS") return this.refuse(FAULTS["h1.bad_target"]);
    return { method, scheme: this.#scheme, authority, path, fields, version };
  }

  /** A request for a tunnel: what follows its head is the tunnel's, so it can have no body. */
  #tunnel(head: RequestHead): RequestHead | null {
    const { fields } = head;
    if (this.framing !== NONE) return this.refuse(FAULTS["h1.upgrade_with_body"]);
    fields.remove("content-length");
    fields.remove("expect");
    if (head.method === "CONNECT") {
      head.upgrade = "connect";
      head.here = "offered";
    } else {
      const fault = handshakeFault(head.method, fields);
      if (fault !== null) return this.refuse(fault);
      this.websocketKey = fields.get(KEY_FIELD)!;
      fields.remove(KEY_FIELD);
      head.upgrade = "websocket";
    }
    return head;
  }

  /** RFC 9112 3.2.2: the origin form of an absolute target whose authority is that of the Host field. */
  #originForm(target: string, host: string, method: string): string | null {
    const prefix = `${this.#scheme}://`;
    if (target.slice(0, prefix.length).toLowerCase() !== prefix) {
      return this.refuse(FAULTS["h1.bad_target"]);
    }
    let end = prefix.length;
    for (; end < target.length; end++) {
      const code = target.charCodeAt(end);
      if (code === SLASH || code === QUESTION) break;
    }
    const authority = parseAuthority(target.slice(prefix.length, end));
    if (authority === null) return this.refuse(FAULTS["h1.bad_target"]);
    if (host !== "" && !sameAuthority(authority, host, this.#scheme)) {
      return this.refuse(FAULTS["h1.host_mismatch"]);
    }
    this.#named = authority;
    const rest = target.slice(end);
    if (rest === "") return method === "OPTIONS" ? "*" : "/";
    return rest.charCodeAt(0) === SLASH ? rest : `/${rest}`;
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

function hasPort(authority: string): boolean {
  return authority.lastIndexOf(":") > authority.lastIndexOf("]");
}
