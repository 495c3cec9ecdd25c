/** A bundle made ready to be instantiated: glue imported and modules compiled, once per content. */
import { FUEL_EXPORT } from "../instrument.ts";
import { ModuleError } from "../reader.ts";
import { HANDLER_EXPORT } from "../worlds.ts";
import { type Handler, handlerExports } from "./handler.ts";
import { type Bundle, decodeBundle, FILTER_EXPORT } from "./bundle.ts";
import type { FilterExports } from "./wit.ts";

/** What the glue asks for and gives back. */
type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: Readonly<Record<string, object>>,
  instantiateCore: (
    module: WebAssembly.Module,
    imports: WebAssembly.Imports,
  ) => WebAssembly.Instance,
) => Record<string, unknown>;

/** One instance's parts that the sandbox needs a hold on. */
export interface RawInstance {
  readonly filter: FilterExports;
  /** The fuel of every core module; all are set before a call and any of them may stop it. */
  readonly fuels: readonly WebAssembly.Global[];
  readonly memories: readonly WebAssembly.Memory[];
}

/** Glue by its own SHA-256: a module that was imported cannot be unloaded, and versions of a filter share it. */
const glues = new Map<string, Promise<Instantiate>>();

export class LoadedBundle {
  readonly imports: readonly string[];
  /** Its functions give promises. */
  readonly suspends: boolean;
  readonly bytes: number;
  readonly #instantiate: Instantiate;
  readonly #modules: ReadonlyMap<string, WebAssembly.Module>;

  private constructor(
    bundle: Bundle,
    bytes: number,
    instantiate: Instantiate,
    modules: ReadonlyMap<string, WebAssembly.Module>,
  ) {
    this.imports = bundle.header.imports;
    this.suspends = bundle.header.suspends;
    this.bytes = bytes;
    this.#instantiate = instantiate;
    this.#modules = modules;
  }

  /** Rejects with a {@link ModuleError} or the engine's reason. */
  static async load(bytes: Uint8Array): Promise<LoadedBundle> {
    const bundle = decodeBundle(bytes);
    const instantiate = await importGlue(bundle.glue);
    const modules = new Map<string, WebAssembly.Module>();
    for (const [name, core] of bundle.cores) modules.set(name, await WebAssembly.compile(core));
    return new LoadedBundle(bundle, bytes.length, instantiate, modules);
  }

  /** A fresh instance. Throws what its start throws. */
  instantiate(hostImports: Readonly<Record<string, object>>): RawInstance {
    const fuels: WebAssembly.Global[] = [];
    const memories = new Set<WebAssembly.Memory>();
    const exports = this.#instantiate(
      (name) => {
        const module = this.#modules.get(name);
        if (module === undefined) throw new ModuleError("wasm.bad_bundle", `No module "${name}"`);
        return module;
      },
      hostImports,
      (module, imports) => {
        const instance = new WebAssembly.Instance(module, imports);
        for (const value of Object.values(instance.exports)) {
          if (value instanceof WebAssembly.Memory) memories.add(value);
        }
        const fuel = instance.exports[FUEL_EXPORT];
        if (!(fuel instanceof WebAssembly.Global)) {
          throw new ModuleError("wasm.not_metered", "A module of the component is not metered");
        }
        fuels.push(fuel);
        return instance;
      },
    );
    const handler = Object.keys(exports).find((name) => HANDLER_EXPORT.test(name));
    const filter = exports[FILTER_EXPORT] as FilterExports | undefined ??
      (handler === undefined ? undefined : handlerExports(exports[handler] as Handler));
    if (filter === undefined) {
      throw new ModuleError("wasm.no_filter", `The component does not export ${FILTER_EXPORT}`);
    }
    return { filter, fuels, memories: [...memories] };
  }
}

async function importGlue(glue: string): Promise<Instantiate> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(glue));
  const key = String.fromCharCode(...new Uint8Array(digest));
  let loading = glues.get(key);
  if (loading === undefined) {
    loading = importModule(glue);
    glues.set(key, loading);
    loading.catch(() => glues.delete(key));
  }
  return await loading;
}

async function importModule(glue: string): Promise<Instantiate> {
  const url = URL.createObjectURL(new Blob([glue], { type: "text/javascript" }));
  try {
    const module = await import(url) as { instantiate?: Instantiate };
    if (typeof module.instantiate !== "function") {
      throw new ModuleError("wasm.bad_bundle", "The component's glue has no instantiate()");
    }
    return module.instantiate;
  } finally {
    URL.revokeObjectURL(url);
  }
}
