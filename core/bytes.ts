/** Bytes to latin-1 text, one char a byte: what field lines are made of. */
import { Buffer } from "node:buffer";

/** Buffer's native slice works on any Uint8Array; node's types do not know it. */
const slice = (Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, from: number, to: number): string;
}).latin1Slice;

/**
 * `bytes[from, to)` as a string. The call costs about 90 ns whatever the length, so take a whole
 * block at once and cut it with `substring`, which copies nothing.
 */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  return slice.call(bytes, from, to);
}
