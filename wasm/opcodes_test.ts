/** Every instruction V8 takes is stepped over exactly: one byte astray and the rewritten module would not validate. */
import assert from "node:assert/strict";
import { instrument } from "./instrument.ts";
import { costOf, skipImmediates } from "./opcodes.ts";
import { Reader } from "./reader.ts";
import { compileWat } from "./wat.ts";

const CONSTANT: Readonly<Record<string, string>> = {
  i: "(i32.const 1)",
  l: "(i64.const 1)",
  f: "(f32.const 1)",
  d: "(f64.const 1)",
  v: "(v128.const i32x4 1 2 3 4)",
};

/** Instructions by what they take: `il` is an i32 below an i64. All but stores leave one value. */
const PLAIN: Readonly<Record<string, string>> = {
  i: "i32.eqz i32.clz i32.ctz i32.popcnt i32.extend8_s i32.extend16_s i64.extend_i32_s " +
    "i64.extend_i32_u f32.convert_i32_s f32.convert_i32_u f64.convert_i32_s f64.convert_i32_u " +
    "f32.reinterpret_i32 i8x16.splat i16x8.splat i32x4.splat i32.load i64.load f32.load f64.load " +
    "i32.load8_s i32.load8_u i32.load16_s i32.load16_u i64.load8_s i64.load8_u i64.load16_s " +
    "i64.load16_u i64.load32_s i64.load32_u v128.load v128.load8x8_s v128.load8x8_u " +
    "v128.load16x4_s v128.load16x4_u v128.load32x2_s v128.load32x2_u v128.load8_splat " +
    "v128.load16_splat v128.load32_splat v128.load64_splat v128.load32_zero v128.load64_zero " +
    "i32.atomic.load i64.atomic.load i32.atomic.load8_u i64.atomic.load32_u memory.grow " +
    "i32.load|offset=70000 v128.load|offset=300",
  l: "i64.eqz i64.clz i64.ctz i64.popcnt i64.extend8_s i64.extend16_s i64.extend32_s i32.wrap_i64 " +
    "f32.convert_i64_s f32.convert_i64_u f64.convert_i64_s f64.convert_i64_u f64.reinterpret_i64 " +
    "i64x2.splat",
  f: "f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt i32.trunc_f32_s " +
    "i32.trunc_f32_u i64.trunc_f32_s i64.trunc_f32_u f64.promote_f32 i32.reinterpret_f32 " +
    "i32.trunc_sat_f32_s i32.trunc_sat_f32_u i64.trunc_sat_f32_s i64.trunc_sat_f32_u f32x4.splat",
  d: "f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt i32.trunc_f64_s " +
    "i32.trunc_f64_u i64.trunc_f64_s i64.trunc_f64_u f32.demote_f64 i64.reinterpret_f64 " +
    "i32.trunc_sat_f64_s i32.trunc_sat_f64_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u f64x2.splat",
  ii: "i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor " +
    "i32.shl i32.shr_s i32.shr_u i32.rotl i32.rotr i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s " +
    "i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u i32.atomic.rmw.add i32.atomic.rmw8.xor_u " +
    "i32.atomic.rmw16.xchg_u memory.atomic.notify",
  iii: "i32.atomic.rmw.cmpxchg i32.atomic.rmw8.cmpxchg_u",
  il: "i64.atomic.rmw.add i64.atomic.rmw32.sub_u",
  ll: "i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor " +
    "i64.shl i64.shr_s i64.shr_u i64.rotl i64.rotr i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s " +
    "i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u",
  ff: "f32.add f32.sub f32.mul f32.div f32.min f32.max f32.copysign f32.eq f32.ne f32.lt f32.gt " +
    "f32.le f32.ge",
  dd: "f64.add f64.sub f64.mul f64.div f64.min f64.max f64.copysign f64.eq f64.ne f64.lt f64.gt " +
    "f64.le f64.ge",
  v: "v128.not v128.any_true i8x16.abs i8x16.neg i8x16.popcnt i8x16.all_true i8x16.bitmask " +
    "i16x8.extadd_pairwise_i8x16_s i16x8.abs i16x8.bitmask i16x8.extend_low_i8x16_s " +
    "i32x4.extend_high_i16x8_u i64x2.abs i64x2.extend_low_i32x4_s f32x4.ceil f32x4.sqrt f64x2.abs " +
    "f64x2.sqrt f64x2.nearest i32x4.trunc_sat_f32x4_s f32x4.convert_i32x4_u " +
    "i32x4.trunc_sat_f64x2_s_zero f64x2.convert_low_i32x4_s f32x4.demote_f64x2_zero " +
    "f64x2.promote_low_f32x4 i32x4.relaxed_trunc_f32x4_s i8x16.extract_lane_s|3 " +
    "i16x8.extract_lane_u|1 i32x4.extract_lane|2 i64x2.extract_lane|1 f32x4.extract_lane|0 " +
    "f64x2.extract_lane|1",
  vv: "v128.and v128.andnot v128.or v128.xor i8x16.eq i8x16.swizzle i8x16.add i8x16.add_sat_s " +
    "i8x16.min_u i8x16.avgr_u i8x16.narrow_i16x8_s i16x8.q15mulr_sat_s i16x8.mul " +
    "i16x8.extmul_low_i8x16_s i32x4.dot_i16x8_s i32x4.max_u i64x2.eq i64x2.ge_s i64x2.mul f32x4.div " +
    "f32x4.pmin f64x2.pmax f64x2.add i8x16.relaxed_swizzle f64x2.relaxed_max " +
    "i8x16.shuffle|0|1|2|3|4|5|6|7|8|9|10|11|12|13|14|31 i16x8.relaxed_dot_i8x16_i7x16_s",
  vvv: "v128.bitselect f32x4.relaxed_madd f64x2.relaxed_nmadd i8x16.relaxed_laneselect " +
    "i32x4.relaxed_dot_i8x16_i7x16_add_s",
  vi: "i8x16.shl i16x8.shr_s i32x4.shr_u i64x2.shl i8x16.replace_lane|15 i16x8.replace_lane|2 " +
    "i32x4.replace_lane|3",
  vl: "i64x2.replace_lane|1",
  vf: "f32x4.replace_lane|3",
  vd: "f64x2.replace_lane|0",
  iv: "v128.load8_lane|15 v128.load16_lane|1 v128.load32_lane|3 v128.load64_lane|1",
};

/** Instructions that leave nothing. */
const SILENT: Readonly<Record<string, string>> = {
  ii: "i32.store i32.store8 i32.store16 i32.atomic.store",
  il: "i64.store i64.store8 i64.store16 i64.store32 i64.atomic.store",
  if: "f32.store",
  id: "f64.store",
  iv: "v128.store v128.store8_lane|3 v128.store64_lane|1",
  iii: "memory.fill memory.copy memory.init|$d",
};

/** Whole functions for everything with a shape of its own. */
const SHAPED: Readonly<Record<string, string>> = {
  "nop and unreachable": "nop unreachable",
  "blocks of every type": `(block) (drop (block (result i32) (i32.const 1)))
    (drop (block (result v128) (v128.const i64x2 0 0))) (block (param) (result)) 
    (drop (drop (block (result i32 i64) (i32.const 1) (i64.const 2))))`,
  "loops and ifs": `(loop) (if (i32.const 1) (then) (else nop))
    (drop (if (result f64) (i32.const 1) (then (f64.const 1)) (else (f64.const 2))))`,
  "branches": `(block $a (block $b (br_if $a (i32.const 0)) (br_table $a $b $b $a (i32.const 1))))
    (block (br 0)) return`,
  "calls": "(call $f) (call_indirect (i32.const 0)) (return_call $f)",
  "indirect tail call": "(return_call_indirect (i32.const 0))",
  "select with a type": `(drop (select (i32.const 1) (i32.const 2) (i32.const 3)))
    (drop (select (result funcref) (ref.null func) (ref.null func) (i32.const 3)))`,
  "references": "(drop (ref.is_null (ref.func $f))) (drop (ref.null extern))",
  "locals and globals": `(local i32) (local.set 0 (local.tee 0 (local.get 0)))
    (global.set $g (global.get $g))`,
  "tables": `(drop (table.get $t (i32.const 0))) (table.set $t (i32.const 0) (ref.null func))
    (drop (table.size $t)) (drop (table.grow $t (ref.null func) (i32.const 0)))
    (table.fill $t (i32.const 0) (ref.null func) (i32.const 0))
    (table.copy $t $t (i32.const 0) (i32.const 0) (i32.const 0))
    (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 0)) (elem.drop $e) (data.drop $d)`,
  "wide constants": `(drop (i32.const -2147483648)) (drop (i64.const -9223372036854775808))
    (drop (f32.const nan)) (drop (f64.const -1e300)) (drop (memory.size)) atomic.fence`,
  "exceptions": `(block $h (try_table (catch $x $h) (catch_all $h) (throw $x)))
    (drop (block $r (result exnref) (try_table (catch_all_ref $r)) unreachable))`,
};

function wrap(body: string): string {
  return `(module (memory (export "memory") 1) (table $t 1 funcref) (global $g (mut i32) (i32.const 0))
    (tag $x) (data $d "abc") (elem $e func $f) (elem declare func $f)
    (func $f ${body}))`;
}

/** `name` with its constants, dropped when `leaves` says so; `|` parts a name from its immediates. */
function instruction(name: string, takes: string, leaves: boolean): string {
  const operands = [...takes].map((t) => CONSTANT[t]).join(" ");
  const call = `(${name.replaceAll("|", " ")} ${operands})`;
  return leaves ? `(drop ${call})` : call;
}

async function accepts(body: string): Promise<void> {
  const bytes = await compileWat(wrap(body));
  assert.ok(WebAssembly.validate(bytes), `the engine refuses: ${body}`);
  // instrument() validates what it has written.
  instrument(bytes, { maxPages: 16, maxTable: 100 });
}

for (const [table, leaves] of [[PLAIN, true], [SILENT, false]] as const) {
  for (const [takes, names] of Object.entries(table)) {
    Deno.test(`skipImmediates knows instructions on "${takes}" that leave ${leaves}`, async () => {
      for (const name of names.split(" ")) {
        // Bulk instructions among them need the inserted local: before and behind them code is read on.
        await accepts(`${instruction(name, takes, leaves)} (drop (i64.const 7))`);
      }
    });
  }
}

for (const [name, body] of Object.entries(SHAPED)) {
  Deno.test(`skipImmediates knows ${name}`, () => accepts(body));
}

Deno.test("skipImmediates refuses instructions it does not know, by number", () => {
  const known = new Set<number>();
  for (let op = 0; op < 256; op++) {
    try {
      skipImmediates(new Reader(new Uint8Array(64)), op);
      known.add(op);
    } catch (error) {
      assert.match(String(error), /Unknown instruction 0x|without the GC proposal/);
    }
  }
  for (const op of [0x16, 0x17, 0x27, 0xc5, 0xd7, 0xe0, 0xfb, 0xff]) {
    assert.ok(!known.has(op), `0x${op.toString(16)} was taken`);
  }
});

Deno.test("costOf makes slow instructions dearer than fast ones", () => {
  assert.equal(costOf(0x6a, 0), 1); // i32.add
  assert.ok(costOf(0x6d, 0) > 1); // i32.div_s
  assert.ok(costOf(0x40, 0) >= 1000); // memory.grow
  assert.ok(costOf(0xfc, 11) > 1); // memory.fill
});
