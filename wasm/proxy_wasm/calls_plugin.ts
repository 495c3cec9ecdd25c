/** Host calls that concern the plugin: log, time, ticks, shared data, metrics. */
import { WASM_LIMITS } from "../limits.ts";
import { QUOTA } from "../quota.ts";
import { LOG_LEVELS, STATUS } from "./abi.ts";
import type { Vm } from "./vm.ts";

const utf8 = new TextDecoder();

/** Cuts, bounds and writes one line of a guest's log. */
export function logLine(vm: Vm, level: number, bytes: Uint8Array): void {
  if (!vm.may(QUOTA.logs)) return;
  const text = utf8.decode(bytes.subarray(0, WASM_LIMITS.logBytes)).replace(/\n$/, "");
  vm.lastLog = text;
  if (!vm.host.mayLog()) return;
  vm.host.log[LOG_LEVELS[level] ?? "info"]("wasm.log", { text });
}

export function log(vm: Vm) {
  return (level: number, pointer: number, size: number): number => {
    if (level >>> 0 > 5) return STATUS.badArgument;
    const bytes = vm.memory.view(pointer, size);
    if (bytes === null) return STATUS.invalidMemory;
    logLine(vm, level, bytes);
    return STATUS.ok;
  };
}

/** Everything is taken; what is too fine for the proxy's own level is dropped there. */
export function getLogLevel(vm: Vm) {
  return (out: number): number => vm.memory.setU32(out, 0) ? STATUS.ok : STATUS.invalidMemory;
}

export function getCurrentTime(vm: Vm) {
  return (out: number): number => {
    const nanoseconds = BigInt(Math.trunc(vm.host.clock.nowMs())) * 1_000_000n;
    return vm.memory.setU64(out, nanoseconds) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function setTickPeriod(vm: Vm) {
  return (ms: number): number => {
    const period = ms >>> 0;
    vm.setTick(period === 0 ? 0 : Math.max(period, WASM_LIMITS.minTickMs));
    return STATUS.ok;
  };
}

function keyGranted(vm: Vm, key: string): boolean {
  if (vm.host.permits.sharedData.allows(key)) return true;
  vm.host.denied(`shared key ${key.slice(0, 100)}`);
  return false;
}

export function getSharedData(vm: Vm) {
  return (key: number, keySize: number, outPointer: number, outSize: number, outCas: number) => {
    const name = vm.memory.text(key, keySize);
    if (name === null) return STATUS.invalidMemory;
    if (!keyGranted(vm, name)) return STATUS.notFound;
    const found = vm.host.shared.get(name);
    if (found === undefined) return STATUS.notFound;
    const status = vm.memory.give(found.bytes, outPointer, outSize);
    if (status !== STATUS.ok) return status;
    return vm.memory.setU32(outCas, found.cas) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function setSharedData(vm: Vm) {
  return (key: number, keySize: number, value: number, valueSize: number, cas: number): number => {
    const name = vm.memory.text(key, keySize);
    const bytes = vm.memory.copy(value, valueSize);
    if (name === null || bytes === null) return STATUS.invalidMemory;
    if (!keyGranted(vm, name) || !vm.may(QUOTA.shared)) return STATUS.internalFailure;
    return vm.host.shared.set(name, bytes, cas >>> 0);
  };
}

export function defineMetric(vm: Vm) {
  return (type: number, pointer: number, size: number, out: number): number => {
    const bytes = vm.memory.view(pointer, size);
    if (bytes === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.metrics)) return STATUS.internalFailure;
    const name = utf8.decode(bytes.subarray(0, 4 * WASM_LIMITS.metricNameChars));
    if (!vm.host.permits.metrics.allows(name)) {
      vm.host.denied(`metric ${name.slice(0, 100)}`);
      return STATUS.internalFailure;
    }
    const id = vm.host.metrics.define(type, name);
    if (id === 0) return STATUS.badArgument;
    return vm.memory.setU32(out, id) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function recordMetric(vm: Vm) {
  return (id: number, value: bigint): number =>
    vm.may(QUOTA.metrics) ? vm.host.metrics.record(id, Number(value)) : STATUS.internalFailure;
}

export function incrementMetric(vm: Vm) {
  return (id: number, delta: bigint): number =>
    vm.may(QUOTA.metrics) ? vm.host.metrics.increment(id, Number(delta)) : STATUS.internalFailure;
}

export function getMetric(vm: Vm) {
  return (id: number, out: number): number => {
    const found = vm.host.metrics.read(id);
    if (typeof found === "number") return found;
    const value = BigInt(Math.trunc(found.value));
    return vm.memory.setU64(out, value) ? STATUS.ok : STATUS.invalidMemory;
  };
}
