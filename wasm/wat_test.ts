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

const DEEP = 200_000;

/** Texts that wabt falls over, or would. */
const TOO_MUCH: Readonly<Record<string, readonly [text: string, reason: RegExp]>> = {
  "blocks in blocks": [
    `(module (func ${"(block ".repeat(DEEP)}${")".repeat(DEEP)}))`,
    /nested deeper than 1000/,
  ],
  "blocks in blocks without parentheses": [
    `(module (func ${"block ".repeat(DEEP)}${"end ".repeat(DEEP)}))`,
    /nested deeper than 1000/,
  ],
  "expressions in expressions": [
    `(module (func (drop ${"(i32.eqz ".repeat(DEEP)}(i32.const 0)${")".repeat(DEEP)})))`,
    /nested deeper than 1000/,
  ],
  "nothing but parentheses": ["(".repeat(DEEP), /nested deeper than 1000/],
  "a block of very many parameters": [
    `(module (func (block (param ${"i32 ".repeat(DEEP)}))))`,
    /too large|error/,
  ],
  "an endless string": [`(module "${'\\"'.repeat(DEEP)}`, /error/],
  "an endless comment": ["(;".repeat(DEEP), /error/],
};

for (const [what, [text, reason]] of Object.entries(TOO_MUCH)) {
  Deno.test(`compileWat refuses ${what}, and compiles the next text`, async () => {
    await assert.rejects(compileWat(text), reason);
    assert.ok(WebAssembly.validate(await compileWat("(module (func (nop)))")));
  });
}

Deno.test("compileWat counts nesting, not parentheses in strings, names and comments", async () => {
  const text = `(module (; ${"(".repeat(5000)} ;) ;; ${"(block ".repeat(2000)}
    (data "${"(".repeat(5000)}\\"(") (func $block (export "end") (nop)) ${
    "(func (block))".repeat(2000)
  } (func ${"block end ".repeat(2000)}))`;
  assert.ok(WebAssembly.validate(await compileWat(text)));
});
