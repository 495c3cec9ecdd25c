/** Bytes that come in parts. */

import { concat } from "../core/bytes.ts";

/** All of a stream; null as soon as it has more than `limit` bytes, and the rest is not read. */
export async function collect(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of stream) {
    bytes += part.length;
    if (bytes > limit) return null;
    parts.push(part);
  }
  return concat(parts);
}
