/** UTF-8 for engines without TextEncoder: by the host once there is one, in JavaScript before. */
import { utf8Decode, utf8Encode } from "denim:filter/host@0.1.0";

/** While a filter is being built its top level already runs, and no host answers. */
let running = false;

/** A host answers from now on. */
export function hostReady(): void {
  running = true;
}

export function encodeUtf8(text: string): Uint8Array {
  return running ? utf8Encode(text) : encodeHere(text);
}

export function decodeUtf8(bytes: Uint8Array): string {
  return running ? utf8Decode(bytes) : decodeHere(bytes);
}

export function encodeHere(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  let at = 0;
  for (const char of text) {
    let code = char.codePointAt(0)!;
    if (code < 0x80) {
      bytes[at++] = code;
      continue;
    }
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd; // half of a pair
    if (code < 0x800) bytes[at++] = 0xc0 | code >> 6;
    else {
      if (code < 0x10000) bytes[at++] = 0xe0 | code >> 12;
      else {
        bytes[at++] = 0xf0 | code >> 18;
        bytes[at++] = 0x80 | code >> 12 & 63;
      }
      bytes[at++] = 0x80 | code >> 6 & 63;
    }
    bytes[at++] = 0x80 | code & 63;
  }
  return bytes.slice(0, at);
}

export function decodeHere(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length;) {
    const [code, length] = codePointAt(bytes, i);
    text += String.fromCodePoint(code);
    i += length;
  }
  return text;
}

/** The code point of the sequence at `i` and its length; U+FFFD and 1 when it is none. */
function codePointAt(bytes: Uint8Array, i: number): [number, number] {
  const first = bytes[i]!;
  if (first < 0x80) return [first, 1];
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || first >= 0xf5 || i + length > bytes.length) return [0xfffd, 1];
  let code = first & (0xff >> (length + 1));
  for (let k = 1; k < length; k++) {
    const next = bytes[i + k]!;
    if ((next & 0xc0) !== 0x80) return [0xfffd, 1];
    code = code << 6 | next & 63;
  }
  const least = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return [0xfffd, 1];
  return [code, length];
}
