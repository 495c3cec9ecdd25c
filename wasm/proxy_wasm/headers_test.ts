/** Header maps: what a filter may change in a head, what it may not, and how a change is taken back. */
import assert from "node:assert/strict";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { WASM_LIMITS } from "../limits.ts";
import { HeaderMap, replyLines, RequestHeaders, ResponseHeaders } from "./headers.ts";

const NO_UNDO = { changed: (): void => {} };

function request(lines: string[] = []): { head: RequestHead; map: RequestHeaders } {
  const head = {
    method: "GET",
    scheme: "http",
    authority: "a.test",
    path: "/x",
    fields: new Fields(lines),
  };
  return { head, map: new RequestHeaders(head, NO_UNDO) };
}

Deno.test("RequestHeaders shows pseudo headers first and counts them", () => {
  const { map } = request(["a", "1"]);
  // deno-fmt-ignore
  assert.deepEqual(map.lines(), [":authority", "a.test", ":path", "/x", ":method", "GET",
    ":scheme", "http", "a", "1"]);
  assert.equal(map.count, 5);
});

Deno.test("RequestHeaders maps host to the authority, both ways", () => {
  const { head, map } = request();
  assert.equal(map.get("host"), "a.test");
  assert.ok(map.set("host", "B.test:8080"));
  assert.equal(head.authority, "b.test:8080");
  assert.equal(head.fields.size, 0);
});

Deno.test("RequestHeaders takes a path, method and scheme only in their own form", () => {
  const { head, map } = request();
  assert.ok(map.set(":path", "/y?z=1"));
  assert.ok(map.set(":method", "POST"));
  assert.equal(head.path + head.method, "/y?z=1POST");
  for (const path of ["", "y", "/a b", "/a\r\nx: y", "http://evil/"]) {
    assert.ok(!map.set(":path", path), path);
  }
  for (const method of ["", "G ET", "CONNECT", "HEAD"]) assert.ok(!map.set(":method", method));
  assert.ok(!map.set(":authority", "a@b"));
  assert.ok(!map.set(":scheme", "ftp"));
  assert.ok(!map.set(":unknown", "1"));
  assert.equal(head.path + head.method, "/y?z=1POST");
});

Deno.test("HeaderMap refuses names and values that would forge a line", () => {
  const { map } = request();
  for (const name of ["", "a b", "a:b", "a\r\nb", "ä"]) assert.ok(!map.add(name, "1"), name);
  for (const value of ["a\r\nb: c", "\0", "a\nb", " a", "a\t", "\x7f"]) {
    assert.ok(!map.add("x", value), JSON.stringify(value));
  }
  assert.ok(map.add("x", "bytes \xe4 and\ttab"));
});

Deno.test("HeaderMap leaves framing to the codec", () => {
  const { map } = request(["content-length", "5"]);
  assert.ok(map.set("transfer-encoding", "chunked"));
  assert.ok(map.set("connection", "close"));
  assert.equal(map.fields.size, 1);
  assert.ok(map.set("content-length", "5"));
  assert.equal(map.get("content-length"), "5");
  assert.ok(map.set("content-length", "6"));
  assert.equal(map.get("content-length"), undefined);
});

Deno.test("HeaderMap keeps the proven identity out of a filter's hands", () => {
  const { map } = request(["x-denim-peer", "spiffe://a/ns/b/sa/c"]);
  assert.ok(!map.set("x-denim-peer", "spiffe://a/ns/b/sa/admin"));
  assert.ok(!map.add("x-denim-peer", "spiffe://a/ns/b/sa/admin"));
  assert.ok(!map.remove("x-denim-peer"));
  assert.ok(map.replace([":path", "/", "x-denim-peer", "spiffe://a/ns/b/sa/admin"]));
  assert.deepEqual(map.fields.lines, ["x-denim-peer", "spiffe://a/ns/b/sa/c"]);
});

Deno.test("HeaderMap.replace swaps all lines, or none when one is malformed", () => {
  const { head, map } = request(["a", "1", "b", "2"]);
  assert.ok(!map.replace(["c", "3", "bad name", "4"]));
  assert.deepEqual(head.fields.lines, ["a", "1", "b", "2"]);
  assert.ok(map.replace([":path", "/new", "C", "3", "c", "4"]));
  assert.deepEqual(head.fields.lines, ["c", "3", "c", "4"]);
  assert.equal(head.path, "/new");
});

Deno.test("HeaderMap refuses a value above its limit and more lines than its limit", () => {
  const { map } = request();
  assert.ok(!map.add("x", "v".repeat(WASM_LIMITS.headerValueBytes + 1)));
  assert.ok(map.add("x", "v".repeat(WASM_LIMITS.headerValueBytes)));
  const many = new HeaderMap(new Fields(), NO_UNDO);
  for (let i = 0; i < WASM_LIMITS.pairs; i++) assert.ok(many.add("x", "1"));
  assert.ok(!many.add("x", "1"));
});

Deno.test("HeaderMap.rollback takes back every change since the last commit", () => {
  const { head, map } = request(["a", "1"]);
  map.add("b", "2");
  map.commit();
  map.set(":path", "/changed");
  map.set("a", "9");
  map.remove("b");
  map.rollback();
  assert.deepEqual(head.fields.lines, ["a", "1", "b", "2"]);
  assert.equal(head.path, "/x");
});

Deno.test("ResponseHeaders takes a final status, but none that would lose the body", () => {
  const head = { status: 200, fields: new Fields() };
  const map = new ResponseHeaders(head, NO_UNDO);
  assert.equal(map.get(":status"), "200");
  assert.ok(map.set(":status", "418"));
  for (const status of ["101", "99", "600", "2000", "x", "204", "304"]) {
    assert.ok(!map.set(":status", status), status);
  }
  assert.equal(head.status, 418);
});

Deno.test("replyLines keeps what may stand in a reply", () => {
  assert.deepEqual(
    replyLines(["X-A", " 1 ", ":status", "200", "content-length", "3", "connection", "close"]),
    ["x-a", "1"],
  );
  assert.equal(replyLines(["x", "a\r\nb"]), null);
});
