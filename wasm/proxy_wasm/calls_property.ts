/** Host calls on properties. */
import type { FilterContext } from "../../core/filter.ts";
import { WASM_LIMITS } from "../limits.ts";
import { QUOTA } from "../quota.ts";
import { STATUS } from "./abi.ts";
import { latin1 } from "./memory.ts";
import { getProperty as lookUp } from "./properties.ts";
import type { Vm } from "./vm.ts";

export function getProperty(vm: Vm) {
  return (path: number, pathSize: number, outPointer: number, outSize: number): number => {
    if (pathSize >>> 0 > WASM_LIMITS.propertyPathBytes) return STATUS.notFound;
    const bytes = vm.memory.view(path, pathSize);
    if (bytes === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.properties)) return STATUS.internalFailure;
    const segments = pathOf(bytes);
    const key = segments.join(".");
    if (!granted(vm, key)) return STATUS.notFound;
    const value = lookUp(vm, segments, key) ?? leftBy(vm, key);
    return value === null ? STATUS.notFound : vm.memory.give(value, outPointer, outSize);
  };
}

/** Kept apart from the proxy's own properties, which it cannot shadow. */
export function setProperty(vm: Vm) {
  return (path: number, pathSize: number, value: number, valueSize: number): number => {
    if (pathSize >>> 0 > WASM_LIMITS.propertyPathBytes) return STATUS.notFound;
    const name = vm.memory.view(path, pathSize);
    const bytes = vm.memory.copy(value, valueSize);
    if (name === null || bytes === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.properties)) return STATUS.internalFailure;
    const key = pathOf(name).join(".");
    if (!granted(vm, key)) return STATUS.internalFailure;
    return leave(vm, key, bytes) ? STATUS.ok : STATUS.notFound;
  };
}

function granted(vm: Vm, path: string): boolean {
  if (vm.host.permits.properties.allows(path)) return true;
  vm.host.denied(`property ${path.slice(0, 100)}`);
  return false;
}

/** What filters left for later ones of the same exchange, as Envoy's filter state "wasm." + path. */
const LEFT = new WeakMap<FilterContext, Map<string, Uint8Array>>();

/** False: there is no exchange, or it has too much of it. */
export function leave(vm: Vm, key: string, bytes: Uint8Array): boolean {
  const exchange = vm.effective?.exchange ?? null;
  if (exchange === null || bytes.length > WASM_LIMITS.propertyBytes) return false;
  let properties = LEFT.get(exchange);
  if (properties === undefined) LEFT.set(exchange, properties = new Map());
  if (properties.size >= WASM_LIMITS.properties && !properties.has(key)) return false;
  properties.set(key, bytes);
  return true;
}

function leftBy(vm: Vm, key: string): Uint8Array | null {
  const exchange = vm.effective?.exchange ?? null;
  const properties = exchange === null ? undefined : LEFT.get(exchange);
  if (properties === undefined) return null;
  const prefix = "filter_state.wasm.";
  return properties.get(key.startsWith(prefix) ? key.slice(prefix.length) : key) ?? null;
}

/** Segments end in NUL or are parted by it, as SDKs differ. */
function pathOf(bytes: Uint8Array): string[] {
  const segments = latin1(bytes).split("\0");
  if (segments.length > 1 && segments.at(-1) === "") segments.pop();
  return segments;
}
