/**
 * What a module is, hooks and may touch, read from the module itself: nothing of it is declared.
 * The control plane and the CLI show it; a proxy does not need it.
 */
import { CAPABILITIES, type Capability } from "./capabilities.ts";
import { type ConfigSchema, configSchemaOf } from "./config_schema.ts";
import { componentNames, nestedModules } from "./component_names.ts";
import { PAGE_BYTES } from "./limits.ts";
import { guessLanguage, type Language } from "./language.ts";
import { binaryKind, type CoreModule, parseModule } from "./parse.ts";
import { ABI_MARKERS } from "./proxy_wasm/abi.ts";
import { HOST_CALLS, type HostCall, WASI_MODULES } from "./proxy_wasm/catalogue.ts";
import { HANDLER_EXPORT } from "./worlds.ts";
import { WASI } from "./proxy_wasm/wasi.ts";
import { ModuleError } from "./reader.ts";

export type HookName =
  | "request-headers"
  | "request-body"
  | "request-trailers"
  | "response-headers"
  | "response-body"
  | "response-trailers"
  | "tick"
  | "log";

/** An import or export as people read it: `env.proxy_log`, `proxy_on_log`, `denim:filter/host@0.1.0`. */
export interface Inspection {
  readonly kind: "core" | "component";
  /** `proxy-wasm 0.2.1`, `denim:filter@0.1.0`, or "unknown". */
  readonly abi: string;
  readonly imports: readonly string[];
  readonly exports: readonly string[];
  /** From the exports; a component says its hooks when it is configured, so here it has none. */
  readonly hooks: readonly HookName[];
  readonly capabilities: readonly Capability[];
  /** The capabilities in words. */
  readonly touches: readonly string[];
  readonly language: Language;
  readonly memory: { readonly minBytes: number; readonly maxBytes: number | null };
  readonly size: number;
  /** Imports no host call of ours answers; calling one fails, importing it does not. */
  readonly unknownImports: readonly string[];
  /** What its configuration may be; absent: it does not say. */
  readonly configSchema?: ConfigSchema;
}

const HOOKS: Readonly<Record<HookName, string>> = {
  "request-headers": "proxy_on_request_headers",
  "request-body": "proxy_on_request_body",
  "request-trailers": "proxy_on_request_trailers",
  "response-headers": "proxy_on_response_headers",
  "response-body": "proxy_on_response_body",
  "response-trailers": "proxy_on_response_trailers",
  "tick": "proxy_on_tick",
  "log": "proxy_on_log",
};

/** Reads a module or component; throws {@link ModuleError} when it is neither. */
export function inspect(bytes: Uint8Array): Inspection {
  switch (binaryKind(bytes)) {
    case "core":
      return inspectModule(bytes, parseModule(bytes));
    case "component":
      return inspectComponent(bytes);
    default:
      throw new ModuleError("wasm.not_wasm", "Not WebAssembly: the first eight bytes differ", 0);
  }
}

function inspectModule(bytes: Uint8Array, module: CoreModule): Inspection {
  const exported = new Set(module.exports.map((e) => e.name));
  const marker = Object.keys(ABI_MARKERS).find((name) => exported.has(name));
  const capabilities = moduleCapabilities(module, exported);
  const hooks = (Object.keys(HOOKS) as HookName[]).filter((hook) =>
    exported.has(HOOKS[hook]) && (hook !== "tick" || capabilities.includes("tick"))
  );
  return {
    kind: "core",
    abi: marker === undefined ? "unknown" : `proxy-wasm ${ABI_MARKERS[marker]}`,
    imports: module.imports.map((i) => `${i.module}.${i.name}`),
    exports: [...exported],
    hooks,
    capabilities,
    touches: capabilities.map((c) => CAPABILITIES[c]),
    language: guessLanguage(bytes, [module]),
    memory: memoryOf([module]),
    size: bytes.length,
    unknownImports: module.imports.filter((i) => !isKnown(i.module, i.name))
      .map((i) => `${i.module}.${i.name}`),
  };
}

/** Bodies count only when the module hooks them: every SDK imports these calls to read its configuration. */
function moduleCapabilities(module: CoreModule, exported: ReadonlySet<string>): Capability[] {
  const bodies = exported.has(HOOKS["request-body"]) || exported.has(HOOKS["response-body"]);
  const found = new Set<Capability>();
  for (const { module: from, name } of module.imports) {
    if (from !== "env" || !Object.hasOwn(HOST_CALLS, name)) continue;
    const capability = HOST_CALLS[name as HostCall];
    if (capability === null) continue;
    if ((capability === "body-read" || capability === "body-write") && !bodies) continue;
    found.add(capability);
  }
  return (Object.keys(CAPABILITIES) as Capability[]).filter((c) => found.has(c));
}

function isKnown(module: string, name: string): boolean {
  if (module === "env") return Object.hasOwn(HOST_CALLS, name);
  return WASI_MODULES.includes(module) && Object.hasOwn(WASI, name);
}

/** What each interface of `denim:filter` lets a component touch. */
const INTERFACES: Readonly<Record<string, readonly Capability[]>> = {
  "denim:filter/types": [],
  "denim:filter/host": ["properties-read"],
  "denim:filter/metrics": ["metrics"],
  "denim:filter/kv": ["shared-data"],
  "denim:filter/http": ["http-call"],
};

/** Through verdicts and edits every component filter can do these; which it does, its configure() says. */
const FILTER_WORLD: readonly Capability[] = ["headers-read", "headers-write", "local-reply"];

/** A handler is given the whole request and answers it. */
const HANDLER_WORLD: readonly Capability[] = ["headers-read", "body-read", "local-reply"];

function inspectComponent(bytes: Uint8Array): Inspection {
  const { imports, exports } = componentNames(bytes);
  const modules = nestedModules(bytes).flatMap((nested) => {
    try {
      return [parseModule(nested)];
    } catch {
      return []; // a part we cannot read still shows in size; admission refuses it by instrumenting it
    }
  });
  const filter = exports.find((name) => name.startsWith("denim:filter/filter"));
  const version = filter?.split("@")[1];
  const handler = exports.find((name) => HANDLER_EXPORT.test(name));
  const found = new Set<Capability>(
    filter !== undefined ? FILTER_WORLD : handler !== undefined ? HANDLER_WORLD : [],
  );
  for (const name of imports) {
    for (const capability of INTERFACES[name.split("@")[0]!] ?? []) found.add(capability);
  }
  const capabilities = (Object.keys(CAPABILITIES) as Capability[]).filter((c) => found.has(c));
  const configSchema = configSchemaOf(bytes);
  return {
    ...configSchema === null ? {} : { configSchema },
    kind: "component",
    abi: filter === undefined ? handler ?? "unknown" : `denim:filter@${version ?? "0"}`,
    imports,
    exports,
    hooks: [],
    capabilities,
    touches: capabilities.map((c) => CAPABILITIES[c]),
    language: guessLanguage(bytes, modules),
    memory: memoryOf(modules),
    size: bytes.length,
    unknownImports: imports.filter((name) =>
      !Object.hasOwn(INTERFACES, name.split("@")[0]!) && !name.startsWith("wasi:")
    ),
  };
}

function memoryOf(modules: readonly CoreModule[]): Inspection["memory"] {
  let min = 0;
  let max: number | null = 0;
  for (const { memories } of modules) {
    for (const memory of memories) {
      min += memory.min;
      max = max === null || memory.max === null ? null : max + memory.max;
    }
  }
  return { minBytes: min * PAGE_BYTES, maxBytes: max === null ? null : max * PAGE_BYTES };
}
