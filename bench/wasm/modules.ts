/** The same small filter in every language, built here; and an empty one. What cannot be built is named with the reason. */
import { buildAssemblyScript } from "../../wasm/build/assemblyscript.ts";
import { buildC } from "../../wasm/build/c.ts";
import { CompileError } from "../../wasm/build/compile.ts";
import { buildGo } from "../../wasm/build/go.ts";
import { buildRust } from "../../wasm/build/rust.ts";
import { buildTypeScript } from "../../wasm/build/typescript.ts";
import { compileWat } from "../../wasm/wat.ts";

const PROGRAMS = new URL("./programs/", import.meta.url).pathname;

/** What cargo has compiled already; half a minute the first time. */
const CACHE = new URL("../../.denim/bench-wasm", import.meta.url).pathname;

export type FilterName = "noop" | "assemblyscript" | "rust" | "go" | "typescript";
export type ComputeName = "assemblyscript" | "c";

/** Makes the module; `out` is a folder of its own. */
type Build = (out: string) => Promise<Uint8Array<ArrayBuffer>>;

const FILTERS: Readonly<Record<FilterName, Build>> = {
  noop: async () => await compileWat(await Deno.readTextFile(`${PROGRAMS}noop.wat`)),
  assemblyscript: (out) => buildAssemblyScript(`${PROGRAMS}as/filter.ts`, out),
  rust: (out) => buildRust(`${PROGRAMS}rust/Cargo.toml`, out, CACHE),
  go: (out) => buildGo(`${PROGRAMS}go/go.mod`, out),
  typescript: (out) => buildTypeScript(`${PROGRAMS}ts/filter.ts`, out),
};

const COMPUTE: Readonly<Record<ComputeName, Build>> = {
  assemblyscript: (out) => buildAssemblyScript(`${PROGRAMS}compute.ts`, out),
  c: (out) => buildC(`${PROGRAMS}c/compute.c`, out),
};

export interface Built<Name extends string> {
  readonly modules: ReadonlyMap<Name, Uint8Array<ArrayBuffer>>;
  /** Why there is none, by name. */
  readonly missing: Readonly<Partial<Record<Name, string>>>;
}

export async function buildFilters(folder: string): Promise<Built<FilterName>> {
  return await buildAll(FILTERS, `${folder}/filters`);
}

export async function buildCompute(folder: string): Promise<Built<ComputeName>> {
  return await buildAll(COMPUTE, `${folder}/compute`);
}

async function buildAll<Name extends string>(
  builds: Readonly<Record<Name, Build>>,
  folder: string,
): Promise<Built<Name>> {
  const modules = new Map<Name, Uint8Array<ArrayBuffer>>();
  const missing: Partial<Record<Name, string>> = {};
  for (const [name, build] of Object.entries(builds) as [Name, Build][]) {
    const out = `${folder}/${name}`;
    await Deno.mkdir(out, { recursive: true });
    try {
      modules.set(name, await build(out));
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      missing[name] = error.message;
      console.error(`${name} is left out: ${error.message}`);
    }
  }
  return { modules, missing };
}
