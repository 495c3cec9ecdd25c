/** Text comparison: what stays, goes and comes, with its surroundings. */
import assert from "node:assert/strict";
import { diffLines, MAX_DIFF_LINES } from "./text_diff.ts";

Deno.test("diffLines shows a changed line and what stands around it", () => {
  const before = "a\nb\nc\nd\ne\nf\ng\nh\n", after = before.replace("d", "D");
  assert.deepEqual(diffLines(before, after, 1), [" …", " c", "-d", "+D", " e", " …"]);
});

Deno.test("diffLines finds the lines both have in order", () => {
  assert.deepEqual(diffLines("a\nx\nb\nc\n", "a\nb\ny\nc\nz\n", 9), [
    " a",
    "-x",
    " b",
    "+y",
    " c",
    "+z",
  ]);
});

Deno.test("diffLines of nothing and something is all of it", () => {
  assert.deepEqual(diffLines("", "a\nb\n"), ["+a", "+b"]);
  assert.deepEqual(diffLines("a\nb\n", ""), ["-a", "-b"]);
  assert.ok(diffLines("same\n", "same\n").every((line) => !/^[-+]/.test(line)));
});

Deno.test("diffLines does not compare what is too long", () => {
  const long = "x\n".repeat(MAX_DIFF_LINES + 1);
  assert.equal(
    diffLines(long, "x\n").filter((line) => line.startsWith("-")).length,
    MAX_DIFF_LINES + 1,
  );
});
