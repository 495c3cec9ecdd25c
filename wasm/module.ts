/** A core module made ready to be instantiated: compiled once, shared by all its instances. */
import { PAGE_BYTES } from "./limits.ts";
import { type FunctionType, type ModuleImport, parseModule } from "./parse.ts";

const UNTYPED: FunctionType = { params: [], results: [] };

export interface CompiledModule {
  readonly module: WebAssembly.Module;
  readonly size: number;
  /** With the types of functions; those of anything else are empty. */
  readonly imports: readonly (ModuleImport & FunctionType)[];
  readonly exports: ReadonlySet<string>;
  /** The memory never grows over this. */
  readonly memoryMaxBytes: number;
}

/** Compiles off the main thread; rejects with the engine's reason. */
export async function compileModule(bytes: Uint8Array): Promise<CompiledModule> {
  const parsed = parseModule(bytes);
  const module = await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
  return {
    module,
    size: bytes.length,
    imports: parsed.imports.map((i) => ({ ...i, ...parsed.types[i.type] ?? UNTYPED })),
    exports: new Set(parsed.exports.map((e) => e.name)),
    memoryMaxBytes: (parsed.memories[0]?.max ?? 65536) * PAGE_BYTES,
  };
}
