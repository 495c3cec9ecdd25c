/**
 * Builds heads as bytes in the shared slab. What is written can only be well-formed: names that are no
 * tokens are left out, control characters in values become spaces, so no filter can forge a line.
 *
 * Writing chars into bytes costs 0.4 µs for a usual head, checks included; joining a string and
 * encoding it later costs 0.5 to 1.4 µs without any check.
 */
import { charCode } from "../../core/chars.ts";
import type { Wire } from "../../core/stream.ts";
import { reserve, slab } from "../slab.ts";
import { COLON, CR, LF, LOWER, PATH, QUERY, QUESTION, SP, VALUE } from "./chars.ts";

const UNKNOWN = 0x3f; // "?" in place of a char that is not latin-1

/** The byte written for a char of a value: itself, or a space (RFC 9110 5.5). */
const SAFE = new Uint8Array(256);
for (let code = 0; code < 256; code++) SAFE[code] = VALUE[code] === 0 ? SP : code;

let begin = 0;

/** Begins a piece of at most `size` bytes. */
export function open(size: number): void {
  begin = reserve(size);
}

/** Ends the piece and gives it to the wire. */
export function sendOn(wire: Wire): boolean {
  return wire.wrote(begin, slab.at);
}

/** Text of our own making: visible ASCII and line ends. */
export function putText(text: string): void {
  const { bytes } = slab;
  let to = slab.at;
  for (let i = 0; i < text.length; i++) bytes[to++] = charCode(text, i);
  slab.at = to;
}

export function putBytes(bytes: Uint8Array): void {
  slab.bytes.set(bytes, slab.at);
  slab.at += bytes.length;
}

/** Below this a loop is as fast as a view and a copy, and leaves no view behind. */
const SHORT = 40;

/** The bytes `[from, to)` of `bytes`. */
export function putRange(bytes: Uint8Array, from: number, to: number): void {
  if (to - from > SHORT) return putBytes(bytes.subarray(from, to));
  const out = slab.bytes;
  let at = slab.at;
  for (let i = from; i < to; i++) out[at++] = bytes[i]!;
  slab.at = at;
}

/** One field line; left out when the name is not a token, or one of {@link isOurs} in disguise. */
export function putField(name: string, value: string): void {
  const { bytes } = slab;
  let to = slab.at;
  const nameLength = name.length;
  let upper = 0;
  for (let i = 0; i < nameLength; i++) {
    const code = charCode(name, i);
    const lower = code < 256 ? LOWER[code]! : 0;
    if (lower === 0) return;
    upper |= lower ^ code;
    bytes[to++] = lower;
  }
  // Fields hold lower-case names, by which the writer finds its own; a stray other form must not pass by it.
  if (nameLength === 0 || (upper !== 0 && isOurs(name.toLowerCase()))) return;
  bytes[to++] = COLON;
  bytes[to++] = SP;
  const { length } = value;
  for (let i = 0; i < length; i++) {
    const code = charCode(value, i);
    bytes[to++] = code < 256 ? SAFE[code]! : UNKNOWN;
  }
  bytes[to++] = CR;
  bytes[to++] = LF;
  slab.at = to;
}

/** Fields that the writer alone writes: a message has one framing and one host, whatever a filter put in. */
export function isOurs(name: string): boolean {
  return name === "content-length" || name === "host" || name === "connection" ||
    name === "transfer-encoding" || name === "keep-alive" || name === "upgrade" ||
    name === "proxy-connection" || name === "te";
}

/** Bytes a target can take at most. */
export function targetSize(path: string): number {
  return path.length * 9; // a char above latin-1 is three bytes, each escaped as three
}

/** A request target; what may not stand in one is escaped, so that it stays one target. */
export function putTarget(path: string): void {
  let table = PATH;
  for (let i = 0; i < path.length; i++) {
    const code = charCode(path, i);
    if (code < 256 && table[code] !== 0) slab.bytes[slab.at++] = code;
    else if (code === QUESTION) {
      table = QUERY;
      slab.bytes[slab.at++] = code;
    } else putEscaped(code);
  }
}

function putEscaped(code: number): void {
  if (code < 0x80) return putEscapedByte(code);
  if (code < 0x800) putEscapedByte(0xc0 | (code >> 6));
  else {
    putEscapedByte(0xe0 | (code >> 12));
    putEscapedByte(0x80 | ((code >> 6) & 0x3f));
  }
  putEscapedByte(0x80 | (code & 0x3f));
}

function putEscapedByte(byte: number): void {
  putText(`%${(byte < 16 ? "0" : "") + byte.toString(16).toUpperCase()}`);
}
