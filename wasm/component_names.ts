/** The outermost names of a component: what it imports and exports, and the core modules inside (component binary format). */
import { readSections } from "./parse.ts";
import { ModuleError, Reader } from "./reader.ts";

const SECTION = { coreModule: 1, component: 4, import: 10, export: 11 } as const;
/** Components nest; deeper than this is not somebody's filter. */
const MAX_DEPTH = 8;

export interface ComponentNames {
  /** With versions, as written: `denim:filter/host@0.1.0`. */
  readonly imports: readonly string[];
  readonly exports: readonly string[];
}

/** Reads a component's own import and export names; throws {@link ModuleError} on a damaged one. */
export function componentNames(bytes: Uint8Array): ComponentNames {
  const imports: string[] = [], exports: string[] = [];
  for (const section of readSections(bytes)) {
    const reader = new Reader(bytes, section.start, section.end);
    if (section.id === SECTION.import) {
      for (let left = reader.u32(); left > 0; left--) {
        imports.push(externName(reader));
        skipDescription(reader);
      }
    } else if (section.id === SECTION.export) {
      for (let left = reader.u32(); left > 0; left--) {
        exports.push(externName(reader));
        if (reader.u8() === 0) reader.u8(); // the core sort follows the component sort 0
        reader.u32();
        if (reader.u8() === 1) skipDescription(reader);
      }
    }
  }
  return { imports, exports };
}

/** The bytes of every core module in a component, nested components included. */
export function nestedModules(bytes: Uint8Array, depth = 0): Uint8Array[] {
  if (depth > MAX_DEPTH) {
    throw new ModuleError("wasm.malformed", `Components are nested deeper than ${MAX_DEPTH}`);
  }
  const modules: Uint8Array[] = [];
  for (const { id, start, end } of readSections(bytes)) {
    if (id === SECTION.coreModule) modules.push(bytes.subarray(start, end));
    else if (id === SECTION.component) {
      modules.push(...nestedModules(bytes.subarray(start, end), depth + 1));
    }
  }
  return modules;
}

function externName(reader: Reader): string {
  const kind = reader.u8();
  if (kind > 2) {
    throw new ModuleError("wasm.unsupported", `Unknown form of name ${kind}`, reader.at - 1);
  }
  const name = reader.name();
  if (kind === 2) reader.name(); // version suffix
  return name;
}

function skipDescription(reader: Reader): void {
  const kind = reader.u8();
  switch (kind) {
    case 0: // core module: a byte that says so, then its type
      reader.u8();
      return void reader.u32();
    case 2: // value: of another's type, or of a type given here
    case 3: // type: equal to another, or a resource of its own
      if (reader.u8() === 0) reader.u32();
      else if (kind === 2) reader.skipLeb();
      return;
    case 1:
    case 4:
    case 5:
      return void reader.u32();
    default:
      throw new ModuleError("wasm.unsupported", `Unknown kind of import ${kind}`, reader.at - 1);
  }
}
