/** JSON objects of strangers: UTF-8 without faults, bounded depth, no member twice at any depth. */
import { JWT_LIMITS } from "./limits.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

// A byte order mark is no white space of JSON, so it must not be swallowed.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The object these bytes are the text of; null when they are not one, or one that readers could differ about. */
export function parseObject(bytes: Uint8Array): JsonObject | null {
  try {
    const text = decoder.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
    return isPlain(text) ? value as JsonObject : null;
  } catch {
    return null; // not UTF-8, or not JSON
  }
}

/**
 * Whether valid JSON is free of repeated members (RFC 7515 4, RFC 7519 4: names must be unique; parsers
 * take the first or the last, which is how a signed token says two things) and not nested too deeply.
 */
function isPlain(text: string): boolean {
  const open: (Set<string> | null)[] = []; // the member names of each open object; null for an array
  let named = false; // the next string is a member's name
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        open.push(new Set());
        named = true;
        break;
      case 0x5b: // [
        open.push(null);
        named = false;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        named = false;
        break;
      case 0x2c: // ,
        named = open[open.length - 1] !== null;
        break;
      case 0x22: { // "
        const end = endOfString(text, i);
        if (named) {
          const names = open[open.length - 1]!;
          const name: string = JSON.parse(text.slice(i, end + 1));
          if (names.has(name)) return false;
          names.add(name);
          named = false;
        }
        i = end;
      }
    }
    if (open.length > JWT_LIMITS.depth) return false;
  }
  return true;
}

/** Where the string that begins at `from` has its closing quote. */
function endOfString(text: string, from: number): number {
  let i = from + 1;
  while (text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1;
  return i;
}
