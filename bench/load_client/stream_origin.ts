/**
 * Source and sink of long bodies: `deno run -A stream_origin.ts PORT BYTES` answers GET with so many bytes,
 * and reads the body of anything else to its end before it answers. One request per connection.
 */
import { read, readHead, writeAll } from "./raw_http.ts";

const CHUNK_BYTES = 256 * 1024;

async function serve(connection: Deno.TcpConn, bytes: number): Promise<void> {
  using _closing = connection;
  const { head, rest } = await readHead(connection);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  if (head.startsWith("GET ")) {
    await writeAll(connection, text(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`));
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let left = bytes; left > 0; left -= chunk.length) {
      await writeAll(connection, chunk.subarray(0, Math.min(left, chunk.length)));
    }
  } else {
    await read(connection, length - rest.length);
    await writeAll(connection, text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  }
  // The other side closes first: what it has not read yet must not be lost.
  await connection.closeWrite();
  await read(connection, Infinity);
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

if (import.meta.main) {
  const [port, bytes] = Deno.args.map(Number) as [number, number];
  for await (const connection of Deno.listen({ hostname: "127.0.0.1", port })) {
    serve(connection, bytes).catch(() => {});
  }
}
