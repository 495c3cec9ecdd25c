import assert from "node:assert/strict";
import { FilterHeaders } from "./headers.ts";

Deno.test("FilterHeaders reads without regard to case, repeats kept", () => {
  const headers = new FilterHeaders([["accept", "a"], ["x-n", "1"], ["x-n", "2"]]);
  assert.equal(headers.get("Accept"), "a");
  assert.equal(headers.get("x-n"), "1, 2");
  assert.deepEqual(headers.getAll("X-N"), ["1", "2"]);
  assert.equal(headers.get("none"), null);
  assert.equal(headers.has("X-n"), true);
});

Deno.test("FilterHeaders shows its own changes and hands them over once, in order", () => {
  const headers = new FilterHeaders([["x-n", "1"], ["y", "0"], ["x-n", "2"]]);
  headers.set("X-N", "3");
  headers.append("z", "4");
  headers.delete("y");
  assert.deepEqual([...headers], [["x-n", "3"], ["z", "4"]]);
  assert.deepEqual(headers.takeOps(), [
    { tag: "set", val: ["x-n", "3"] },
    { tag: "append", val: ["z", "4"] },
    { tag: "remove", val: "y" },
  ]);
  assert.deepEqual(headers.takeOps(), []);
});
