/** WebAssembly text to binary through wabt, names kept. For the control plane, the CLI and tests: a proxy never loads this. */
import wabtInit from "wabt";
import { ModuleError } from "./reader.ts";

/** What wabt is asked to know; garbage-collected types and 64-bit memories are refused later anyway. */
const FEATURES = {
  exceptions: true,
  mutable_globals: true,
  sat_float_to_int: true,
  sign_extension: true,
  simd: true,
  threads: true,
  multi_value: true,
  tail_call: true,
  bulk_memory: true,
  reference_types: true,
  multi_memory: true,
  extended_const: true,
  relaxed_simd: true,
} as const;

let loading: ReturnType<typeof wabtInit> | null = null;

/** Whether bytes look like module text rather than a binary: the first thing is an opening parenthesis or a comment. */
export function isWat(bytes: Uint8Array): boolean {
  const start = new TextDecoder().decode(bytes.subarray(0, 4096)).trimStart();
  return start.startsWith("(module") || start.startsWith("(;") || start.startsWith(";;");
}

/** The binary of `text`; a {@link ModuleError} says on which line of `file` it is wrong. */
export async function compileWat(
  text: string,
  file = "filter.wat",
): Promise<Uint8Array<ArrayBuffer>> {
  loading ??= wabtInit();
  const wabt = await loading;
  try {
    const parsed = wabt.parseWat(file, text, FEATURES);
    try {
      parsed.resolveNames();
      // Its types hide that validate() takes the features too, and without them it knows only the oldest.
      (parsed as { validate(features: typeof FEATURES): void }).validate(FEATURES);
      // A copy: wabt frees its own memory with destroy().
      return new Uint8Array(parsed.toBinary({ write_debug_names: true }).buffer);
    } finally {
      parsed.destroy();
    }
  } catch (error) {
    throw new ModuleError("wasm.wat", reasonOf(error));
  }
}

/** wabt's own text, `file:line:column: error: …`, without its function's name. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^(?:parseWat|validate|resolveNames) failed:\s*/, "").trim();
}
