/** What becomes of header lists that HTTP/1.1 would write otherwise, or never. */
import assert from "node:assert/strict";
import { requestHead, responseHead, trailerFields } from "./heads.ts";

const GET = [":method", "GET", ":scheme", "http", ":authority", "a.test", ":path", "/"];
const fieldsOf = (...lines: string[]): string[] | undefined =>
  requestHead([...GET, ...lines])?.fields.lines;

Deno.test("Cookie crumbs become one field (RFC 9113 8.2.3), without a blank for empty ones", () => {
  assert.deepEqual(fieldsOf("cookie", "a=1", "x", "y", "cookie", "b=2"), [
    ...["cookie", "a=1; b=2"],
    ...["x", "y"],
  ]);
  assert.deepEqual(fieldsOf("cookie", "a=1", "cookie", ""), ["cookie", "a=1"]);
  assert.deepEqual(fieldsOf("cookie", "", "cookie", "b=2"), ["cookie", "b=2"]);
});

Deno.test("What is between two neighbours only is not passed on", () => {
  const between = [
    ...["proxy", "http://evil", "proxy-authorization", "Basic x", "proxy-authenticate", "Basic"],
    ...["proxy-authentication-info", "x", "http2-settings", "AAA"],
  ];
  assert.deepEqual(fieldsOf(...between, "x", "y"), ["x", "y"]);
  assert.deepEqual(responseHead([":status", "200", ...between])!.fields.lines, []);
  assert.deepEqual(trailerFields(between)!.lines, []);
});

Deno.test("Fields of a connection make a message malformed (RFC 9113 8.2.2)", () => {
  for (
    const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
  ) {
    assert.equal(fieldsOf(name, "x"), undefined, name);
    assert.equal(responseHead([":status", "200", name, "x"]), null, name);
  }
});

Deno.test("An authority is what HTTP/1.1 takes for one, and host may only repeat it", () => {
  const authorityOf = (authority: string, ...more: string[]): string | undefined =>
    requestHead(GET.with(5, authority).concat(more))?.authority;
  assert.equal(authorityOf("A.Test:80"), "a.test:80");
  assert.equal(authorityOf("[::1]:80"), "[::1]:80");
  for (const bad of ["", "a,b", "u@a", "a:", "a:99999", "a%2eb", "(a)", "[::1", "a b"]) {
    assert.equal(authorityOf(bad), undefined, bad);
  }
  assert.equal(authorityOf("a.test", "host", "A.test:80"), "a.test");
  assert.equal(authorityOf("a.test", "host", "b.test"), undefined);
  assert.equal(authorityOf("a.test", "host", ""), undefined);
});

Deno.test("PRI is no method (RFC 9113 11.6)", () => {
  assert.equal(requestHead(GET.with(1, "PRI")), null);
  assert.equal(requestHead(GET.with(1, "pri"))?.method, "pri");
});
