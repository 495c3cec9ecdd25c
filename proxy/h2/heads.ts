/** Header lists into heads and back (RFC 9113 section 8): all the rules about names, in one place. */
import { charCode } from "../../core/chars.ts";
import { parseAuthority, sameAuthority } from "../../core/authority.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { mayTrail } from "../../core/trailers.ts";

/** Connection-specific fields have no place in HTTP/2 (RFC 9113 8.2.2). */
const FORBIDDEN = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];
/** What means something between two neighbours only, here as in HTTP/1.1: never passed on. */
const BETWEEN_NEIGHBOURS = [
  "http2-settings",
  "proxy", // CGI programs read it as the HTTP_PROXY variable (CVE-2016-5385)
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
];
/** Names that are not simply passed on: true for those that make a message malformed. */
const SPECIAL: ReadonlyMap<string, boolean> = new Map([
  ...FORBIDDEN.map((name): [string, boolean] => [name, true]),
  ...BETWEEN_NEIGHBOURS.map((name): [string, boolean] => [name, false]),
]);
const NAME = charTable("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
const METHOD = charTable(
  "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
);

/** A request head from a decoded list, or null when it is malformed (RFC 9113 8.1.1: a stream error). */
export function requestHead(lines: readonly string[]): RequestHead | null {
  let method = "",
    scheme = "",
    path = "",
    protocol = "",
    authority: string | null = null,
    host: string | null = null;
  let cookie = -1;
  const fields: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!, value = lines[i + 1]!;
    if (charCode(name, 0) === 0x3a) {
      // 8.3: pseudo-header fields come first, and each at most once.
      if (fields.length > 0 || host !== null) return null;
      if (name === ":method" && method === "") method = value;
      else if (name === ":scheme" && scheme === "") scheme = value;
      else if (name === ":path" && path === "") path = value;
      else if (name === ":protocol" && protocol === "") protocol = value;
      else if (name === ":authority" && authority === null) authority = value;
      else return null;
      if (value === "" && name !== ":authority") return null;
      continue;
    }
    if (!isFieldName(name) || !isFieldValue(value)) return null;
    const special = SPECIAL.get(name);
    if (special !== undefined) {
      if (special) return null;
      continue;
    }
    if (name === "te" && value !== "trailers") return null;
    if (name === "host") {
      if (host !== null) return null;
      host = value;
    } else if (name === "cookie" && cookie >= 0) {
      // 8.2.3: crumbs are one field to everyone else; an empty one would leave a blank at its end.
      if (value !== "") {
        fields[cookie] = fields[cookie] === "" ? value : `${fields[cookie]}; ${value}`;
      }
    } else {
      if (name === "cookie") cookie = fields.length + 1;
      fields.push(name, value);
    }
  }
  const where = parseAuthority(authority ?? host ?? "");
  if (where === null) return null;
  // 8.3.1: two names for one host may not differ.
  if (authority !== null && host !== null) {
    const other = parseAuthority(host);
    if (other === null || !sameAuthority(where, other, scheme)) return null;
  }
  if (method === "CONNECT") {
    return tunnelHead({ protocol, scheme, path, authority: where, fields: new Fields(fields) });
  }
  if (protocol !== "") return null; // RFC 8441 4
  if (!isMethod(method) || !isScheme(scheme)) return null;
  if (!isPath(path) && !(path === "*" && method === "OPTIONS")) return null;
  return { method, scheme, authority: where, path, fields: new Fields(fields), version: "2" };
}

/** A CONNECT (RFC 9113 8.5), or an extended one for a WebSocket (RFC 8441 4); null when malformed. */
function tunnelHead(
  given: Omit<RequestHead, "method" | "upgrade"> & { protocol: string },
): RequestHead | null {
  const { protocol, scheme, path, authority, fields } = given;
  if (fields.has("content-length")) return null;
  if (protocol === "") {
    if (scheme !== "" || path !== "" || !/:[0-9]{1,5}$/.test(authority)) return null;
    const head = { method: "CONNECT", scheme: "http", authority, path: "/", fields } as const;
    return { ...head, version: "2", upgrade: "connect" };
  }
  if (protocol !== "websocket" || !isScheme(scheme) || !isPath(path)) return null;
  return { method: "GET", scheme, authority, path, fields, version: "2", upgrade: "websocket" };
}

/** A response head, status 100–999 and not 101 (RFC 9113 8.6), or null when it is malformed. */
export function responseHead(lines: readonly string[]): ResponseHead | null {
  if (lines[0] !== ":status" || !/^[1-9][0-9][0-9]$/.test(lines[1]!)) return null;
  const fields: string[] = [];
  for (let i = 2; i < lines.length; i += 2) {
    const name = lines[i]!, value = lines[i + 1]!;
    if (!isFieldName(name) || !isFieldValue(value)) return null;
    const special = SPECIAL.get(name);
    if (special === undefined) fields.push(name, value);
    else if (special) return null;
  }
  const status = Number(lines[1]);
  return status === 101 ? null : { status, fields: new Fields(fields), version: "2" };
}

/** Trailer fields without those that have no business there; null when malformed. */
export function trailerFields(lines: readonly string[]): Fields | null {
  const fields: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!, value = lines[i + 1]!;
    if (!isFieldName(name) || !isFieldValue(value)) return null; // 8.1: no pseudo-header fields either
    if (mayTrail(name)) fields.push(name, value);
  }
  return new Fields(fields);
}

/** The declared length; −1 none, −2 malformed or contradictory (RFC 9110 8.6). */
export function contentLength(fields: Fields): number {
  const { lines } = fields;
  let length = -1;
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i] !== "content-length") continue;
    const value = lines[i + 1]!;
    if (length >= 0 || !/^[0-9]{1,15}$/.test(value)) return -2;
    length = Number(value);
  }
  return length;
}

/**
 * What the DATA frames after a head must come to; −1: nothing is declared, −2: the head is malformed.
 * A message that cannot have a body may declare the length it would have (RFC 9110 8.6), and sends 0.
 */
export function expectBody(fields: Fields, end: boolean, bodiless: boolean): number {
  const length = contentLength(fields);
  if (length === -2) return -2;
  if (bodiless) return 0;
  return end && length > 0 ? -2 : length;
}

function isFieldName(name: string): boolean {
  return name.length > 0 && allIn(name, NAME);
}

/** RFC 9113 8.2.1: no NUL, CR or LF, and no white space at either end. Other controls are refused too. */
function isFieldValue(value: string): boolean {
  const { length } = value;
  for (let i = 0; i < length; i++) {
    const c = charCode(value, i);
    if (c < 0x20 ? c !== 0x09 : c === 0x7f) return false;
  }
  return length === 0 || (!isBlank(charCode(value, 0)) && !isBlank(charCode(value, length - 1)));
}

function isBlank(c: number): boolean {
  return c === 0x20 || c === 0x09;
}

/** PRI is nobody's method: it begins the preface (11.6), and servers of HTTP/1.1 take it for that. */
function isMethod(method: string): boolean {
  return method.length > 0 && method.length <= 32 && method !== "PRI" && allIn(method, METHOD);
}

function isScheme(scheme: string): boolean {
  return scheme === "http" || scheme === "https";
}

/** Origin form: begins with a slash, printable ASCII, no fragment. */
function isPath(path: string): boolean {
  if (charCode(path, 0) !== 0x2f) return false;
  for (let i = 0; i < path.length; i++) {
    const c = charCode(path, i);
    if (c <= 0x20 || c >= 0x7f || c === 0x23) return false;
  }
  return true;
}

function allIn(text: string, table: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = charCode(text, i);
    if (c > 127 || table[c] === 0) return false;
  }
  return true;
}

function charTable(chars: string): Uint8Array {
  const table = new Uint8Array(128);
  for (let i = 0; i < chars.length; i++) table[charCode(chars, i)] = 1;
  return table;
}
