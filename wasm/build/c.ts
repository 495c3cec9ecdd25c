/** C or C++ filter → Proxy-Wasm module, by clang and lld: freestanding, or against wasi-libc where asked for. */
import { dirname, extname, join } from "node:path";
import { CompileError } from "./compile.ts";
import { findTool, runTool } from "./tool.ts";

const MISSING = "get clang with its linker: apt-get install clang lld (Debian, Ubuntu), " +
  "brew install llvm lld (macOS)";

/** Where a project says its own flags, one a line, for editors (clangd) and this build alike. */
export const FLAGS_FILE = "compile_flags.txt";
const SOURCES = /\.(?:c|cc|cpp|cxx)$/;

/** `entry`: a source file; every other one in its folder is compiled with it. */
export async function buildC(entry: string, out: string): Promise<Uint8Array<ArrayBuffer>> {
  const cwd = dirname(entry);
  const tool = await findTool(compilersOf(entry));
  if (tool === null) throw new CompileError(`"clang" is not installed: ${MISSING}`);
  const own = await ownFlags(cwd);
  const module = `${out}/filter.wasm`;
  const wasi = own.some((flag) => /^--?target=?.*wasi/.test(flag));
  const defaults = wasi
    ? ["-O2", "-mexec-model=reactor"]
    : ["--target=wasm32", "-O2", "-ffreestanding", "-nostdlib", "-Wl,--no-entry"];
  await runTool({
    program: tool.program,
    args: [
      ...defaults,
      ...own,
      // The same sources give the same bytes wherever they lie.
      `-ffile-prefix-map=${cwd}=.`,
      ...["-o", module],
      ...await sourcesIn(cwd),
    ],
    cwd,
    missing: MISSING,
  });
  return await Deno.readFile(module);
}

/** What the result depends on beside the sources. */
export async function cVersion(entry: string): Promise<string> {
  return (await findTool(compilersOf(entry)))?.version ?? "";
}

function compilersOf(entry: string): string[] {
  const plain = extname(entry) === ".c";
  const chosen = Deno.env.get(plain ? "CC" : "CXX");
  const names = plain ? ["clang"] : ["clang++"];
  const versions = [22, 21, 20, 19, 18, 17, 16, 15, 14].map((version) => `${names[0]}-${version}`);
  return [...(chosen?.includes("clang") ? [chosen] : []), ...names, ...versions];
}

async function ownFlags(folder: string): Promise<string[]> {
  try {
    const text = await Deno.readTextFile(join(folder, FLAGS_FILE));
    return text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function sourcesIn(folder: string): Promise<string[]> {
  const names = (await Array.fromAsync(Deno.readDir(folder))).filter((e) => e.isFile);
  return names.map((e) => e.name).filter((name) => SOURCES.test(name)).sort();
}
