/** Metering changes nothing but the fuel: random programs give the same results, and endless ones end. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { FUEL_EXPORT, instrument } from "./instrument.ts";
import { compileWat } from "./wat.ts";

const LOCALS = 4;

/** Expressions leave one i32, statements leave nothing; both are WAT text. */
interface Code {
  readonly expression: string;
  readonly statement: string;
}

const local = fc.nat(LOCALS - 1);
const { expression, statement } = fc.letrec<Code>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.integer({ min: -5, max: 300 }).map((n) => `(i32.const ${n})`),
    local.map((n) => `(local.get ${n})`),
    fc.tuple(
      fc.constantFrom("add", "sub", "mul", "div_s", "rem_u", "and", "shl", "lt_s", "eq"),
      tie("expression"),
      tie("expression"),
    ).map(([op, a, b]) => `(i32.${op} ${a} ${b})`),
    tie("expression").map((e) => `(i32.load8_u (i32.and ${e} (i32.const 0xff)))`),
    fc.tuple(tie("expression"), tie("expression"), tie("expression")).map(([a, b, c]) =>
      `(if (result i32) ${a} (then ${b}) (else ${c}))`
    ),
    tie("expression").map((e) => `(call $helper ${e})`),
    tie("expression").map((e) => `(memory.grow (i32.and ${e} (i32.const 1)))`),
  ),
  statement: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.tuple(local, tie("expression")).map(([n, e]) => `(local.set ${n} ${e})`),
    fc.tuple(tie("expression"), tie("expression")).map(([a, e]) =>
      `(i32.store8 (i32.and ${a} (i32.const 0xff)) ${e})`
    ),
    fc.tuple(tie("expression"), tie("expression")).map(([a, n]) =>
      `(memory.fill (i32.and ${a} (i32.const 0xff)) (i32.const 7) (i32.and ${n} (i32.const 0xff)))`
    ),
    fc.tuple(tie("statement"), tie("statement")).map(([a, b]) => `${a} ${b}`),
    fc.tuple(tie("expression"), tie("statement"), tie("statement")).map(([c, a, b]) =>
      `(if ${c} (then ${a}) (else ${b}))`
    ),
    fc.tuple(tie("statement"), tie("expression"), tie("statement")).map(([a, c, b]) =>
      `(block ${a} (br_if 0 ${c}) ${b})`
    ),
    fc.tuple(tie("expression"), tie("statement"), tie("statement")).map(([e, a, b]) =>
      `(block (block (br_table 0 1 (i32.and ${e} (i32.const 3)))) ${a}) ${b}`
    ),
    fc.tuple(tie("statement"), tie("expression")).map(([a, c]) => `(loop ${a} ${ROUND} ${c})))`),
  ),
}));

/** A bound on all loops of a program together, so that the plain one ends as well. */
const ROUND = `(global.set $rounds (i32.add (global.get $rounds) (i32.const 1)))
  (br_if 0 (i32.and (i32.lt_u (global.get $rounds) (i32.const 200))`;

function program(body: string, bounded: boolean): string {
  const text = bounded ? body : body.replaceAll("(i32.const 200)", "(i32.const -1)");
  return `(module (memory (export "memory") 1 2) (global $rounds (mut i32) (i32.const 0))
    (func $helper (param i32) (result i32) (local i32)
      (if (result i32) (i32.gt_s (local.get 0) (i32.const 10))
        (then (i32.mul (local.get 0) (i32.const 3))) (else (i32.add (local.get 0) (i32.const 1)))))
    (func (export "f") (param i32 i32) (result i32) (local i32 i32)
      ${text} (i32.add (local.get 0) (i32.add (local.get 2) (local.get 3)))))`;
}

/** What there is to see of a run: result or trap, and memory. */
function observe(bytes: Uint8Array<ArrayBuffer>, fuel: bigint | null): string {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const { f, memory } = instance.exports as unknown as {
    f(a: number, b: number): number;
    memory: WebAssembly.Memory;
  };
  if (fuel !== null) (instance.exports[FUEL_EXPORT] as WebAssembly.Global).value = fuel;
  let outcome: string;
  try {
    outcome = String(f(3, 250));
  } catch (error) {
    outcome = error instanceof Error ? error.message : "?";
  }
  const seen = new Uint8Array(memory.buffer);
  return `${outcome} ${seen.length} ${seen.slice(0, 600).join()}`;
}

const OPTIONS = { maxPages: 2, maxTable: 10 };
const SEED = Number(Deno.env.get("SEED") ?? 20_261_124);

Deno.test("A metered program does what the plain one does", async () => {
  await compileWat("(module)"); // loads wabt before the clock of the property starts
  await fc.assert(
    fc.asyncProperty(statement, async (body) => {
      const plain = await compileWat(program(body, true));
      const metered = instrument(plain, OPTIONS);
      assert.equal(observe(metered, 1n << 60n), observe(plain, null));
    }),
    { numRuns: 150, seed: SEED },
  );
});

Deno.test("A metered program ends however it loops", async () => {
  await fc.assert(
    fc.asyncProperty(statement, async (body) => {
      // Without metering many of these would run for minutes or hours.
      observe(instrument(await compileWat(program(body, false)), OPTIONS), 50_000n);
    }),
    { numRuns: 150, seed: SEED },
  );
});

/** Counts, in the program itself, how often an assignment ran: four instructions each time. */
const MARK = "(global.set $marks (i32.add (global.get $marks) (i32.const 1)))";

Deno.test("A metered program pays for every instruction it executes, wherever it jumps", async () => {
  const FUEL = 1n << 40n;
  let marked = 0;
  await fc.assert(
    fc.asyncProperty(statement, async (body) => {
      const counted = program(body.replaceAll("(local.set ", `${MARK} (local.set `), true);
      const wat = counted.replace(
        "(module",
        '(module (global $marks (export "marks") (mut i32) (i32.const 0))',
      );
      const bytes = instrument(await compileWat(wat), OPTIONS);
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      const fuel = exports[FUEL_EXPORT] as WebAssembly.Global;
      fuel.value = FUEL;
      try {
        (exports["f"] as (a: number, b: number) => number)(3, 250);
      } catch {
        // A division by zero ends it early; what ran until then must have been paid for as well.
      }
      const marks = (exports["marks"] as WebAssembly.Global).value as number;
      const spent = Number(FUEL - (fuel.value as bigint));
      assert.ok(spent >= marks * 4, `${marks} marks for ${spent} fuel`);
      marked += marks;
    }),
    { numRuns: 300, seed: SEED },
  );
  assert.ok(marked > 1000, `only ${marked} marks were passed`);
});

Deno.test("A program given too little fuel leaves by the fuel trap and no other way", async () => {
  await fc.assert(
    fc.asyncProperty(expression, fc.bigInt(0n, 30n), async (value, fuel) => {
      const plain = await compileWat(program(`(local.set 0 ${value})`, true));
      const seen = observe(instrument(plain, OPTIONS), fuel).split(" ")[0];
      const full = observe(plain, null).split(" ")[0];
      assert.ok(seen === "unreachable" || seen === full, `${seen}, not ${full}`);
    }),
    { numRuns: 100, seed: SEED },
  );
});
