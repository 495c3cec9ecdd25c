import assert from "node:assert/strict";
import { MAX_UNKNOWN, UnknownKeys } from "./unknown_keys.ts";

Deno.test("UnknownKeys gives each key set once, and a limited number", () => {
  const keys = new UnknownKeys();
  for (const source of ["a", "b", "a"]) keys.unknownKey(source);
  assert.deepEqual(keys.take(), ["a", "b"]);
  assert.deepEqual(keys.take(), []);
  for (let i = 0; i < 1000; i++) keys.unknownKey(`s${i}`);
  assert.equal(keys.take().length, MAX_UNKNOWN);
});
