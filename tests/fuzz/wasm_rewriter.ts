/**
 * The rewriter on random valid modules: what it writes is valid, does what the original does, and takes
 * the fuel an independent count in the module itself says.
 */
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";
import type { Random, Target } from "./target.ts";
import { moduleFrom } from "./wasm_program.ts";

const OPTIONS = { maxPages: 3, maxTable: 16, startFuel: 0 };
const FULL = 1n << 50n;
/** What a point may at most have paid for others in advance (wasm/meter.ts). */
const ADVANCE = 192n;

interface Run {
  /** Results, traps, calls of the host, and the state afterwards. */
  readonly seen: readonly string[];
  readonly exports: WebAssembly.Exports;
  readonly trapped: boolean;
}

function run(bytes: Uint8Array<ArrayBuffer>, fuel: bigint | null): Run {
  const seen: string[] = [];
  const host = (n: number): number => {
    seen.push(`host ${n}`);
    return (n * 7) | 0;
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { host } });
  if (fuel !== null) global(exports, FUEL_EXPORT).value = fuel;
  let trapped = false;
  try {
    seen.push(String((exports["f"] as (a: number, b: bigint) => unknown)(5, 250n)));
  } catch (error) {
    trapped = true;
    // Where a program runs out of stack depends on the size of its frames.
    if (error instanceof RangeError) return { seen: ["stack"], exports, trapped };
    seen.push(error instanceof Error ? error.message : "exception");
  }
  const memory = new Uint8Array((exports["memory"] as WebAssembly.Memory).buffer);
  seen.push(`memory ${memory.length} ${digest(memory)}`);
  seen.push(`table ${(exports["table"] as WebAssembly.Table).length}`);
  for (const name of ["g0", "g1", "g2", "g3"]) seen.push(`${name} ${global(exports, name).value}`);
  return { seen, exports, trapped };
}

function global(exports: WebAssembly.Exports, name: string): WebAssembly.Global {
  return exports[name] as WebAssembly.Global;
}

function digest(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 2048; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash >>> 0;
}

let ended = 0, hosted = 0;

/** Throws with the first thing that is not as it should be. */
export function check(input: Uint8Array): void {
  const plain = moduleFrom(input, false);
  if (!WebAssembly.validate(plain)) throw new Error("the generator wrote an invalid module");
  const metered = instrument(plain, OPTIONS);
  const first = run(plain, null), second = run(metered, FULL);
  if (first.seen.join("\n") !== second.seen.join("\n")) {
    throw new Error(`metered it gives\n${second.seen.join("\n")}\nnot\n${first.seen.join("\n")}`);
  }
  if (first.seen[0] === "stack") return;
  const { exports } = run(moduleFrom(input, true), null);
  const wanted = global(exports, "cost").value as bigint;
  const points = global(exports, "points").value as bigint;
  const spent = FULL - (global(second.exports, FUEL_EXPORT).value as bigint);
  if (spent < wanted || spent > wanted + ADVANCE * points) {
    throw new Error(`it took ${spent} fuel for ${wanted} at ${points} points`);
  }
  const half = run(metered, spent / 2n);
  if (!half.trapped || (global(half.exports, FUEL_EXPORT).value as bigint) >= 0n) {
    throw new Error(`half of its fuel was enough`);
  }
  const calls = (seen: readonly string[]): string[] => seen.filter((s) => s.startsWith("host"));
  if (!calls(first.seen).join("\n").startsWith(calls(half.seen).join("\n"))) {
    throw new Error("with half of its fuel it did other things");
  }
  if (!first.trapped) ended++;
  if (calls(first.seen).length > 0) hosted++;
}

export const target: Target = {
  generate(random: Random): Uint8Array {
    return Uint8Array.from({ length: 20 + random(1200) }, () => random(256));
  },
  attempt: check,
  shallow: (runs) =>
    ended * 10 < runs || hosted * 20 < runs
      ? `${ended} ended without a trap, ${hosted} called the host`
      : null,
};
