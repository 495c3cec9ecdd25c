/** Taking the charges out again leaves the program as it was. */
import assert from "node:assert/strict";
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";
import { compileWat } from "../../wasm/wat.ts";
import { unmetered } from "./unmetered.ts";

Deno.test("unmetered computes the same and takes no fuel", async () => {
  const plain = await compileWat(`(module (memory 1)
    (global $sum (mut i32) (i32.const 0))
    (func (export "run") (param i32) (result i32)
      (memory.fill (i32.const 0) (i32.const 7) (i32.and (local.get 0) (i32.const 255)))
      (loop $next
        (global.set $sum (i32.add (global.get $sum) (i32.load8_u (local.get 0))))
        (br_if $next (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (global.get $sum)))`);
  const metered = instrument(plain, { maxPages: 1, maxTable: 1 });
  const found = [metered, unmetered(metered)].map((bytes) => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const fuel = exports[FUEL_EXPORT] as WebAssembly.Global;
    fuel.value = 1_000_000n;
    const result = (exports["run"] as (n: number) => number)(200);
    return { result, used: 1_000_000n - (fuel.value as bigint) };
  });
  assert.equal(found[0]!.result, 199 * 7);
  assert.equal(found[1]!.result, 199 * 7);
  assert.ok(found[0]!.used > 1000n);
  assert.equal(found[1]!.used, 0n);
});

Deno.test("unmetered refuses a module that was never metered", async () => {
  const plain = await compileWat(`(module (func (export "run")))`);
  assert.throws(() => unmetered(plain), /not metered/);
});
