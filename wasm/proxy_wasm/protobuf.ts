/** Just enough of protobuf's wire format for arguments that hosts of Proxy-Wasm take in it. */

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;

/** The length-delimited fields of a message by number, the last of each; null: malformed. */
export function readFields(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | null {
  const found = new Map<number, Uint8Array>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length && shift < 35; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return -1;
  };
  while (at < bytes.length) {
    const key = varint();
    if (key < 8) return null; // malformed, or field 0, which there is not
    const kind = key & 7;
    if (kind === BYTES) {
      const length = varint();
      if (length < 0 || at + length > bytes.length) return null;
      found.set(Math.floor(key / 8), bytes.subarray(at, at + length));
      at += length;
    } else if (kind === VARINT) {
      while (at < bytes.length && bytes[at]! >= 0x80) at++;
      at++;
    } else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else return null;
    if (at > bytes.length) return null;
  }
  return found;
}
