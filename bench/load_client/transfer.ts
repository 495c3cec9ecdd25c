/** One long transfer: `deno run -A transfer.ts PORT HOST up|down BYTES` prints the seconds it took as JSON. */
import { read, readHead, writeAll } from "./raw_http.ts";

const CHUNK_BYTES = 256 * 1024;

export async function transfer(
  port: number,
  host: string,
  direction: "up" | "down",
  bytes: number,
): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const startedMs = performance.now();
  const method = direction === "down" ? "GET" : "POST";
  const length = direction === "down" ? "" : `Content-Length: ${bytes}\r\n`;
  const request = `${method} / HTTP/1.1\r\nHost: ${host}\r\n${length}\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  if (direction === "up") {
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let left = bytes; left > 0; left -= chunk.length) {
      await writeAll(connection, chunk.subarray(0, Math.min(left, chunk.length)));
    }
  }
  const { head, rest } = await readHead(connection);
  if (!head.startsWith("HTTP/1.1 200 ")) throw new Error(`Not transferred: ${head}`);
  if (direction === "down") {
    const got = rest.length + await read(connection, bytes - rest.length);
    if (got !== bytes) throw new Error(`${got} of ${bytes} bytes came`);
  }
  return (performance.now() - startedMs) / 1000;
}

if (import.meta.main) {
  const [port, host, direction, bytes] = Deno.args as [string, string, "up" | "down", string];
  const seconds = await transfer(Number(port), host, direction, Number(bytes));
  console.log(JSON.stringify({ seconds }));
}
