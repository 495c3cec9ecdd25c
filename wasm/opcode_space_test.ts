/** The whole space of instructions: what V8 takes is rewritten or refused in words, and what it refuses is refused. */
import assert from "node:assert/strict";
import { instrument } from "./instrument.ts";
import { leb, ModuleError } from "./reader.ts";
import { type Bytes, flat, moduleOf, name, signature, sized, vector } from "./testing/binary.ts";

const OPTIONS = { maxPages: 16, maxTable: 100 };
const UNREACHABLE = 0x00, LOOP = 0x03, END = 0x0b, VOID = 0x40, I32 = 0x7f, FUNCREF = 0x70;

const four = (item: Bytes): number[] => vector([item, item, item, item]);

/**
 * A module whose one body of interest is `code`. There are four of everything, so that 3 is an index:
 * taken for an instruction it opens a loop, and a byte too few read of it does not go unseen.
 */
function around(code: Bytes): Uint8Array<ArrayBuffer> {
  const body = sized([[1, 4, I32], code, END]);
  const empty = sized([0, END]);
  return moduleOf([
    [1, four(signature([], []))],
    [3, four([0])],
    [4, four([FUNCREF, 0, 1])],
    [5, vector([[0, 1]])],
    [13, four([0, 0])],
    [6, four([I32, 1, 0x41, 0, END])],
    [7, vector([[name("f"), 0, 0]])],
    [
      9,
      vector([[3, 0, vector([[3], [3], [3], [3]])], [1, 0, [1, 3]], [1, 0, [1, 3]], [1, 0, [
        1,
        3,
      ]]]),
    ],
    [12, [4]],
    [10, vector([body, empty, empty, empty])],
    [11, four([1, 0])],
  ]);
}

/** Everything that follows an opcode in some instruction or other. */
const IMMEDIATES: readonly Bytes[] = [
  ...[[], [0], [3], [0, 0], [3, 3], [3, 0], [0, 3], [2, 0], [1, 0], [0, 0, 0], [3, 3, 3]],
  ...[[1, 0, 3], [2, 0, 3], [3, 0, 1], [0, 0, 3], [4, 0], [0x70], [0x6f], [0x6e], [0x69]],
  ...[[0x43, 0, 3], [0x42, 0, 3]], // memory index in the alignment's byte
  ...[[3, 3, 3, 3], [3, 3, 3, 3, 3, 3, 3, 3], [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]],
  [1, I32], // select
  [2, 0, 0, 0], // br_table
  [VOID, END],
  [3, END], // block of type 3
  [VOID, 0x05, END], // if, else
  [VOID, 0x19, END], // try, catch_all
  [VOID, 0x07, 3, END], // try, catch
  [VOID, 0x18, 0], // try, delegate
  [VOID, 0, END], // try_table
  [VOID, 2, 0, 3, 0, 2, 0, END],
  [0, 0, 0x6e, 0x70], // casts of GC
];

/** Behind the instruction a loop, in which the rewriter has to put its charge at the right byte. */
const BEHIND: Bytes = [UNREACHABLE, LOOP, VOID, END];

type Outcome = "invalid" | "rewritten" | "refused";

/** What becomes of an instruction with all immediates V8 takes it with. */
function outcome(opcode: Bytes): { readonly outcome: Outcome; readonly words: string } {
  let found: Outcome = "invalid", words = "";
  for (const immediates of IMMEDIATES) {
    // Behind an unreachable every operand is there, whatever its type.
    const bytes = around([UNREACHABLE, opcode, immediates, BEHIND]);
    const valid = WebAssembly.validate(bytes);
    try {
      const metered = instrument(bytes, OPTIONS);
      assert.ok(valid && WebAssembly.validate(metered), `${flat([opcode, immediates])}`);
      if (found === "invalid") found = "rewritten";
    } catch (error) {
      assert.ok(error instanceof ModuleError, String(error));
      if (!valid) continue;
      assert.equal(error.code, "wasm.unsupported", `${flat([opcode, immediates])}: ${error}`);
      found = "refused";
      words = error.message;
    }
  }
  return { outcome: found, words };
}

const hex = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;

/** Opcodes by outcome. */
function walk(opcodes: Iterable<readonly [label: string, bytes: Bytes]>) {
  const by: Record<Outcome, string[]> = { invalid: [], rewritten: [], refused: [] };
  const words = new Set<string>();
  for (const [label, bytes] of opcodes) {
    const { outcome: what, words: said } = outcome(bytes);
    by[what].push(label);
    if (said !== "") words.add(said.replace(/ \(at byte.*/, ""));
  }
  return { ...by, words };
}

const PREFIXES = [0xfb, 0xfc, 0xfd, 0xfe];
const single = Array.from({ length: 256 }, (_, op) => [hex(op), [op]] as const)
  .filter(([, [op]]) => !PREFIXES.includes(op!));
const prefixed = (prefix: number) =>
  Array.from({ length: 0x180 }, (_, second) => [hex(second), [prefix, leb(second)]] as const);

Deno.test("Every instruction of one byte that V8 takes is rewritten", () => {
  const { rewritten, refused } = walk(single);
  assert.deepEqual(refused, []);
  assert.ok(rewritten.length >= 190, `${rewritten.length} instructions`);
});

Deno.test("Every bulk, saturating, vector and atomic instruction V8 takes is rewritten", () => {
  for (const [prefix, least] of [[0xfc, 18], [0xfd, 256], [0xfe, 66]] as const) {
    const { rewritten, refused } = walk(prefixed(prefix));
    assert.deepEqual(refused, [], hex(prefix));
    assert.ok(rewritten.length >= least, `${hex(prefix)}: ${rewritten.length} instructions`);
  }
});

Deno.test("Instructions on garbage-collected objects are refused in words", () => {
  const { rewritten, refused, words } = walk(prefixed(0xfb));
  assert.deepEqual(rewritten, []);
  assert.ok(refused.length >= 4, `${refused.length} instructions`);
  assert.deepEqual([...words], [
    "The module uses garbage-collected objects; build it without the GC proposal",
  ]);
});
