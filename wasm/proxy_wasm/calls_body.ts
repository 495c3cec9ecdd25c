/** Host calls on buffers: bodies and configuration. */
import { WASM_LIMITS } from "../limits.ts";
import { BUFFER, STATUS } from "./abi.ts";
import { EMPTY, type Half } from "./context.ts";
import type { Vm } from "./vm.ts";

function halfOf(vm: Vm, buffer: number): Half | null {
  const stream = vm.effective;
  if (stream === null) return null;
  const half = stream.half(buffer & 1); // bodies are 0 and 1, bytes of a connection 2 and 3
  if (stream.network !== buffer >= BUFFER.downstreamData) return null;
  return half.open || half.buffer.length > 0 ? half : null;
}

function bytesOf(vm: Vm, buffer: number): Uint8Array | null {
  switch (buffer) {
    case BUFFER.requestBody:
    case BUFFER.responseBody:
    case BUFFER.downstreamData:
    case BUFFER.upstreamData:
      return halfOf(vm, buffer)?.buffer ?? null;
    case BUFFER.callBody:
      return vm.answer.body;
    case BUFFER.grpcMessage:
      return vm.answer.received;
    case BUFFER.vmConfig:
      return EMPTY;
    case BUFFER.pluginConfig:
      return vm.host.config;
    default:
      return null;
  }
}

function known(buffer: number): boolean {
  return buffer >= 0 && buffer <= BUFFER.foreign;
}

/** Configuration and answers are a filter's own; bodies must have been granted. */
function granted(vm: Vm, buffer: number, call: string, capability: string): boolean {
  if (buffer >= BUFFER.callBody || vm.host.capabilities.has(capability)) return true;
  vm.host.denied(call);
  return false;
}

export function getBufferBytes(vm: Vm) {
  return (buffer: number, start: number, max: number, outPointer: number, outSize: number) => {
    if (!known(buffer)) return STATUS.badArgument;
    if (!granted(vm, buffer, "proxy_get_buffer_bytes", "body-read")) return STATUS.internalFailure;
    const from = start >>> 0, count = max >>> 0;
    if (from + count > 0xffff_ffff) return STATUS.badArgument;
    const bytes = bytesOf(vm, buffer);
    if (bytes === null) return STATUS.notFound;
    const given = bytes.subarray(from, from + count);
    // @solo-io/proxy-runtime 0.1.8 asks for its configuration with the length as the address of the
    // length, and takes the length from the allocation: nothing has to be an allocation as well.
    if (given.length === 0 && outSize === 0) {
      return vm.memory.point(vm.memory.allocate(0), 0, outPointer, outSize);
    }
    return vm.memory.give(given, outPointer, outSize);
  };
}

export function getBufferStatus(vm: Vm) {
  return (buffer: number, outLength: number, outFlags: number): number => {
    if (!known(buffer)) return STATUS.badArgument;
    if (!granted(vm, buffer, "proxy_get_buffer_status", "body-read")) return STATUS.internalFailure;
    const bytes = bytesOf(vm, buffer);
    if (bytes === null) return STATUS.notFound;
    return vm.memory.point(bytes.length, 0, outLength, outFlags);
  };
}

/** Puts bytes in place of `size` bytes at `start`: nothing at 0 prepends, past the end appends. */
export function setBufferBytes(vm: Vm) {
  return (buffer: number, start: number, size: number, pointer: number, length: number): number => {
    if (buffer >>> 0 > BUFFER.upstreamData) return STATUS.badArgument;
    if (!granted(vm, buffer, "proxy_set_buffer_bytes", "body-write")) return STATUS.internalFailure;
    const half = halfOf(vm, buffer);
    if (half === null || !half.open) return STATUS.notFound;
    const value = vm.memory.view(pointer, length);
    if (value === null) return STATUS.invalidMemory;
    const old = half.buffer;
    const from = Math.min(start >>> 0, old.length);
    const to = Math.min(from + (size >>> 0), old.length);
    const total = from + value.length + old.length - to;
    if (total > WASM_LIMITS.bodyBytes) return STATUS.badArgument;
    vm.memory.charge(total);
    const next = new Uint8Array(total);
    next.set(old.subarray(0, from));
    next.set(value, from);
    next.set(old.subarray(to), from + value.length);
    half.buffer = next;
    return STATUS.ok;
  };
}

/** Version 0.1.0 only. */
export function getConfiguration(vm: Vm) {
  return (outPointer: number, outSize: number): number =>
    vm.memory.give(vm.configuring ? vm.host.config : EMPTY, outPointer, outSize);
}
