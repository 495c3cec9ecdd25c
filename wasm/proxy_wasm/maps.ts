/**
 * Header maps on the wire between host and guest:
 *
 *   count u32 · count × (name length u32, value length u32) · count × (name NUL value NUL)
 *
 * all little-endian. An empty map may also be no bytes at all, or a single zero byte.
 */
import { WASM_LIMITS } from "../limits.ts";
import { STATUS } from "./abi.ts";
import { type GuestMemory, latin1, writeLatin1 } from "./memory.ts";

/** Bytes `lines` (name, value, name, value, …) take when encoded. */
export function pairsSize(lines: readonly string[]): number {
  let size = 4 + lines.length * 4;
  for (const line of lines) size += line.length + 1;
  return size;
}

/** Encodes `lines` straight into guest memory and says where; an empty map is an empty value. */
export function givePairs(
  memory: GuestMemory,
  lines: readonly string[],
  outPointer: number,
  outSize: number,
): number {
  if (lines.length === 0) return memory.point(0, 0, outPointer, outSize);
  const size = pairsSize(lines);
  const pointer = memory.allocate(size);
  const target = pointer === 0 ? null : memory.view(pointer, size);
  if (target === null) return STATUS.invalidMemory;
  writePairs(lines, target);
  return memory.point(pointer, size, outPointer, outSize);
}

/** The encoded form as bytes of its own, for properties. */
export function encodePairs(lines: readonly string[]): Uint8Array {
  const bytes = new Uint8Array(pairsSize(lines));
  writePairs(lines, bytes);
  return bytes;
}

/** Flat lines, or null when the bytes are malformed or above a limit. */
export function decodePairs(bytes: Uint8Array): string[] | null {
  if (bytes.length === 0 || (bytes.length === 1 && bytes[0] === 0)) return [];
  if (bytes.length < 4 || bytes.length > WASM_LIMITS.pairsBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(0, true);
  if (count > WASM_LIMITS.pairs) return null;
  let at = 4 + count * 8;
  if (at > bytes.length) return null;
  const lines: string[] = [];
  for (let i = 0; i < count * 2; i++) {
    const end = at + view.getUint32(4 + i * 4, true);
    if (end >= bytes.length || bytes[end] !== 0) return null;
    lines.push(latin1(bytes.subarray(at, end)));
    at = end + 1;
  }
  return at === bytes.length ? lines : null;
}

function writePairs(lines: readonly string[], target: Uint8Array): void {
  const view = new DataView(target.buffer, target.byteOffset, target.length);
  view.setUint32(0, lines.length >> 1, true);
  let at = 4;
  for (const line of lines) {
    view.setUint32(at, line.length, true);
    at += 4;
  }
  // One native pass over all of them: names and values alternate, each ended by NUL.
  writeLatin1(lines.join("\0") + "\0", target, at);
}
