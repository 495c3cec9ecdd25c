import assert from "node:assert/strict";
import { ConfigReader } from "./parse.ts";
import { changePath, parsePathConfig } from "./path.ts";

function changed(target: string, config: Record<string, string>): string {
  return changePath(target, parsePathConfig(new ConfigReader("rewrite.path", config)));
}

/** The table in Gateway API's documentation of ReplacePrefixMatch. */
const PREFIX_CASES = [
  ["/foo/bar", "/foo", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo", "/xyz/", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz", "/xyz/bar"],
  ["/foo/bar", "/foo/", "/xyz/", "/xyz/bar"],
  ["/foo", "/foo", "/xyz", "/xyz"],
  ["/foo/", "/foo", "/xyz", "/xyz/"],
  ["/foo/bar", "/foo", "", "/bar"],
  ["/foo/", "/foo", "", "/"],
  ["/foo", "/foo", "", "/"],
  ["/foo/", "/foo", "/", "/"],
  ["/foo", "/foo", "/", "/"],
] as const;

for (const [target, prefix, value, wanted] of PREFIX_CASES) {
  Deno.test(`ReplacePrefixMatch of "${prefix}" by "${value}" makes ${target} ${wanted}`, () => {
    assert.equal(changed(target, { type: "ReplacePrefixMatch", value, prefix }), wanted);
  });
}

Deno.test("ReplacePrefixMatch works by segments, keeps the query and serves the root prefix", () => {
  const replace = (target: string, prefix: string, value: string) =>
    changed(target, { type: "ReplacePrefixMatch", value, prefix });
  assert.equal(replace("/foobar", "/foo", "/xyz"), "/foobar");
  assert.equal(replace("/foo/a?b=/foo", "/foo", "/xyz"), "/xyz/a?b=/foo");
  assert.equal(replace("/foo?q", "/foo", ""), "/?q");
  assert.equal(replace("/a", "", "/v1"), "/v1/a");
  assert.equal(replace("/a", "/", "/v1"), "/v1/a");
  assert.equal(replace("/", "/", "/v1"), "/v1/");
});

Deno.test("ReplaceFullPath replaces the path and keeps the query", () => {
  const replace = (target: string, value: string) =>
    changed(target, { type: "ReplaceFullPath", value });
  assert.equal(replace("/a/b?c=d", "/one"), "/one?c=d");
  assert.equal(replace("/a", "one"), "/one");
  assert.equal(replace("/a", ""), "/");
  assert.equal(replace("*", "/one"), "*");
});

Deno.test("A path configuration with a query, a space or an unknown type is refused", () => {
  const refuse = (config: Record<string, string>, message: RegExp) =>
    assert.throws(() => changed("/", config), message);
  refuse(
    { type: "ReplaceFullPath", value: "/a?b" },
    /rewrite\.path\.value: it is "\/a\?b", want a path/,
  );
  refuse({ type: "ReplaceFullPath", value: "/a b" }, /want a path/);
  refuse({ type: "ReplaceFullPath", value: "/a\r\nx: y" }, /want a path/);
  refuse({ type: "Regex", value: "/a" }, /want one of ReplaceFullPath, ReplacePrefixMatch/);
});
