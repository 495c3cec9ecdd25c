/** Gives an instance its imports: host calls it was granted, refusals for the rest, stubs for the unknown. */
import type { CompiledModule } from "../module.ts";
import { STATUS } from "./abi.ts";
import { HOST_CALLS, type HostCall, WASI_MODULES } from "./catalogue.ts";
import { CALLS } from "./hostcalls.ts";
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
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name, kind, result } of compiled.imports) {
    if (kind !== "function") {
      throw new WebAssembly.LinkError(`The module imports the ${kind} ${module}.${name}`);
    }
    const own = imports[module] ??= {};
    own[name] = functionFor(vm, module, name, result) as WebAssembly.ImportValue;
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
      return CALLS[call](vm);
    }
    return () => {
      vm.host.denied(call);
      return STATUS.internalFailure;
    };
  }
  return stub(STATUS.internalFailure, result);
}

/** Answers in the type the module declared, or the call would throw. */
function stub(status: number, result: number | null): () => unknown {
  if (result === I64) return () => BigInt(status);
  return () => status;
}

const I64 = 0x7e;
