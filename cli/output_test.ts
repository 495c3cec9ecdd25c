/** Output for people: aligned, short, and harmless to a terminal. */
import assert from "node:assert/strict";
import { megabytes, short, span, structured, table } from "./output.ts";

Deno.test("table aligns columns and pads nothing at the end of a line", () => {
  assert.equal(
    table(["NAME", "N"], [["a", "1"], ["longer", "22"]]),
    "NAME    N\na       1\nlonger  22",
  );
});

Deno.test("table lets no control character of others through", () => {
  assert.ok(!table(["A"], [["x\u001b[31m\u009bred\n"]]).includes("\u001b"));
  assert.equal(table(["A"], [["x\ny"]]).split("\n").length, 2);
});

Deno.test("structured writes one YAML document for each of several values", () => {
  assert.equal(structured("yaml", [{ a: 1 }, { b: 2 }]), "a: 1\n---\nb: 2");
  assert.equal(structured("json", { a: 1 }), '{\n  "a": 1\n}');
});

Deno.test("span, megabytes and short are short", () => {
  assert.deepEqual([span(5000), span(125_000), span(7_300_000), span(9 * 86_400_000)], [
    "5s",
    "2m",
    "2h",
    "9d",
  ]);
  assert.deepEqual([megabytes(1024 * 1024), megabytes(70 * 1024 * 1024)], ["1.0M", "70M"]);
  assert.deepEqual([short(12), short(12_340), short(4_600_000)], ["12", "12.3k", "4.6M"]);
});
