import assert from "node:assert/strict";
import { Fields } from "./fields.ts";

const lines = (): Fields => new Fields(["a", "1", "b", "2", "a", "3", "c", "4", "a", "5"]);

Deno.test("Fields finds the first and every value of a name", () => {
  assert.equal(lines().get("a"), "1");
  assert.deepEqual(lines().all("a"), ["1", "3", "5"]);
  assert.equal(lines().get("z"), undefined);
  assert.equal(lines().size, 5);
});

Deno.test("Fields set replaces in place and drops the repeats", () => {
  const fields = lines();
  fields.set("a", "9");
  assert.deepEqual(fields.lines, ["a", "9", "b", "2", "c", "4"]);
  fields.set("z", "0");
  assert.deepEqual(fields.lines, ["a", "9", "b", "2", "c", "4", "z", "0"]);
});

Deno.test("Fields remove takes every line of the name and keeps the order of the rest", () => {
  const fields = lines();
  fields.remove("a");
  assert.deepEqual(fields.lines, ["b", "2", "c", "4"]);
  fields.remove("nothing");
  assert.deepEqual(fields.lines, ["b", "2", "c", "4"]);
});

Deno.test("Fields clone shares nothing", () => {
  const fields = lines();
  const copy = fields.clone();
  copy.append("d", "6");
  assert.equal(fields.has("d"), false);
});
