/** The little of WASI preview 1 that filters' language runtimes need: output, clock, randomness, exit; no files, no network. */
import { crypto } from "../../core/std_crypto.ts";
import { WASM_LIMITS } from "../limits.ts";
import { logLine } from "./calls_plugin.ts";
import { GuestExit } from "./trap.ts";
import type { Vm } from "./vm.ts";

const ERRNO = {
  ok: 0,
  badf: 8,
  fault: 21,
  inval: 28,
  noent: 44,
  nosys: 52,
  notcapable: 76,
} as const;
const STDOUT = 1, STDERR = 2;
const INFO = 2, ERROR = 4;
const RIGHTS_FD_WRITE = 64n;
const MAX_IOVECS = 1024;

type WasiCall = (vm: Vm) => (...args: never[]) => number;

/** A call that only says which error it is. */
function refuses(errno: number): WasiCall {
  return () => () => errno;
}

export const WASI: Readonly<Record<string, WasiCall>> = {
  fd_write: (vm) => (fd: number, iovecs: number, count: number, outWritten: number): number => {
    if (fd !== STDOUT && fd !== STDERR) return ERRNO.badf;
    if (count >>> 0 > MAX_IOVECS) return ERRNO.inval;
    let written = 0;
    const parts: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const pointer = vm.memory.u32((iovecs >>> 0) + i * 8);
      const length = vm.memory.u32((iovecs >>> 0) + i * 8 + 4);
      const part = pointer === null || length === null ? null : vm.memory.view(pointer, length);
      if (part === null) return ERRNO.fault;
      if (written < WASM_LIMITS.logBytes) parts.push(part);
      written += part.length;
    }
    if (written > 0) logLine(vm, fd === STDOUT ? INFO : ERROR, joined(parts));
    return vm.memory.setU32(outWritten, written) ? ERRNO.ok : ERRNO.fault;
  },
  clock_time_get: (vm) => (id: number, _precision: bigint, out: number): number => {
    if (id !== 0 && id !== 1) return ERRNO.inval;
    const ms = id === 0 ? vm.host.clock.nowMs() : vm.host.clock.monotonicMs();
    return vm.memory.setU64(out, BigInt(Math.round(ms * 1000)) * 1000n) ? ERRNO.ok : ERRNO.fault;
  },
  clock_res_get: (vm) => (_id: number, out: number): number =>
    vm.memory.setU64(out, 1000n) ? ERRNO.ok : ERRNO.fault,
  random_get: (vm) => (pointer: number, length: number): number => {
    if (length >>> 0 > WASM_LIMITS.randomBytes) return ERRNO.inval;
    const target = vm.memory.view(pointer, length);
    if (target === null) return ERRNO.fault;
    crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
    return ERRNO.ok;
  },
  environ_sizes_get: zeroes,
  environ_get: refuses(ERRNO.ok),
  args_sizes_get: zeroes,
  args_get: refuses(ERRNO.ok),
  proc_exit: (vm) => (code: number): number => {
    vm.drain();
    throw new GuestExit(code);
  },
  sched_yield: refuses(ERRNO.ok),
  // Go's runtime aborts on anything but success without events.
  poll_oneoff: (vm) => (_in: number, _out: number, _count: number, outEvents: number): number =>
    vm.memory.setU32(outEvents, 0) ? ERRNO.ok : ERRNO.fault,
  fd_fdstat_get: (vm) => (fd: number, out: number): number => {
    if (fd !== STDOUT && fd !== STDERR) return ERRNO.badf;
    const target = vm.memory.view(out, 24);
    if (target === null) return ERRNO.fault;
    target.fill(0);
    vm.memory.setU64((out >>> 0) + 8, RIGHTS_FD_WRITE);
    return ERRNO.ok;
  },
  fd_prestat_get: refuses(ERRNO.badf),
  fd_prestat_dir_name: refuses(ERRNO.nosys),
  fd_read: refuses(ERRNO.nosys),
  fd_seek: refuses(ERRNO.ok),
  fd_close: refuses(ERRNO.ok),
  fd_fdstat_set_flags: refuses(ERRNO.nosys),
  fd_filestat_get: refuses(ERRNO.badf),
  path_open: refuses(ERRNO.noent),
};

/** What every other WASI function says. */
export const WASI_UNKNOWN: number = ERRNO.nosys;

function zeroes(vm: Vm) {
  return (outCount: number, outSize: number): number =>
    vm.memory.setU32(outCount, 0) && vm.memory.setU32(outSize, 0) ? ERRNO.ok : ERRNO.fault;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(Math.min(length, WASM_LIMITS.logBytes));
  let at = 0;
  for (const part of parts) {
    const room = part.subarray(0, whole.length - at);
    whole.set(room, at);
    at += room.length;
  }
  return whole;
}
