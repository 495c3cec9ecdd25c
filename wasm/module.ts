/** A core module made ready to be instantiated: compiled once, shared by all its instances. */
import { PAGE_BYTES } from "./limits.ts";
import { type ModuleImport, parseModule } from "./parse.ts";

export interface CompiledModule {
  readonly module: WebAssembly.Module;
  readonly size: number;
  /** Function imports, with what each must return: 0x7f i32, 0x7e i64, … or nothing. */
  readonly imports: readonly (ModuleImport & { readonly result: number | null })[];
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
    imports: parsed.imports.map((i) => ({
      ...i,
      result: i.type < 0 ? null : parsed.types[i.type]?.results[0] ?? null,
    })),
    exports: new Set(parsed.exports.map((e) => e.name)),
    memoryMaxBytes: (parsed.memories[0]?.max ?? 65536) * PAGE_BYTES,
  };
}
