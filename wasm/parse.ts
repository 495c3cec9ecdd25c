/** Core Wasm modules as a table of their parts: sections, imports, exports, memories, tables, names (core spec §5.5). */
import { ModuleError, Reader } from "./reader.ts";

export type ExternKind = "function" | "table" | "memory" | "global" | "tag";
const KINDS: readonly ExternKind[] = ["function", "table", "memory", "global", "tag"];

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** One section; `start` and `end` bound its content, `at` is where its id stands. */
export interface Section {
  readonly id: number;
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: ExternKind;
  /** Index into {@link CoreModule.types}; -1 for anything but a function. */
  readonly type: number;
}

export interface ModuleExport {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
}

/** Size bounds of a memory (pages) or table (elements). */
export interface Limits {
  readonly min: number;
  readonly max: number | null;
  readonly shared: boolean;
  readonly wide: boolean;
}

export interface FunctionType {
  /** Both: the value types' first bytes: 0x7f i32, 0x7e i64, … */
  readonly params: readonly number[];
  readonly results: readonly number[];
}

export interface CoreModule {
  readonly size: number;
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
  /** Type index of every function defined here, in order. */
  readonly functions: readonly number[];
  /** Memories and tables defined here, then those imported. */
  readonly memories: readonly Limits[];
  readonly tables: readonly Limits[];
  readonly importedMemories: readonly Limits[];
  readonly importedTables: readonly Limits[];
  readonly globals: number;
  readonly hasStart: boolean;
  readonly customs: readonly {
    readonly name: string;
    readonly start: number;
    readonly end: number;
  }[];
}

/** What the first eight bytes say. */
export function binaryKind(bytes: Uint8Array): "core" | "component" | null {
  if (bytes.length < 8 || bytes[0] !== 0 || bytes[1] !== 0x61 || bytes[2] !== 0x73) return null;
  if (bytes[3] !== 0x6d || bytes[5] !== 0 || bytes[7] !== 0) return null;
  if (bytes[4] === 1 && bytes[6] === 0) return "core";
  return bytes[6] === 1 ? "component" : null;
}

/** Takes a core module apart; throws {@link ModuleError} on what cannot be understood. */
export function parseModule(bytes: Uint8Array): CoreModule {
  if (binaryKind(bytes) !== "core") {
    throw new ModuleError(
      "wasm.not_core",
      "Not a core Wasm module: the first eight bytes differ",
      0,
    );
  }
  const sections = readSections(bytes);
  const section = (id: number): Reader => {
    const found = sections.find((s) => s.id === id);
    return found === undefined
      ? new Reader(bytes, 0, 0)
      : new Reader(bytes, found.start, found.end);
  };
  const imports = readImports(section(SECTION.import));
  return {
    size: bytes.length,
    sections,
    types: vector(section(SECTION.type), readFunctionType),
    imports: imports.list,
    exports: vector(section(SECTION.export), readExport),
    functions: vector(section(SECTION.function), (r) => r.u32()),
    memories: vector(section(SECTION.memory), readLimits),
    tables: vector(section(SECTION.table), readTable),
    importedMemories: imports.memories,
    importedTables: imports.tables,
    globals: count(section(SECTION.global)),
    hasStart: sections.some((s) => s.id === SECTION.start),
    customs: sections.filter((s) => s.id === SECTION.custom).map((s) => {
      const reader = new Reader(bytes, s.start, s.end);
      const name = reader.name();
      return { name, start: reader.at, end: s.end };
    }),
  };
}

/** Splits a binary into sections without looking inside; core modules and components alike. */
export function readSections(bytes: Uint8Array): Section[] {
  const reader = new Reader(bytes, 8);
  const sections: Section[] = [];
  while (!reader.done) {
    const at = reader.at;
    const id = reader.u8();
    const length = reader.u32();
    const start = reader.at;
    reader.skip(length);
    sections.push({ id, at, start, end: reader.at });
  }
  return sections;
}

/** Function names by index from the `name` section, the first `most`; empty when there is none or it is damaged. */
export function functionNames(
  bytes: Uint8Array,
  module: CoreModule,
  most = Infinity,
): Map<number, string> {
  const names = new Map<number, string>();
  const custom = module.customs.find((c) => c.name === "name");
  if (custom === undefined) return names;
  try {
    const reader = new Reader(bytes, custom.start, custom.end);
    while (!reader.done) {
      const kind = reader.u8();
      const part = reader.take(reader.u32());
      if (kind !== 1) continue;
      const entries = new Reader(part);
      for (let left = Math.min(entries.u32(), most); left > 0; left--) {
        names.set(entries.u32(), entries.name());
      }
    }
  } catch {
    // A damaged name section costs readable traces and nothing else.
  }
  return names;
}

/** Steps over one value type, typed references included. */
export function skipValueType(reader: Reader): number {
  const byte = reader.u8();
  if (byte === 0x63 || byte === 0x64) reader.skipLeb();
  return byte;
}

export function readLimits(reader: Reader): Limits {
  const at = reader.at;
  const flags = reader.u8();
  if (flags > 7) throw new ModuleError("wasm.unsupported", "A memory has custom page sizes", at);
  const wide = (flags & 4) !== 0;
  const min = wide ? u64(reader) : reader.u32();
  const max = (flags & 1) === 0 ? null : wide ? u64(reader) : reader.u32();
  return { min, max, shared: (flags & 2) !== 0, wide };
}

function readTable(reader: Reader): Limits {
  const initialised = reader.bytes[reader.at] === 0x40;
  if (initialised) {
    throw new ModuleError("wasm.unsupported", "A table has an initial value", reader.at);
  }
  skipValueType(reader);
  return readLimits(reader);
}

function readFunctionType(reader: Reader): FunctionType {
  const at = reader.at;
  if (reader.u8() !== 0x60) {
    throw new ModuleError(
      "wasm.unsupported",
      "The module uses garbage-collected types; build it without the GC proposal",
      at,
    );
  }
  const params = vector(reader, skipValueType);
  return { params, results: vector(reader, skipValueType) };
}

function readImports(
  reader: Reader,
): { list: ModuleImport[]; memories: Limits[]; tables: Limits[] } {
  const memories: Limits[] = [], tables: Limits[] = [];
  const list = vector(reader, (r): ModuleImport => {
    const module = r.name(), name = r.name(), at = r.at;
    const kind = KINDS[r.u8()];
    if (kind === undefined) {
      throw new ModuleError(
        "wasm.unsupported",
        `Import ${module}.${name} is of an unknown kind`,
        at,
      );
    }
    let type = -1;
    if (kind === "function") type = r.u32();
    else if (kind === "memory") memories.push(readLimits(r));
    else if (kind === "table") tables.push(readTable(r));
    else if (kind === "global") {
      skipValueType(r);
      r.u8();
    } else {
      r.u8();
      r.u32();
    }
    return { module, name, kind, type };
  });
  return { list, memories, tables };
}

function readExport(reader: Reader): ModuleExport {
  const name = reader.name(), at = reader.at;
  const kind = KINDS[reader.u8()];
  if (kind === undefined) {
    throw new ModuleError("wasm.unsupported", `Export ${name} is of an unknown kind`, at);
  }
  return { name, kind, index: reader.u32() };
}

function vector<T>(reader: Reader, read: (reader: Reader) => T): T[] {
  const items: T[] = [];
  for (let left = count(reader); left > 0; left--) items.push(read(reader));
  return items;
}

function count(reader: Reader): number {
  return reader.done ? 0 : reader.u32();
}

function u64(reader: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.u8();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw new ModuleError("wasm.malformed", "A number has more than 64 bits", reader.at);
}
