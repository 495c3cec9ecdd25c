/**
 * Everything a module says of itself without running: what it is, may touch and would cost. For who has been handed
 * a `.wasm` and wants to know what to expect of it.
 */
import { CAPABILITIES, type Capability } from "./capabilities.ts";
import { inspect, type Inspection } from "./inspect.ts";
import { instrument, INSTRUMENTER_VERSION } from "./instrument.ts";
import { PAGE_BYTES, WASM_LIMITS } from "./limits.ts";
import { binaryKind, type CoreModule, parseModule } from "./parse.ts";
import { FOREIGN, PHRASES } from "./proxy_wasm/phrases.ts";
import { ModuleError } from "./reader.ts";
import { worldProblem } from "./worlds.ts";
import { tracesOf } from "./sdk_traces.ts";

export interface Explanation {
  readonly kind: "core" | "component";
  readonly abi: string;
  readonly language: string;
  readonly sdk: string;
  readonly tools: readonly string[];
  readonly hooks: readonly string[];
  /** What it imports and what that means; null: no host here has it. */
  readonly imports: readonly { readonly name: string; readonly means: string | null }[];
  readonly capabilities: readonly { readonly name: Capability; readonly means: string }[];
  readonly sizeBytes: number;
  readonly memory: Inspection["memory"];
  /** Elements of each table, at the start and at most. */
  readonly tables: readonly { readonly min: number; readonly max: number | null }[];
  /** Null: it cannot be metered, and `problems` says why. */
  readonly metering: {
    readonly bytes: number;
    readonly ms: number;
    readonly instrumenter: string;
  } | null;
  /** What keeps it from running, or from running well. */
  readonly problems: readonly Problem[];
}

export interface Problem {
  /** It will not be admitted. */
  readonly fatal: boolean;
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** Throws {@link ModuleError} when it is no WebAssembly. */
export function explain(
  bytes: Uint8Array,
  memoryBytes: number = WASM_LIMITS.memoryBytes,
): Explanation {
  const inspection = inspect(bytes);
  const core = binaryKind(bytes) === "core" ? parseModule(bytes) : null;
  const problems = core === null ? [] : problemsOf(core, inspection, memoryBytes);
  const metering = core === null ? null : meter(bytes, memoryBytes, problems);
  const { sdk, tools } = tracesOf(bytes);
  return {
    kind: inspection.kind,
    abi: inspection.abi,
    language: inspection.language,
    sdk,
    tools,
    hooks: inspection.hooks,
    imports: inspection.imports.map((name) => ({ name, means: meaningOf(name, inspection) })),
    capabilities: inspection.capabilities.map((name) => ({ name, means: CAPABILITIES[name] })),
    sizeBytes: bytes.length,
    memory: inspection.memory,
    tables: core === null ? [] : core.tables.map(({ min, max }) => ({ min, max })),
    metering,
    problems: core === null ? worldProblems(inspection) : [
      ...problems,
      ...unknownImports(inspection),
    ],
  };
}

function meter(
  bytes: Uint8Array,
  memoryBytes: number,
  problems: Problem[],
): Explanation["metering"] {
  const from = performance.now();
  try {
    const metered = instrument(bytes, {
      maxPages: Math.floor(memoryBytes / PAGE_BYTES),
      maxTable: WASM_LIMITS.tableElements,
    });
    const ms = Math.round((performance.now() - from) * 100) / 100;
    return { bytes: metered.length, ms, instrumenter: String(INSTRUMENTER_VERSION) };
  } catch (error) {
    if (!(error instanceof ModuleError)) throw error;
    if (!problems.some((problem) => problem.fatal)) {
      problems.push({ fatal: true, what: error.message, remedy: remedyFor(error.message) });
    }
    return null;
  }
}

/** By what admission says against it. */
function remedyFor(refusal: string): string {
  if (/shared|atomic/.test(refusal)) {
    return "compile without threads: waiting would stop the proxy's only one";
  }
  if (/64-bit/.test(refusal)) return "compile for wasm32";
  if (/more than|too large|has \d+/.test(refusal)) {
    return "make it smaller, or split it into several filters";
  }
  return "compile for plain wasm32 with the published SDK of the language";
}

function problemsOf(module: CoreModule, inspection: Inspection, memoryBytes: number): Problem[] {
  const found: Problem[] = [];
  if (inspection.abi === "unknown") {
    const wasi = module.exports.some((one) => one.name === "_start");
    found.push({
      fatal: true,
      what: "it exports no proxy_abi_version_* marker, so it is no Proxy-Wasm filter",
      remedy: wasi
        ? "it looks like a program (it exports _start): build it as a library with a Proxy-Wasm SDK"
        : "build it with a Proxy-Wasm SDK, or export the marker and the callbacks",
    });
  }
  const { minBytes } = inspection.memory;
  if (minBytes > memoryBytes) {
    found.push({
      fatal: true,
      what: `it starts with ${minBytes} bytes of memory, more than the ${memoryBytes} it may have`,
      remedy:
        "set limits.memoryMiB in denim.filter.yaml, or link it with less initial memory and stack",
    });
  }
  const names = new Set(module.exports.map((one) => one.name));
  const takes = inspection.imports.some((name) =>
    /proxy_get_(?:header_map|buffer|property|shared)/.test(name)
  );
  if (takes && !names.has("proxy_on_memory_allocate") && !names.has("malloc")) {
    found.push({
      fatal: false,
      what:
        "it exports neither proxy_on_memory_allocate nor malloc, so it can be handed nothing it asks for",
      remedy: "export an allocator",
    });
  }
  const forConnections = inspection.exports.some((name) =>
    /^proxy_on_(?:new_connection|(?:downstream|upstream)_data)$/.test(name)
  );
  if (inspection.hooks.length === 0 && inspection.abi !== "unknown" && !forConnections) {
    found.push({
      fatal: false,
      what: "it hooks nothing",
      remedy: "export a callback such as proxy_on_request_headers",
    });
  }
  if (inspection.language === "tinygo") {
    found.push({
      fatal: false,
      what: "TinyGo's garbage collector is known to leak in filters that run long",
      remedy: "build with Go 1.24 or later itself: -buildmode=c-shared",
    });
  }
  return found;
}

/** As admission would refuse a component of another world. */
function worldProblems({ imports, exports }: Inspection): Problem[] {
  const what = worldProblem(imports, exports);
  if (what === null) return [];
  return [{ fatal: true, what, remedy: "build it against a world of denim:filter (wasm/wit)" }];
}

function unknownImports({ unknownImports }: Inspection): Problem[] {
  return unknownImports.map((name) => {
    const own = name.slice(name.indexOf(".") + 1);
    const foreign = FOREIGN.find(([pattern]) => pattern.test(own))?.[1];
    return {
      fatal: false,
      what: `it imports ${name}, which no host here has; calling it fails`,
      remedy: foreign ?? "see whether the filter works without: a test of what needs it will tell",
    };
  });
}

function meaningOf(name: string, inspection: Inspection): string | null {
  if (inspection.unknownImports.includes(name)) return null;
  const [from, call] = [name.slice(0, name.indexOf(".")), name.slice(name.indexOf(".") + 1)];
  if (from === "env") {
    return Object.hasOwn(PHRASES, call) ? PHRASES[call as keyof typeof PHRASES] : null;
  }
  if (from.startsWith("wasi_")) {
    return WASI_WORDS[call] ?? "a function of WASI, answered with what a filter may know";
  }
  const words: Record<string, string> = {
    "denim:filter/host": "reads the clock, chance and properties of the exchange, and logs",
    "denim:filter/kv": "keeps data between exchanges",
    "denim:filter/metrics": "defines and records metrics",
    "denim:filter/http": "may call other services over HTTP",
    "denim:filter/types": "only names of types",
  };
  return words[name.split("@")[0]!] ?? "an interface of WASI";
}

const WASI_WORDS: Readonly<Record<string, string>> = {
  fd_write: "prints, which goes to the proxy's log",
  clock_time_get: "reads the clock",
  random_get: "asks for random bytes",
  environ_get: "reads the environment, which is empty",
  environ_sizes_get: "reads the environment, which is empty",
  args_get: "reads the command line, which is empty",
  args_sizes_get: "reads the command line, which is empty",
  proc_exit: "ends itself, which counts as a trap",
  sched_yield: "lets others run, which does nothing",
  poll_oneoff: "waits, which never takes time here",
};
