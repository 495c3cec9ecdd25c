import assert from "node:assert/strict";
import { mayTrail } from "./trailers.ts";

Deno.test("mayTrail passes what may be known late, and what nobody has defined", () => {
  const passed = ["grpc-status", "grpc-message", "server-timing", "content-digest", "etag", "x-t"];
  for (const name of [...passed, "authentication-info", "x-amz-checksum-crc32", "x_t"]) {
    assert.equal(mayTrail(name), true, name);
  }
});

Deno.test("mayTrail refuses what RFC 9110 6.5.1 wants before the content, however it is spelt", () => {
  const framing = ["transfer-encoding", "content-length", "content-type", "trailer"];
  const ours = ["x-denim-peer", "x-forwarded-for", "forwarded", "via", "x-request-id"];
  const others = ["host", "authorization", "set-cookie", "te", "range", "if-match", "connection"];
  for (const name of [...framing, ...ours, ...others]) {
    assert.equal(mayTrail(name), false, name);
    assert.equal(mayTrail(name.replaceAll("-", "_")), false, `${name} with _`);
  }
});
