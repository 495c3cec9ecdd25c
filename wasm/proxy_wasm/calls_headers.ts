/** Host calls on header maps. */
import { QUOTA } from "../quota.ts";
import { MAP, STATUS } from "./abi.ts";
import type { HeaderMap } from "./headers.ts";
import { decodePairs, givePairs, pairsSize } from "./maps.ts";
import type { Vm } from "./vm.ts";

const NO_LINES: readonly string[] = [];

/** The map a number means for the stream a call is for; null: it is not there now. */
function mapOf(vm: Vm, map: number): HeaderMap | null {
  if (map === MAP.grpcInitialMetadata) return vm.answer.initial;
  if (map === MAP.grpcTrailingMetadata) return vm.answer.trailing;
  if (map === MAP.callHeaders) return vm.answer.headers;
  if (map === MAP.callTrailers) return vm.answer.trailers;
  const stream = vm.effective;
  if (stream === null || stream.network) return null;
  switch (map) {
    case MAP.requestHeaders:
      return stream.requestHeaders;
    case MAP.requestTrailers:
      return stream.requestTrailers;
    case MAP.responseHeaders:
      return stream.responseMap;
    case MAP.responseTrailers:
      return stream.responseTrailers;
    default:
      return null;
  }
}

/** The lines of a map that the filter may see; what came for itself it sees whole. */
function linesOf(vm: Vm, map: number): readonly string[] {
  const lines = mapOf(vm, map)?.lines() ?? NO_LINES;
  return map <= MAP.responseTrailers ? vm.host.permits.read.visible(lines) : lines;
}

/** Whether a change is granted; only maps of the exchange can be changed at all. */
function granted(vm: Vm, rule: "write" | "remove", name: string): boolean {
  if (vm.host.permits[rule].allows(name)) return true;
  vm.host.denied(`${rule} header ${name.slice(0, 100)}`);
  return false;
}

function known(map: number): boolean {
  return map >= 0 && map <= MAP.callTrailers;
}

export function getMapSize(vm: Vm) {
  return (map: number, outSize: number): number => {
    if (!known(map)) return STATUS.badArgument;
    const size = mapOf(vm, map) === null ? 0 : pairsSize(linesOf(vm, map));
    return vm.memory.setU32(outSize, size) ? STATUS.ok : STATUS.invalidMemory;
  };
}

export function getMapPairs(vm: Vm) {
  return (map: number, outPointer: number, outSize: number): number => {
    if (!known(map)) return STATUS.badArgument;
    return givePairs(vm.memory, linesOf(vm, map), outPointer, outSize);
  };
}

export function getMapValue(vm: Vm) {
  return (map: number, key: number, keySize: number, outPointer: number, outSize: number) => {
    if (!known(map)) return STATUS.badArgument;
    const name = vm.memory.text(key, keySize);
    if (name === null) return STATUS.invalidMemory;
    const lower = name.toLowerCase();
    const hidden = map <= MAP.responseTrailers && !vm.host.permits.read.allows(lower);
    const value = hidden ? undefined : mapOf(vm, map)?.get(lower);
    if (value === undefined) {
      // Version 0.1.0 did not tell a missing value from an empty one.
      return vm.abi === "0.1.0" ? vm.memory.point(0, 0, outPointer, outSize) : STATUS.notFound;
    }
    return vm.memory.giveText(value, outPointer, outSize);
  };
}

export function setMapPairs(vm: Vm) {
  return (map: number, pointer: number, size: number): number => {
    const target = mapOf(vm, map);
    if (target === null || !target.writable) return STATUS.badArgument;
    const bytes = vm.memory.view(pointer, size);
    if (bytes === null) return STATUS.invalidMemory;
    const lines = decodePairs(bytes);
    // Envoy reads malformed pairs as none and so clears the map; nobody can want that.
    if (lines === null) return STATUS.badArgument;
    if (!vm.may(QUOTA.headers)) return STATUS.internalFailure;
    return target.replace(vm.host.permits.replacement(lines, target.lines()))
      ? STATUS.ok
      : STATUS.badArgument;
  };
}

type Change = (map: HeaderMap, name: string, value: string) => boolean;

function changeMapValue(vm: Vm, change: Change) {
  return (map: number, key: number, keySize: number, value: number, valueSize: number): number => {
    const target = mapOf(vm, map);
    if (target === null || !target.writable) return STATUS.badArgument;
    const name = vm.memory.text(key, keySize);
    const text = vm.memory.text(value, valueSize);
    if (name === null || text === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.headers)) return STATUS.internalFailure;
    const lower = name.toLowerCase();
    if (!granted(vm, "write", lower)) return STATUS.internalFailure;
    return change(target, lower, text) ? STATUS.ok : STATUS.badArgument;
  };
}

export function addMapValue(vm: Vm) {
  return changeMapValue(vm, (map, name, value) => map.add(name, value));
}

export function replaceMapValue(vm: Vm) {
  return changeMapValue(vm, (map, name, value) => map.set(name, value));
}

export function removeMapValue(vm: Vm) {
  return (map: number, key: number, keySize: number): number => {
    const target = mapOf(vm, map);
    if (target === null || !target.writable) return STATUS.badArgument;
    const name = vm.memory.text(key, keySize);
    if (name === null) return STATUS.invalidMemory;
    if (!vm.may(QUOTA.headers)) return STATUS.internalFailure;
    const lower = name.toLowerCase();
    if (!granted(vm, "remove", lower)) return STATUS.internalFailure;
    return target.remove(lower) ? STATUS.ok : STATUS.badArgument;
  };
}
