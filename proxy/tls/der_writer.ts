/** Writes DER: the few types that signing requests and (in tests) certificates are made of. */
import { TAG } from "./der.ts";

/** One element: identifier, minimal length, contents. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  if (length < 0x80) head.push(length);
  else {
    const octets: number[] = [];
    for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
    head.push(0x80 | octets.length, ...octets);
  }
  const out = new Uint8Array(head.length + length);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.sequence, ...parts);
}

/** An INTEGER from the octets of a non-negative number, big-endian. */
export function unsigned(octets: Uint8Array): Uint8Array {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const minimal = octets.subarray(start);
  if (minimal.length === 0) return element(TAG.integer, new Uint8Array(1));
  return minimal[0]! >= 0x80
    ? element(TAG.integer, new Uint8Array(1), minimal)
    : element(TAG.integer, minimal);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [top = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [top * 40 + second, ...rest]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.unshift(0x80 | (left % 128));
    }
    octets.push(...groups);
  }
  return element(TAG.oid, Uint8Array.from(octets));
}

/** A BIT STRING of whole octets. */
export function bitString(octets: Uint8Array): Uint8Array {
  return element(TAG.bitString, new Uint8Array(1), octets);
}

export function octetString(...parts: readonly Uint8Array[]): Uint8Array {
  return element(TAG.octetString, ...parts);
}

/** A string's chars as one byte each. */
export function bytesOf(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, (char) => char.charCodeAt(0));
}
