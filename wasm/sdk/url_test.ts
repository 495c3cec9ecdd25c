import assert from "node:assert/strict";
import { FilterUrl, FilterUrlSearchParams } from "./url.ts";

/** What the platform's own URL says is the expectation. */
const SAME = [
  ["http://example.com"],
  ["HTTPS://Example.COM:443/a/../b/./c?x=1#h"],
  ["http://user:pw@h:8080/p?"],
  ["http://[::1]:80/"],
  ["/rooted", "http://h/a/b?q"],
  ["beside", "http://h/a/b?q#f"],
  ["../up", "http://h/a/b/c"],
  ["?q=2", "http://h/a/b"],
  ["#f", "http://h/a?b"],
  ["//other/x", "https://h/"],
] as const;

Deno.test("FilterUrl has the parts the platform's URL has", () => {
  for (const [text, base] of SAME) {
    const own = new FilterUrl(text, base), web = new URL(text, base);
    for (
      const part of [
        "protocol",
        "host",
        "hostname",
        "port",
        "origin",
        "pathname",
        "search",
        "hash",
      ] as const
    ) {
      assert.equal(own[part], web[part], `${part} of ${text}`);
    }
  }
});

Deno.test("FilterUrl refuses what is no http URL", () => {
  for (const text of ["", "relative", "http://", "ftp://h/", "http://h:port/"]) {
    assert.throws(() => new FilterUrl(text), TypeError, text);
  }
  assert.equal(FilterUrl.canParse("http://h/"), true);
  assert.equal(FilterUrl.canParse("nothing"), false);
});

Deno.test("FilterUrl changes with its search parameters", () => {
  const url = new FilterUrl("http://h/p?a=1&b=2&a=3");
  assert.deepEqual(url.searchParams.getAll("a"), ["1", "3"]);
  url.searchParams.set("a", "x y");
  url.searchParams.append("c", "ü&");
  assert.equal(url.href, "http://h/p?a=x+y&b=2&c=%C3%BC%26");
  url.search = "";
  assert.equal(url.searchParams.get("a"), null);
  assert.equal(String(url), "http://h/p");
});

Deno.test("FilterUrlSearchParams reads pairs, records and text", () => {
  assert.equal(new FilterUrlSearchParams({ a: "1" }).get("a"), "1");
  assert.equal(new FilterUrlSearchParams([["a", "1"], ["a", "2"]]).toString(), "a=1&a=2");
  assert.equal(new FilterUrlSearchParams("?a=%zz&b").get("a"), "%zz");
  assert.equal(new FilterUrlSearchParams("a&b").get("b"), "");
});
