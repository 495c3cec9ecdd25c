/**
 * Makes a core module safe to run on a thread that nobody can interrupt: it counts its own work down
 * and traps at zero, and its memory and tables stop growing at a cap. Nothing is renumbered: one
 * exported mutable i64 global is appended, and code is only inserted.
 */
import { WASM_LIMITS } from "./limits.ts";
import { type FuelPlan, planFuel } from "./meter.ts";
import { OP } from "./opcodes.ts";
import {
  type CoreModule,
  type Limits,
  parseModule,
  readLimits,
  SECTION,
  type Section,
  skipValueType,
} from "./parse.ts";
import { leb, ModuleError, Reader, signedLeb } from "./reader.ts";
import { Writer } from "./writer.ts";

/** Part of the cache key of rewritten modules: change it with every change of what is written. */
export const INSTRUMENTER_VERSION = "3";

/** Name of the exported global that holds the fuel left. */
export const FUEL_EXPORT = "__denim_fuel";

export interface InstrumentOptions {
  /** 64 KiB pages the memory may have at most. */
  readonly maxPages: number;
  /** Elements a table may have at most. */
  readonly maxTable: number;
  readonly fuelExport?: string;
  /** Fuel the global starts with: what the start function may use. */
  readonly startFuel?: number;
}

type Part = Uint8Array | readonly number[];

/** The rewritten module; throws {@link ModuleError} when the module is invalid or asks for too much. */
export function instrument(bytes: Uint8Array, options: InstrumentOptions): Uint8Array<ArrayBuffer> {
  if (bytes.length > WASM_LIMITS.moduleBytes) {
    throw new ModuleError(
      "wasm.too_large",
      `The module has ${bytes.length} bytes; at most ${WASM_LIMITS.moduleBytes} are taken`,
    );
  }
  const module = parseModule(bytes);
  // First of all: in a valid module no index can name the global that is appended below.
  if (!WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)) {
    throw new ModuleError("wasm.invalid", `The module is not valid Wasm: ${reasonOf(bytes)}`);
  }
  checkModule(module, options);
  const out = new Rewriter(bytes, module, options).run();
  if (!WebAssembly.validate(out)) {
    throw new ModuleError("wasm.rewrite", `The metered module is not valid: ${reasonOf(out)}`);
  }
  return out;
}

function reasonOf(bytes: Uint8Array): string {
  try {
    new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
    return "unknown reason";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function checkModule(module: CoreModule, options: InstrumentOptions): void {
  const fuel = options.fuelExport ?? FUEL_EXPORT;
  if (module.exports.some((e) => e.name === fuel)) {
    throw new ModuleError("wasm.metered", `The module already exports "${fuel}"`);
  }
  if (module.memories.length > WASM_LIMITS.memories) {
    throw tooMany("memories", module.memories.length, WASM_LIMITS.memories);
  }
  if (module.tables.length > WASM_LIMITS.tables) {
    throw tooMany("tables", module.tables.length, WASM_LIMITS.tables);
  }
  if (module.globals >= ENGINE_LIMITS.globals) {
    throw full("it", "globals", ENGINE_LIMITS.globals - 1);
  }
  if (module.exports.length >= ENGINE_LIMITS.exports) {
    throw full("it", "exports", ENGINE_LIMITS.exports - 1);
  }
  for (const memory of module.memories) checkLimits("memory", "pages", memory, options.maxPages);
  for (const table of module.tables) checkLimits("table", "elements", table, options.maxTable);
  for (const memory of module.importedMemories) checkKind("memory", memory);
  for (const table of module.importedTables) checkKind("table", table);
}

function checkLimits(what: string, unit: string, limits: Limits, cap: number): void {
  checkKind(what, limits);
  if (limits.min > cap) {
    throw new ModuleError(
      `wasm.${what}_too_large`,
      `The module starts with a ${what} of ${limits.min} ${unit}; its limit is ${cap}`,
    );
  }
}

function checkKind(what: string, limits: Limits): void {
  if (limits.shared) {
    // memory.atomic.wait on a shared memory would stop the proxy's thread for ever, at no fuel.
    throw new ModuleError("wasm.unsupported", `The module has a shared ${what}`);
  }
  if (limits.wide) throw new ModuleError("wasm.unsupported", `The module has a 64-bit ${what}`);
}

function tooMany(what: string, has: number, cap: number): ModuleError {
  return new ModuleError("wasm.unsupported", `The module has ${has} ${what}; at most ${cap} work`);
}

/** What V8 takes at most; a module that is full leaves no room for the meter. */
const ENGINE_LIMITS = {
  locals: 50_000,
  functionBytes: 7_654_321,
  globals: 1_000_000,
  exports: 1_000_000,
} as const;

function full(what: string, of: string, cap: number): ModuleError {
  return new ModuleError(
    "wasm.too_large",
    `The module leaves no room for the meter: ${what} has more than ${cap} ${of}`,
  );
}

/** Order of sections in a binary; customs stand where they are. */
const RANK: Readonly<Record<number, number>> = {
  1: 1,
  2: 2,
  3: 3,
  4: 4,
  5: 5,
  13: 6,
  6: 7,
  7: 8,
  8: 9,
  9: 10,
  12: 11,
  10: 12,
  11: 13,
};

class Rewriter {
  readonly #bytes: Uint8Array;
  readonly #module: CoreModule;
  readonly #options: InstrumentOptions;
  readonly #global: number[];
  readonly #importedFunctions: number;
  /** `fuel -= amount; if (fuel < 0) unreachable`: what stands before the amount, and what after it. */
  readonly #chargeHead: readonly number[];
  readonly #chargeTail: readonly number[];
  readonly #out: Part[] = [];

  constructor(bytes: Uint8Array, module: CoreModule, options: InstrumentOptions) {
    this.#bytes = bytes;
    this.#module = module;
    this.#options = options;
    const importedGlobals = module.imports.filter((i) => i.kind === "global").length;
    const global = leb(importedGlobals + module.globals);
    this.#global = global;
    this.#chargeHead = [OP.globalGet, ...global];
    this.#chargeTail = [
      ...[OP.i64Sub, OP.globalSet, ...global],
      ...[OP.globalGet, ...global, OP.i64Const, 0, OP.i64LessSigned],
      ...[OP.if, 0x40, OP.unreachable, OP.end],
    ];
    this.#importedFunctions = module.imports.filter((i) => i.kind === "function").length;
  }

  run(): Uint8Array<ArrayBuffer> {
    this.#out.push(this.#bytes.subarray(0, 8));
    const missing = [SECTION.global, SECTION.export].filter((id) =>
      !this.#module.sections.some((s) => s.id === id)
    );
    for (const section of this.#module.sections) {
      if (section.id !== SECTION.custom) {
        while (missing.length > 0 && RANK[missing[0]!]! < (RANK[section.id] ?? 99)) {
          this.#section(missing.shift()!, null);
        }
      }
      this.#section(section.id, section);
    }
    for (const id of missing) this.#section(id, null);
    return concat(this.#out);
  }

  #section(id: number, section: Section | null): void {
    switch (id) {
      case SECTION.table:
        return this.#emit(id, this.#tables(section!));
      case SECTION.memory:
        return this.#emit(id, this.#memories(section!));
      case SECTION.global:
        return this.#emit(id, this.#appended(section, this.#fuelGlobal()));
      case SECTION.export:
        return this.#emit(id, this.#appended(section, this.#fuelExport()));
      case SECTION.code:
        return this.#emit(id, this.#code(section!));
      default:
        this.#out.push(this.#bytes.subarray(section!.at, section!.end));
    }
  }

  #emit(id: number, parts: Part[]): void {
    this.#out.push([id, ...leb(lengthOf(parts))]);
    append(this.#out, parts);
  }

  /** A section's items as they are, and one more. */
  #appended(section: Section | null, item: number[]): Part[] {
    if (section === null) return [[1], item];
    const reader = new Reader(this.#bytes, section.start, section.end);
    const count = reader.u32();
    return [leb(count + 1), this.#bytes.subarray(reader.at, section.end), item];
  }

  #fuelGlobal(): number[] {
    const start = this.#options.startFuel ?? WASM_LIMITS.startFuel;
    return [0x7e, 1, OP.i64Const, ...signedLeb(start), OP.end];
  }

  #fuelExport(): number[] {
    const name = new TextEncoder().encode(this.#options.fuelExport ?? FUEL_EXPORT);
    return [...leb(name.length), ...name, 3, ...this.#global];
  }

  #memories(section: Section): Part[] {
    const reader = new Reader(this.#bytes, section.start, section.end);
    const count = reader.u32();
    const parts: Part[] = [leb(count)];
    for (let i = 0; i < count; i++) parts.push(capped(readLimits(reader), this.#options.maxPages));
    return parts;
  }

  #tables(section: Section): Part[] {
    const reader = new Reader(this.#bytes, section.start, section.end);
    const count = reader.u32();
    const parts: Part[] = [leb(count)];
    for (let i = 0; i < count; i++) {
      const from = reader.at;
      skipValueType(reader);
      parts.push(this.#bytes.subarray(from, reader.at));
      parts.push(capped(readLimits(reader), this.#options.maxTable));
    }
    return parts;
  }

  /** All bodies, each written anew; by far the largest part of a module and of the work. */
  #code(section: Section): Part[] {
    const reader = new Reader(this.#bytes, section.start, section.end);
    const count = reader.u32();
    const code = new Writer((section.end - section.start) * 1.5), body = new Writer(64 * 1024);
    for (let i = 0; i < count; i++) {
      const size = reader.u32();
      const from = reader.at;
      reader.skip(size);
      body.clear();
      this.#body(body, new Reader(this.#bytes, from, from + size), i);
      if (body.length > ENGINE_LIMITS.functionBytes) {
        throw full(
          `function ${this.#importedFunctions + i}`,
          `bytes of code once it is metered`,
          ENGINE_LIMITS.functionBytes,
        );
      }
      code.leb(body.length);
      code.copy(body.written, 0, body.length);
    }
    return [leb(count), code.written];
  }

  #body(out: Writer, reader: Reader, index: number): void {
    const from = reader.at;
    const groups = reader.u32();
    const groupsFrom = reader.at;
    const { params, results } = this.#module.types[this.#module.functions[index]!]!;
    let locals = 0;
    for (let i = 0; i < groups; i++) {
      locals += reader.u32();
      skipValueType(reader);
    }
    const codeFrom = reader.at;
    const plan = planFuel(reader, {
      importedFunctions: this.#importedFunctions,
      types: this.#module.types,
      results: results.length,
      locals,
    });
    const spare = params.length + locals;
    if (plan.bulk.length === 0) out.copy(this.#bytes, from, codeFrom);
    else {
      if (spare >= ENGINE_LIMITS.locals) {
        const most = ENGINE_LIMITS.locals - 1;
        throw full(`function ${this.#importedFunctions + index}`, "locals", most);
      }
      out.leb(groups + 1);
      out.copy(this.#bytes, groupsFrom, codeFrom);
      out.put([1, 0x7f]);
    }
    this.#insert(out, plan, codeFrom, reader.end, spare);
  }

  /** The body's own code with the charges of `plan` between its instructions. */
  #insert(out: Writer, plan: FuelPlan, from: number, end: number, spare: number): void {
    const { charges, bulk } = plan;
    let last = from, nextBulk = 0;
    for (let i = 0; i <= charges.length; i++) {
      const at = i < charges.length ? charges[i]!.at : end;
      for (; nextBulk < bulk.length && bulk[nextBulk]!.at < at; nextBulk++) {
        out.copy(this.#bytes, last, bulk[nextBulk]!.at);
        last = bulk[nextBulk]!.at;
        this.#bulkCharge(out, spare, bulk[nextBulk]!.shift);
      }
      out.copy(this.#bytes, last, at);
      last = at;
      if (i === charges.length) break;
      out.put(this.#chargeHead);
      out.put(I64_CONST);
      out.signedLeb(charges[i]!.cost);
      out.put(this.#chargeTail);
    }
  }

  /** Keeps the length operand on the stack while charging for it. */
  #bulkCharge(out: Writer, spare: number, shift: number): void {
    const local = leb(spare);
    out.put([OP.localTee, ...local]);
    out.put(this.#chargeHead);
    out.put([OP.localGet, ...local, OP.i64ExtendU32, OP.i64Const, Math.abs(shift)]);
    out.put([shift < 0 ? OP.i64ShiftLeft : OP.i64ShiftRightUnsigned]);
    out.put(this.#chargeTail);
  }
}

const I64_CONST = [OP.i64Const];

function capped(limits: Limits, cap: number): number[] {
  const max = Math.min(limits.max ?? cap, cap);
  return [1, ...leb(limits.min), ...leb(max)];
}

/** Not `push(...more)`: a large function has more parts than a call may have arguments. */
function append(parts: Part[], more: readonly Part[]): void {
  for (const part of more) parts.push(part);
}

function lengthOf(parts: readonly Part[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

function concat(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(lengthOf(parts));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
