/** Bytes of one HTTP/1.1 message over a raw connection, for bodies too long for anything cleverer. */

const BUFFER_BYTES = 256 * 1024;
const latin1 = new TextDecoder("latin1");

export interface Head {
  readonly head: string;
  /** What came after it in the same read: the beginning of the body. */
  readonly rest: Uint8Array;
}

/** Reads to the end of the head. Throws when the connection ends before. */
export async function readHead(connection: Deno.Conn): Promise<Head> {
  const bytes = new Uint8Array(16 * 1024);
  for (let length = 0; length < bytes.length;) {
    const count = await connection.read(bytes.subarray(length));
    if (count === null) throw new Error("The connection ended before the head did");
    length += count;
    const seen = latin1.decode(bytes.subarray(0, length));
    const end = seen.indexOf("\r\n\r\n");
    if (end >= 0) return { head: seen.slice(0, end), rest: bytes.subarray(end + 4, length) };
  }
  throw new Error("The head is too long");
}

/** Reads and drops up to `bytes` bytes, telling `came` of each piece; the number that came before the end. */
export async function read(
  connection: Deno.Conn,
  bytes: number,
  came?: (bytes: number) => void,
): Promise<number> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  let total = 0;
  while (total < bytes) {
    const count = await connection.read(buffer);
    if (count === null) break;
    total += count;
    came?.(count);
  }
  return total;
}

export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) {
    sent += await connection.write(bytes.subarray(sent));
  }
}
