/** A download is one whole body, or a failure. */
import assert from "node:assert/strict";
import { download } from "./downloads.ts";
import { readHead, writeAll } from "./raw_http.ts";

/** Answers one request with these bytes; resolves to the head it got. */
async function answerOnce(listener: Deno.TcpListener, answer: string): Promise<string> {
  using connection = await listener.accept();
  const { head } = await readHead(connection);
  await writeAll(connection, new TextEncoder().encode(answer));
  return head;
}

async function downloaded(answer: string): Promise<{ head: string; bytes: number }> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let bytes = 0;
  const [head] = await Promise.all([
    answerOnce(listener, answer),
    download(listener.addr.port, "origin", "/long", (count) => bytes += count),
  ]);
  return { head, bytes };
}

Deno.test("download asks for the path and tells of all bytes of the body", async () => {
  const body = "x".repeat(100_000);
  const { head, bytes } = await downloaded(
    `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  assert.equal(head, "GET /long HTTP/1.1\r\nHost: origin");
  assert.equal(bytes, body.length);
});

Deno.test("download fails when the body breaks off or the answer is no 200", async () => {
  await assert.rejects(downloaded("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), /1 of 9 bytes/);
  await assert.rejects(downloaded("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), /503/);
});
