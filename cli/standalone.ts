/** One YAML file to one snapshot with its modules: what `denim proxy --config` runs from. */
import { dirname, resolve } from "node:path";
import type { Resource } from "../control/schema/kinds.ts";
import { parseDocuments } from "../control/schema/parse.ts";
import {
  type AdmittedModule,
  buildStandalone,
  checkReferences,
  moduleFiles,
} from "../control/snapshot/mod.ts";
import { CertificateFiles } from "./certificate_files.ts";
import { sha256 } from "../proxy/config/files.ts";
import type { StandaloneSource } from "../proxy/main.ts";

/** A module file larger than this is not read. */
const MAX_MODULE_BYTES = 32 * 1024 * 1024;

interface Loaded {
  readonly module: AdmittedModule;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Rejects with every problem of the file, each with its path. */
export async function readStandalone(file: string): Promise<StandaloneSource> {
  const parsed = parseDocuments(await readText(file));
  if (parsed.errors.length > 0) throw invalid(file, parsed.errors);
  const files = new CertificateFiles(parsed.resources, file);
  const keys = new Map(parsed.keys);
  /** The resources as the certificate files have them now; null: they are the same as before. */
  const readFiles = async (): Promise<readonly Resource[] | null> => {
    const read = await files.read();
    if (read === null) return null;
    if (read.problems.length > 0) throw invalid(file, read.problems);
    for (const [name, pem] of read.keys) keys.set(name, pem);
    return read.resources;
  };
  const resources = (await readFiles())!;
  const loaded: Loaded[] = [];
  for (const name of moduleFiles(resources)) {
    loaded.push(await loadModule(name, resolve(dirname(file), name)));
  }
  const modules = loaded.map((one) => one.module);
  const problems = checkReferences(resources, modules, { standalone: true });
  if (problems.length > 0) throw invalid(file, problems);
  const bytes = new Map(loaded.map((one) => [one.module.digest, one.bytes]));
  return {
    snapshot: buildStandalone(resources, { modules }),
    keys: {
      get: (name) => {
        const found = keys.get(name);
        if (found !== undefined) return Promise.resolve(found);
        return Promise.reject(new Error(`its private key is not in "${file}"`));
      },
    },
    ...(files.some
      ? {
        renew: async () => {
          const next = await readFiles();
          return next === null ? null : buildStandalone(next, { modules });
        },
      }
      : {}),
    modules: {
      get: (digest) => {
        const found = bytes.get(digest);
        if (found !== undefined) return Promise.resolve(found);
        return Promise.reject(new Error(`There is no module "${digest}" in "${file}"`));
      },
    },
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot read the configuration "${file}": ${reason}`);
  }
}

/**
 * Takes what `denim filter build --admitted` wrote, and anything that can be pushed to a marketplace,
 * which is then metered here: no module runs without fuel.
 */
async function loadModule(name: string, path: string): Promise<Loaded> {
  // Only configurations with filters pay for the compiler.
  const [{ isBundle }, { inspect }, { FUEL_EXPORT }, { isWat }] = await Promise.all([
    import("../wasm/component/bundle.ts"),
    import("../wasm/inspect.ts"),
    import("../wasm/instrument.ts"),
    import("../wasm/wat.ts"),
  ]);
  try {
    const bytes = await readModule(path);
    if (isBundle(bytes)) return await loadedAs(name, bytes, "component");
    if (!isWat(bytes) && inspect(bytes).kind === "core") {
      const exported = WebAssembly.Module.exports(await WebAssembly.compile(bytes));
      if (exported.some((one) => one.name === FUEL_EXPORT)) {
        return await loadedAs(name, bytes, "proxy-wasm");
      }
    }
    const { makeArtefact } = await import("../control/market/artefact.ts");
    const made = await makeArtefact(bytes, { limits: { memoryMiB: DEFAULT_MEMORY_MIB } });
    return await loadedAs(name, made.artefact, made.abi);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot use the module "${name}": ${reason}`);
  }
}

/** Ceiling of a module that is metered here; a binding can only lower it. */
const DEFAULT_MEMORY_MIB = 64;

async function readModule(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const { size } = await Deno.stat(path);
  if (size > MAX_MODULE_BYTES) throw new Error(`it is larger than ${MAX_MODULE_BYTES} bytes`);
  return await Deno.readFile(path);
}

async function loadedAs(
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
  abi: AdmittedModule["abi"],
): Promise<Loaded> {
  const module = {
    name: `file:${name}`,
    version: "0.0.0",
    digest: `sha256:${await sha256(bytes)}`,
    bytes: bytes.length,
    abi,
  };
  return { module, bytes };
}

interface Problem {
  readonly resource: string;
  readonly path: string;
  readonly message: string;
  readonly document?: number;
}

function invalid(file: string, problems: readonly Problem[]): Error {
  const lines = problems.map(({ resource, document, path, message }) => {
    const where = resource === "" ? `document ${(document ?? 0) + 1}` : resource;
    return `  ${[where, path].filter((part) => part !== "").join(" ")} ${message}`;
  });
  return new Error(`Cannot run from "${file}":\n${lines.join("\n")}`);
}
