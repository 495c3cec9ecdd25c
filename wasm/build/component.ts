/** Component → bundle: transpiled to glue and core modules, every core module metered and capped. */
import { compile, CompileError } from "./compile.ts";
import { hardenGlue } from "./glue.ts";
import { componentNames } from "../component_names.ts";
import { encodeBundle, FILTER_EXPORT } from "../component/bundle.ts";
import { instrument, INSTRUMENTER_VERSION } from "../instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "../limits.ts";
import { parseModule } from "../parse.ts";
import { ModuleError } from "../reader.ts";
import { worldProblem } from "../worlds.ts";

/** A component that imports this is suspended while it waits for an answer, so all its functions are. */
const SIDE_CALLS = "denim:filter/http@0.1.0";
const SUSPENDING = {
  imports: ["send", "send-many"].map((name) => `${SIDE_CALLS}#${name}`),
  exports: ["headers", "body", "trailers"].flatMap((part) => [
    `${FILTER_EXPORT}#on-request-${part}`,
    `${FILTER_EXPORT}#on-response-${part}`,
  ]),
};

/**
 * Names end up inside string literals of the glue. The transpiler quotes them; that nothing in them
 * could end a literal is checked all the same, because the glue runs with the proxy's rights.
 */
const PLAIN_NAME = /^[\x20-\x7e]*$/;
const QUOTES = /['"`\\]|\$\{/;

/** A component has many modules, and each may have a start function; those of real ones do next to nothing. */
const START_FUEL = 5_000_000;

export interface BuiltComponent {
  readonly bundle: Uint8Array<ArrayBuffer>;
  /** Interfaces it imports: `denim:filter/kv`. */
  readonly imports: readonly string[];
}

/** Throws {@link ModuleError} with what is wrong with the component. */
export async function bundleComponent(
  component: Uint8Array,
  limits: { readonly memoryBytes: number },
): Promise<BuiltComponent> {
  const folder = await Deno.makeTempDir({ prefix: "denim-component-" });
  try {
    const path = `${folder}/component.wasm`, out = `${folder}/out`;
    await Deno.mkdir(out);
    await Deno.writeFile(path, component);
    const names = componentNames(component);
    const problem = worldProblem(names.imports, names.exports);
    if (problem !== null) throw new ModuleError("wasm.other_world", problem);
    const suspends = names.imports.includes(SIDE_CALLS);
    const answer = await transpile(path, out, suspends);
    const cores: { name: string; bytes: Uint8Array }[] = [];
    let glue = "";
    for (const [name, file] of Object.entries(answer.files)) {
      if (name.endsWith(".js")) glue = await Deno.readTextFile(file);
      else if (name.endsWith(".wasm")) {
        cores.push({ name, bytes: meter(await Deno.readFile(file), limits) });
      }
    }
    const imports = answer.uses;
    const parts = {
      imports,
      suspends,
      instrumenter: INSTRUMENTER_VERSION,
      glue: hardenGlue(glue, suspends),
      cores,
    };
    return { bundle: encodeBundle(parts), imports };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function transpile(
  component: string,
  out: string,
  suspends: boolean,
): ReturnType<typeof compile> {
  const suspending = suspends ? { suspending: SUSPENDING } : {};
  try {
    return await compile({ tool: "transpile", component, out, ...suspending });
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new ModuleError("wasm.bad_component", `The component cannot be read: ${error.message}`);
  }
}

function meter(core: Uint8Array, limits: { readonly memoryBytes: number }): Uint8Array {
  const module = parseModule(core);
  for (const { name } of [...module.exports, ...module.imports]) checkName(name);
  for (const { module: from } of module.imports) checkName(from);
  return instrument(core, {
    maxPages: Math.floor(limits.memoryBytes / PAGE_BYTES),
    maxTable: WASM_LIMITS.tableElements,
    startFuel: START_FUEL,
  });
}

function checkName(name: string): void {
  if (PLAIN_NAME.test(name) && !QUOTES.test(name)) return;
  throw new ModuleError("wasm.bad_name", `The component uses the name ${JSON.stringify(name)}`);
}
