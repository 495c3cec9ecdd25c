/** Damaged and hostile modules: the rewriter refuses them in words or makes them safe to run; nothing else happens. */
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";
import { inspect } from "../../wasm/inspect.ts";
import { ModuleError } from "../../wasm/reader.ts";
import { proxyWasmWat } from "../../wasm/testing/harness.ts";
import { compileWat } from "../../wasm/wat.ts";
import { pick, type Random, type Target } from "./target.ts";

/** Small modules with every kind of section, control flow and bulk instruction. */
const SEEDS: readonly string[] = [
  proxyWasmWat(`(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $note (local.get 1)) (loop $l (br_if $l (i32.lt_s (local.get 0) (i32.const 0)))) (i32.const 0))`),
  `(module (memory (export "memory") 1 3) (table $t 2 10 funcref) (elem $e (i32.const 0) $a $b)
    (global $g (mut i32) (i32.const 5)) (data $d "some bytes") (tag $x (param i32))
    (func $a (export "a") (param i32) (result i32) (local i64 f64)
      (block $out (result i32)
        (loop $l
          (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
          (if (i32.gt_s (local.get 0) (i32.const 0))
            (then (br $l)) (else (br $out (i32.const 3)))))
        (memory.fill (i32.const 0) (i32.const 1) (i32.const 100))
        (memory.init $d (i32.const 0) (i32.const 0) (i32.const 4))
        (call_indirect (param i32) (result i32) (i32.const 2) (i32.const 1))))
    (func $b (export "b") (param i32) (result i32)
      (global.set $g (i32.add (global.get $g) (i32.const 1)))
      (block $h (result i32) (try_table (result i32) (catch $x $h) (throw $x (local.get 0)))))
    (func $s (global.set $g (memory.grow (i32.const 1)))) (start $s))`,
];

function damage(bytes: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const out = bytes.slice();
  for (let n = random(3); n >= 0; n--) {
    const at = 8 + random(out.length - 8);
    out[at] = random(2) === 0 ? random(256) : (out[at]! + 1) & 255;
  }
  return random(10) === 0 ? out.slice(0, random(out.length)) : out;
}

/** Instantiates and calls everything on a small tank; false when it does not link. */
function runAll(bytes: Uint8Array<ArrayBuffer>): boolean {
  const module = new WebAssembly.Module(bytes);
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = () => 0;
  }
  let instance: WebAssembly.Instance;
  try {
    instance = new WebAssembly.Instance(module, imports);
  } catch {
    return false; // does not link, or its start function trapped
  }
  const fuel = instance.exports[FUEL_EXPORT] as WebAssembly.Global;
  for (const value of Object.values(instance.exports)) {
    if (typeof value !== "function") continue;
    fuel.value = 20_000n;
    try {
      value(3, 2, 1);
    } catch {
      // A trap is a fine end; not coming back would not be.
    }
  }
  return true;
}

let seeds: readonly Uint8Array[] = [];
let taken = 0, ran = 0;

export const target: Target = {
  async prepare() {
    seeds = await Promise.all(SEEDS.map((wat) => compileWat(wat)));
  },
  generate: (random) => damage(pick(seeds, random), random),
  attempt(input) {
    const bytes = input.slice();
    let metered: Uint8Array<ArrayBuffer>;
    try {
      inspect(bytes);
      metered = instrument(bytes, { maxPages: 4, maxTable: 100, startFuel: 20_000 });
    } catch (error) {
      if (error instanceof ModuleError && error.code !== "wasm.rewrite") return;
      throw error;
    }
    taken++;
    if (runAll(metered)) ran++;
  },
  // Otherwise the damage is so bad that nothing behind the first check is ever reached.
  shallow: (runs) =>
    taken * 20 < runs || ran * 40 < runs ? `${taken} were taken, ${ran} ran` : null,
};
