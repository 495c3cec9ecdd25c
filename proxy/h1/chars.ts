/** Byte classes of RFC 9110 and RFC 9112 as tables of 256: one load decides about one byte. */
import { charCode } from "../../core/chars.ts";

export const HTAB = 0x09, LF = 0x0a, CR = 0x0d, SP = 0x20;
export const QUOTE = 0x22, STAR = 0x2a, COMMA = 0x2c, DOT = 0x2e, SLASH = 0x2f, ZERO = 0x30;
export const NINE = 0x39, COLON = 0x3a, SEMICOLON = 0x3b, EQUALS = 0x3d, QUESTION = 0x3f;
export const BACKSLASH = 0x5c;

const TOKEN_EXTRA = "!#$%&'*+-.^_`|~";
const DIGITS = "0123456789";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** The lower-case form of a token byte; 0 for a byte no token may hold (RFC 9110 5.6.2). */
export const LOWER: Uint8Array = new Uint8Array(256);
/** 1 for a byte of a token, in any case. */
export const TOKEN: Uint8Array = new Uint8Array(256);
/** 1 for a byte of a field value: HTAB, SP, visible ASCII and obs-text (RFC 9110 5.5). */
export const VALUE: Uint8Array = new Uint8Array(256);
/**
 * 1 for a byte of a target before and after its question mark. Wider than the RFC's grammar, because
 * browsers send `|`, `{` and the like raw; narrower than theirs where parsers are known to differ: no
 * fragment, no raw byte above ASCII, and no backslash in a path, which some servers read as a slash.
 */
export const PATH: Uint8Array = new Uint8Array(256);
export const QUERY: Uint8Array = new Uint8Array(256);
/** The value of a hexadecimal digit; 255 for any other byte. */
export const HEX: Uint8Array = new Uint8Array(256).fill(255);

for (const c of DIGITS + LETTERS + TOKEN_EXTRA) {
  const code = c.charCodeAt(0);
  LOWER[code] = code;
  TOKEN[code] = 1;
}
for (const c of LETTERS) {
  const lower = c.charCodeAt(0);
  LOWER[lower - 32] = lower;
  TOKEN[lower - 32] = 1;
}
for (let code = 0x20; code <= 0xff; code++) VALUE[code] = code === 0x7f ? 0 : 1;
VALUE[HTAB] = 1;
for (let code = 0x21; code <= 0x7e; code++) {
  if (code === 0x23) continue; // "#"
  QUERY[code] = 1;
  if (code !== BACKSLASH && code !== QUESTION) PATH[code] = 1;
}
for (let i = 0; i < 10; i++) HEX[ZERO + i] = i;
for (let i = 0; i < 6; i++) HEX[0x41 + i] = HEX[0x61 + i] = 10 + i;

/** Whether a string is a token. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = charCode(text, i);
    if (code > 255 || TOKEN[code] === 0) return false;
  }
  return text.length > 0;
}
