/** The shape of every core Wasm instruction V8 takes: how long its immediates are and what it costs (core spec §5.4). */
import { skipValueType } from "./parse.ts";
import { ModuleError, type Reader } from "./reader.ts";

export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  try: 0x06,
  catch: 0x07,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  returnCall: 0x12,
  delegate: 0x18,
  catchAll: 0x19,
  tryTable: 0x1f,
  localGet: 0x20,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  tableSet: 0x26,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  i64LessSigned: 0x53,
  i64Sub: 0x7d,
  i64ShiftLeft: 0x86,
  i64ShiftRightUnsigned: 0x88,
  i64ExtendU32: 0xad,
  brOnNull: 0xd5,
  brOnNonNull: 0xd6,
  gc: 0xfb,
  misc: 0xfc,
  simd: 0xfd,
  atomic: 0xfe,
} as const;

const EMPTY_BLOCK = 0x40;

/**
 * Steps over the immediates of `op`. Returns the second opcode of a prefixed instruction, the callee
 * of a direct call, the (last) label of a branch, one more than the type index of a construct that has
 * one, and 0 for all others.
 */
export function skipImmediates(reader: Reader, op: number): number {
  if (op >= 0x45 && op <= 0xc4) return 0; // comparisons, arithmetic, conversions, sign extension
  if (op >= 0x28 && op <= 0x3e) return memoryArgument(reader);
  if (op >= 0x20 && op <= 0x26) return drop(reader.u32()); // local.*, global.*, table.get/set
  switch (op) {
    case 0x00: // unreachable
    case 0x01: // nop
    case 0x05: // else
    case 0x0a: // throw_ref
    case 0x0b: // end
    case 0x0f: // return
    case 0x19: // catch_all
    case 0x1a: // drop
    case 0x1b: // select
    case 0xd1: // ref.is_null
    case 0xd3: // ref.eq
    case 0xd4: // ref.as_non_null
      return 0;
    case 0x02:
    case 0x03:
    case 0x04:
    case 0x06:
      return blockType(reader);
    case 0x0c: // br
    case 0x0d: // br_if
    case 0x10: // call
    case 0x12: // return_call
    case 0xd5: // br_on_null
    case 0xd6: // br_on_non_null
      return reader.u32();
    case 0x07: // catch
    case 0x08: // throw
    case 0x09: // rethrow
    case 0x14: // call_ref
    case 0x15: // return_call_ref
    case 0x18: // delegate
    case 0x3f: // memory.size
    case 0x40: // memory.grow
    case 0xd2: // ref.func
      return drop(reader.u32());
    case 0x11: // call_indirect
    case 0x13: // return_call_indirect
      reader.u32();
      return drop(reader.u32());
    case 0x0e: // br_table: labels and the default
      for (let left = reader.u32(); left > 0; left--) reader.u32();
      return reader.u32();
    case 0x1c: // select with types
      for (let left = reader.u32(); left > 0; left--) skipValueType(reader);
      return 0;
    case 0x1f:
      return tryTable(reader);
    case 0x41:
    case 0x42:
    case 0xd0: // ref.null: a heap type
      return drop(reader.skipLeb());
    case 0x43:
      return drop(reader.skip(4));
    case 0x44:
      return drop(reader.skip(8));
    case 0xfc:
      return misc(reader);
    case 0xfd:
      return simd(reader);
    case 0xfe:
      return atomic(reader);
    case 0xfb:
      throw new ModuleError(
        "wasm.unsupported",
        "The module uses garbage-collected objects; build it without the GC proposal",
        reader.at - 1,
      );
    default:
      throw unknown(reader, op);
  }
}

/** Fuel one instruction costs; roughly its time in units of a plain one. */
export function costOf(op: number, second: number): number {
  if (op <= OP.loop || op === OP.else || op === OP.end) return 0; // structure: no work of its own
  if (op === OP.memoryGrow) return MEMORY_GROW_COST;
  if (op >= 0x08 && op <= 0x0a) return THROW_COST;
  if (op >= 0x28 && op <= 0x3e) return MEMORY_COST;
  if ((op >= 0x6d && op <= 0x70) || (op >= 0x7f && op <= 0x82)) return 8; // integer division
  if (FLOATS.has(op)) return FLOAT_COST;
  if (op === 0x11 || op === 0x13 || op === 0x14 || op === 0x15) return 4; // calls through a reference
  if (op === OP.tableSet) return 16; // a write barrier, and a dispatch table beside the table
  if (op === OP.misc && second >= 8) return BULK_COST;
  if (op === OP.atomic) return second === 0 ? 64 : 8; // memory.atomic.notify calls the runtime
  if (op === OP.simd) {
    if (second <= 11 || (second >= 84 && second <= 93)) return MEMORY_COST;
    return SIMD_FLOATS.has(second) ? 2 * FLOAT_COST : 2;
  }
  return 1;
}

/**
 * Multiplying, dividing, taking roots of and converting between floats takes a hundred times longer than
 * usual where a number is denormal, and it is the filter that chooses the numbers.
 */
export const FLOAT_COST = 12;
/** sqrt, mul and div of f32 and f64; f32.demote_f64, f64.promote_f32. */
const FLOATS: ReadonlySet<number> = new Set([
  ...[0x91, 0x94, 0x95, 0x9f, 0xa2, 0xa3, 0xb6, 0xbb],
]);
/** The same on vectors: demote, promote, sqrt, mul, div, and the relaxed multiply-adds. */
const SIMD_FLOATS: ReadonlySet<number> = new Set([
  ...[0x5e, 0x5f, 0xe3, 0xe6, 0xe7, 0xef, 0xf2, 0xf3, 0x105, 0x106, 0x107, 0x108],
]);

/** A load or store may miss every cache, and then takes as long as a hundred plain instructions. */
export const MEMORY_COST = 4;
/** A call of memory.grow is a call into the runtime, even when it grows by nothing. */
export const MEMORY_GROW_COST = 2000;
/** A throw allocates, takes a stack trace and searches for its handler. */
export const THROW_COST = 1000;
export const BULK_COST = 64;

/** The bulk instructions whose work grows with their last operand: 16 bytes per fuel, 16 fuel per element. */
export function bulkShift(op: number, second: number): number | null {
  if (op !== OP.misc) return null;
  switch (second) {
    case 8: // memory.init
    case 10: // memory.copy
    case 11: // memory.fill
      return 4;
    case 12: // table.init
    case 14: // table.copy
    case 15: // table.grow
    case 17: // table.fill
      return -4;
    default:
      return null;
  }
}

/** One more than the type index, or 0 when the type is a value type or none. */
function blockType(reader: Reader): number {
  const at = reader.at, first = reader.bytes[at];
  if (first === EMPTY_BLOCK) return drop(reader.u8());
  if (first === 0x63 || first === 0x64) return drop(skipValueType(reader));
  reader.skipLeb();
  let index = 0;
  for (let i = at; i < reader.at; i++) {
    index += (reader.bytes[i]! & 0x7f) * 2 ** (7 * (i - at));
  }
  const negative = (reader.bytes[reader.at - 1]! & 0x40) !== 0; // value types are negative numbers
  return negative ? 0 : index + 1;
}

function memoryArgument(reader: Reader): number {
  const align = reader.u32();
  if ((align & 0x40) !== 0) reader.u32(); // multi-memory: an index follows
  reader.skipLeb();
  return 0;
}

function tryTable(reader: Reader): number {
  const type = blockType(reader);
  for (let left = reader.u32(); left > 0; left--) {
    const kind = reader.u8();
    if (kind > 3) throw new ModuleError("wasm.unsupported", "Unknown catch clause", reader.at - 1);
    if (kind < 2) reader.u32();
    reader.u32();
  }
  return type;
}

function misc(reader: Reader): number {
  const second = reader.u32();
  if (second <= 7) return second; // saturating truncation
  if (second > 17) throw unknown(reader, 0xfc, second);
  reader.u32();
  if (second === 8 || second === 10 || second === 12 || second === 14) reader.u32();
  return second;
}

function simd(reader: Reader): number {
  const second = reader.u32();
  if (second > 0x113) throw unknown(reader, 0xfd, second); // where relaxed SIMD ends
  if (second <= 11 || second === 92 || second === 93) memoryArgument(reader);
  else if (second === 12 || second === 13) reader.skip(16);
  else if (second >= 21 && second <= 34) reader.skip(1);
  else if (second >= 84 && second <= 91) {
    memoryArgument(reader);
    reader.skip(1);
  }
  return second;
}

function atomic(reader: Reader): number {
  const second = reader.u32();
  if (second === 3) reader.skip(1); // atomic.fence
  else if (second <= 2 || (second >= 0x10 && second <= 0x4e)) memoryArgument(reader);
  else throw unknown(reader, 0xfe, second);
  return second;
}

function unknown(reader: Reader, op: number, second?: number): ModuleError {
  const code = second === undefined ? hex(op) : `${hex(op)} ${hex(second)}`;
  return new ModuleError("wasm.unsupported", `Unknown instruction ${code}`, reader.at - 1);
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

function drop(_read: unknown): number {
  return 0;
}
