/** When a response is complete. */
import assert from "node:assert/strict";
import { responseSize } from "./response.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("responseSize adds head and body", () => {
  const head = "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\n\r\n";
  assert.deepEqual(responseSize(bytes(`${head}he`)), { status: 200, bytes: head.length + 5 });
});

Deno.test("responseSize waits for the end of the head, wherever it is cut", () => {
  const head = "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n";
  for (let cut = 0; cut < head.length; cut++) {
    assert.equal(responseSize(bytes(head.slice(0, cut))), null);
  }
  assert.equal(responseSize(bytes(head))?.status, 503);
});

Deno.test("responseSize refuses what has no length", () => {
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  assert.throws(() => responseSize(bytes(chunked)), /Content-Length only/);
});
