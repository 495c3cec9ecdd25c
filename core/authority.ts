/** `host[:port]` as RFC 9110 4.2.1 and RFC 3986 3.2.2 write it, in the narrow form that all parsers read alike. */
import { charCode } from "./chars.ts";

const COLON = 0x3a, DOT = 0x2e;
/** The lower-case form of a byte of a host name; 0 for any other. Escapes and sub-delimiters are refused: no host needs them. */
const HOST = new Uint8Array(128);
for (const c of "0123456789abcdefghijklmnopqrstuvwxyz-._~") HOST[c.charCodeAt(0)] = c.charCodeAt(0);
for (let upper = 0x41; upper <= 0x5a; upper++) HOST[upper] = upper + 32;

const MAX_LENGTH = 255 + 6; // a DNS name and a port

/**
 * The authority in lower case; null when it is malformed. Refused beside what the RFC refuses: an
 * empty port, escapes, user information, commas.
 */
export function parseAuthority(text: string): string | null {
  if (text === lastGiven) return lastParsed; // one client connection names the same host over and over
  const parsed = parse(text);
  lastGiven = text;
  lastParsed = parsed;
  return parsed;
}
let lastGiven = "";
let lastParsed: string | null = null;

function parse(text: string): string | null {
  const { length } = text;
  if (length === 0 || length > MAX_LENGTH) return null;
  let at = 0;
  let upper = false;
  if (charCode(text, 0) === 0x5b) {
    at = ipv6End(text);
    if (at < 0) return null;
    upper = true;
  } else {
    for (; at < length; at++) {
      const code = charCode(text, at);
      if (code === COLON) break;
      const lower = code < 128 ? HOST[code]! : 0;
      if (lower === 0) return null;
      if (lower !== code) upper = true;
    }
    if (at === 0) return null;
  }
  if (at < length && !isPort(text, at)) return null;
  return upper ? text.toLowerCase() : text;
}

/** The offset after `[…]`; -1 when what is inside is not hexadecimal groups, colons and dots. */
function ipv6End(text: string): number {
  const close = text.indexOf("]");
  let colons = 0;
  for (let i = 1; i < close; i++) {
    const code = charCode(text, i);
    if (code === COLON) colons++;
    else if (code !== DOT && !isHex(code)) return -1;
  }
  return close > 2 && colons >= 2 ? close + 1 : -1;
}

function isHex(code: number): boolean {
  const letter = code | 0x20;
  return (code >= 0x30 && code <= 0x39) || (letter >= 0x61 && letter <= 0x66);
}

function isPort(text: string, colon: number): boolean {
  const digits = text.length - colon - 1;
  if (charCode(text, colon) !== COLON || digits < 1 || digits > 5) return false;
  let port = 0;
  for (let i = colon + 1; i < text.length; i++) {
    const digit = charCode(text, i) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
  }
  return port <= 65535;
}

/** Where the host of a parsed authority ends: at the colon before its port, or at its end. */
export function hostEnd(authority: string): number {
  const colon = authority.lastIndexOf(":");
  return colon > authority.lastIndexOf("]") ? colon : authority.length;
}

/** The host of a parsed authority; a trailing dot only says that the name is complete (RFC 1034 3.1). */
export function hostOf(authority: string): string {
  const end = hostEnd(authority);
  return authority.slice(0, charCode(authority, end - 1) === DOT ? end - 1 : end);
}

/** Whether two parsed authorities name the same host and port under `scheme`. */
export function sameAuthority(a: string, b: string, scheme: string): boolean {
  return a === b || withoutDefaultPort(a, scheme) === withoutDefaultPort(b, scheme);
}

function withoutDefaultPort(authority: string, scheme: string): string {
  const port = scheme === "https" ? ":443" : ":80";
  return authority.endsWith(port) ? authority.slice(0, -port.length) : authority;
}
