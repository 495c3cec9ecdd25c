/** Which language a module was written in, guessed from the traces its compiler left. */
import { Buffer } from "node:buffer";
import { type CoreModule, functionNames } from "./parse.ts";
import { Reader } from "./reader.ts";

export type Language =
  | "rust"
  | "go"
  | "tinygo"
  | "assemblyscript"
  | "c"
  | "c++"
  | "typescript"
  | "javascript"
  | "unknown";

/** What a producers entry or a function name gives away, the surest first. */
const TRACES: readonly (readonly [RegExp, Language])[] = [
  [/\bTinyGo\b|\btinygo\b/, "tinygo"],
  [/\bGo cmd\/compile\b|^runtime\.(?:goexit|mallocgc)$/, "go"],
  [/\bcomponentize-qjs\b|\bQuickJS\b|^JS_(?:NewContext|Eval)\b|rquickjs/, "javascript"],
  [/\bcomponentize-js\b|\bStarlingMonkey\b/, "javascript"],
  [/^~lib\/|\bassemblyscript\b/i, "assemblyscript"],
  [/\brustc\b|^Rust$|^_ZN4core|^rust_begin_unwind$|^__rust_/, "rust"],
  [/C_plus_plus|^_ZNSt3__2/, "c++"],
  [/^C(?:11|99|17|_?89)?$|\bclang\b/, "c"],
];

/** `modules` are the core modules in `bytes`: itself, or those of a component. */
export function guessLanguage(bytes: Uint8Array, modules: readonly CoreModule[]): Language {
  const clues: string[] = [];
  for (const module of modules) {
    // Sections of nested modules count from their own start; only a lone module's lie in `bytes`.
    if (modules.length > 1 || module.size !== bytes.length) continue;
    clues.push(...producers(bytes, module));
    for (const name of functionNames(bytes, module, MAX_NAMES).values()) clues.push(name);
    // The compiler of AssemblyScript leaves no producers, but its runtime's abort or its own file names.
    if (module.imports.some((i) => i.module === "env" && i.name === "abort")) clues.push("~lib/");
    if (Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(UTF16_LIBRARY)) {
      clues.push("~lib/");
    }
  }
  if (clues.length === 0) clues.push(...wellKnownText(bytes));
  for (const [trace, language] of TRACES) {
    if (clues.some((clue) => trace.test(clue))) return language;
  }
  return "unknown";
}

/** `~lib/` as AssemblyScript keeps its strings. */
const UTF16_LIBRARY = "~\0l\0i\0b\0/\0";
const MAX_NAMES = 5000;

/** Values of the producers section: `Rust`, `rustc 1.85.1`, `clang 19.1`, … */
export function producers(bytes: Uint8Array, module: CoreModule): string[] {
  const custom = module.customs.find((c) => c.name === "producers");
  if (custom === undefined) return [];
  const found: string[] = [];
  try {
    const reader = new Reader(bytes, custom.start, custom.end);
    for (let fields = reader.u32(); fields > 0; fields--) {
      reader.name();
      for (let values = reader.u32(); values > 0; values--) {
        const name = reader.name();
        found.push(name, `${name} ${reader.name()}`);
      }
    }
  } catch {
    // A damaged section gives no clue.
  }
  return found;
}

/** In a component the engine inside names itself somewhere in its data. */
function wellKnownText(bytes: Uint8Array): string[] {
  const text = new TextDecoder("latin1").decode(bytes);
  return ["componentize-qjs", "QuickJS", "StarlingMonkey", "componentize-js", "rustc"].filter((
    name,
  ) => text.includes(name));
}
