/** Module text: compiled with names, or refused with the line that is wrong. */
import assert from "node:assert/strict";
import { functionNames, parseModule } from "./parse.ts";
import { ModuleError } from "./reader.ts";
import { compileWat, isWat } from "./wat.ts";

Deno.test("compileWat keeps the names of functions", async () => {
  const bytes = await compileWat(`(module (func $check_token (export "f")))`);
  assert.deepEqual([...functionNames(bytes, parseModule(bytes))], [[0, "check_token"]]);
});

Deno.test("compileWat names the file, line and column of a mistake", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["(module\n  (func (i32.bad)))", /policy\.wat:2:10: error: unexpected token/],
    ["(module\n\n  (func (result i32) (nop)))", /policy\.wat:3:.*error: type mismatch/],
    [
      "(module (func (call $none)))",
      /policy\.wat:1:21: error: undefined function variable "\$none"/,
    ],
  ];
  for (const [text, message] of cases) {
    await assert.rejects(compileWat(text, "policy.wat"), (error: unknown) => {
      assert.ok(error instanceof ModuleError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("isWat tells text from binaries", async () => {
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  assert.ok(isWat(encode("\n ;; a comment\n(module)")));
  assert.ok(isWat(encode("(module)")));
  assert.ok(!isWat(encode("apiVersion: v1")));
  assert.ok(!isWat(await compileWat("(module)")));
});
