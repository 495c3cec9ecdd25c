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

/** Parentheses and constructs open at once: wabt recurses, and its stack has an end. */
const MAX_NESTING = 1000;

type Wabt = Awaited<ReturnType<typeof wabtInit>>;

let loading: Promise<Wabt> | null = null;

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
  checkNesting(text);
  for (let fresh = false;; fresh = true) {
    const wabt = await (loading ??= wabtInit());
    try {
      return compileWith(wabt, text, file);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) {
        throw new ModuleError("wasm.wat", reasonOf(error));
      }
      // wabt itself fell over, and stays broken: the next text gets another one, and this one a second chance.
      loading = null;
      if (fresh) throw new ModuleError("wasm.wat", "The text is too large for the compiler of WAT");
    }
  }
}

function compileWith(wabt: Wabt, text: string, file: string): Uint8Array<ArrayBuffer> {
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
}

/** Constructs that may also be written without parentheses, up to an `end`. */
const OPENS: ReadonlySet<string> = new Set(["block", "loop", "if", "try", "try_table"]);
const WORD = /[a-z_]+/y;

/** By hand and in one pass: texts come from strangers, and a pattern for strings could be made to go back for ever. */
function checkNesting(text: string): void {
  let open = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!, pair = text[at + 1];
    if (char === '"') at = endOfString(text, at);
    else if (char === ";" && pair === ";") at = endOf(text, "\n", at);
    else if (char === "(" && pair === ";") at = endOf(text, ";)", at) + 1;
    else if (char === ")") open--;
    else if (char === "(") open++;
    else if (char >= "a" && char <= "z") {
      WORD.lastIndex = at;
      const word = WORD.exec(text)![0];
      // Inside its own parenthesis a word opens nothing more, and in a name it means nothing.
      const before = text[at - 1] ?? " ";
      if (before <= " ") open += OPENS.has(word) ? 1 : word === "end" ? -1 : 0;
      at += word.length - 1;
    }
    if (open > MAX_NESTING) {
      throw new ModuleError("wasm.wat", `The text is nested deeper than ${MAX_NESTING}`);
    }
  }
}

function endOfString(text: string, from: number): number {
  let at = from + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at;
}

/** wabt's own text, `file:line:column: error: …`, without its function's name. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^(?:parseWat|validate|resolveNames) failed:\s*/, "").trim();
}
