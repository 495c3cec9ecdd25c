/** Gives an instance its imports: host calls it was granted, refusals for the rest, stubs for the unknown. */
import type { CompiledModule } from "../module.ts";
import { STATUS } from "./abi.ts";
import { HOST_CALLS, type HostCall, WASI_MODULES } from "./catalogue.ts";
import { CALLS } from "./hostcalls.ts";
import { CALL_TYPES, checkSignature } from "./signatures.ts";
import type { Vm } from "./vm.ts";
import { WASI, WASI_UNKNOWN } from "./wasi.ts";

/** Calls that decide by their arguments what they must be granted. */
const SELF_CHECKED: ReadonlySet<string> = new Set([
  "proxy_get_buffer_bytes",
  "proxy_get_buffer_status",
  "proxy_set_buffer_bytes",
]);

/** Nothing is missing at link time: what is not there answers with an error when it is called. */
export function linkImports(compiled: CompiledModule, vm: Vm): WebAssembly.Imports {
  // Without prototypes: a module may import from "__proto__" or "constructor", which are names like any other.
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = Object.create(null);
  for (const { module, name, kind, params, results } of compiled.imports) {
    if (kind !== "function") {
      throw new WebAssembly.LinkError(`The module imports the ${kind} ${module}.${name}`);
    }
    checkSignature(module, name, params, results);
    const own = imports[module] ??= Object.create(null) as typeof imports[string];
    own[name] = functionFor(vm, module, name, results[0] ?? null) as WebAssembly.ImportValue;
  }
  return imports;
}

function functionFor(
  vm: Vm,
  module: string,
  name: string,
  result: number | null,
): (...args: never[]) => unknown {
  if (WASI_MODULES.includes(module)) {
    return Object.hasOwn(WASI, name) ? WASI[name]!(vm) : stub(WASI_UNKNOWN, result);
  }
  if (module === "env" && Object.hasOwn(HOST_CALLS, name)) {
    const call = name as HostCall;
    const capability = HOST_CALLS[call];
    if (capability === null || SELF_CHECKED.has(call) || vm.host.capabilities.has(capability)) {
      return vm.ring.recording(call, CALL_TYPES[call], CALLS[call](vm));
    }
    return vm.ring.recording(call, CALL_TYPES[call], () => {
      vm.host.denied(call);
      return STATUS.internalFailure;
    });
  }
  return stub(STATUS.internalFailure, result);
}

/** Answers in the type the module declared, or the call would throw. */
function stub(status: number, result: number | null): () => unknown {
  if (result === I64) return () => BigInt(status);
  return () => status;
}

const I64 = 0x7e;
