/** YAML and JSON from strangers: bounded, without duplicate keys, surprises of type, or bombs. */
import { type Document, isScalar, LineCounter, parseAllDocuments, visit, type YAMLMap } from "yaml";
import { show } from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

export interface RawDocument {
  readonly document: number;
  readonly value: unknown;
}

export interface RawError {
  readonly document: number;
  readonly path: string;
  readonly message: string;
}

/** The documents of a YAML (or JSON) text as plain values; empty ones are left out. Never throws. */
export function readYaml(text: string): { documents: RawDocument[]; errors: RawError[] } {
  const refusal = sizeProblem(text);
  if (refusal !== null) return { documents: [], errors: [refusal] };
  try {
    return readDocuments(text);
  } catch (e) {
    // The library recurses over nesting, so a deep enough text ends its stack.
    const reason = e instanceof RangeError ? "is nested too deeply" : `cannot be read: ${e}`;
    return { documents: [], errors: [{ document: 0, path: "", message: reason }] };
  }
}

/** Looked at before anything is parsed. A line that begins with `---` always starts a document. */
function sizeProblem(text: string): RawError | null {
  if (text.length > LIMITS.inputBytes || byteLength(text) > LIMITS.inputBytes) {
    return { document: 0, path: "", message: `is larger than ${LIMITS.inputBytes} bytes` };
  }
  const parts = text.split(/^---/m);
  if (parts.length > LIMITS.documents + 1) {
    return { document: LIMITS.documents, path: "", message: `is one of over ${LIMITS.documents}` };
  }
  const first = parts[0]!.trim() === "" ? 1 : 0;
  for (let i = 0; i < parts.length; i++) {
    const message = partProblem(parts[i]!);
    if (message !== null) return { document: Math.max(0, i - first), path: "", message };
  }
  return null;
}

function partProblem(part: string): string | null {
  if (byteLength(part) > LIMITS.documentBytes) {
    return `is larger than ${LIMITS.documentBytes} bytes`;
  }
  let brackets = 0;
  for (let i = 0; i < part.length; i++) {
    if (BRACKETS.includes(part.charCodeAt(i))) brackets++;
  }
  // Each may cost the library an error object of its own.
  return brackets > LIMITS.nodes * 2 ? `holds more than ${LIMITS.nodes} values` : null;
}

const BRACKETS = [0x5b, 0x5d, 0x7b, 0x7d];

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function readDocuments(text: string): { documents: RawDocument[]; errors: RawError[] } {
  const documents: RawDocument[] = [];
  const errors: RawError[] = [];
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    version: "1.2", // `yes` and `012` are not booleans and octals
    schema: "core",
    merge: false,
    stringKeys: true,
    logLevel: "silent",
    lineCounter: lines,
    // Both take time with the square of the input in the library; done below in one pass.
    uniqueKeys: false,
    prettyErrors: false,
  });
  if (!Array.isArray(parsed)) return { documents, errors };
  parsed.forEach((one, document) => {
    const message = documentProblem(one, lines);
    if (message !== null) return void errors.push({ document, path: "", message });
    const value: unknown = one.toJS({ maxAliasCount: -1 }); // shared, not copied; plainProblem counts
    if (value !== null) documents.push({ document, value });
  });
  return { documents, errors };
}

function documentProblem(one: Document.Parsed, lines: LineCounter): string | null {
  const fault = one.errors[0] ?? one.warnings[0]; // an unknown tag is only a warning
  if (fault !== undefined) {
    const said = fault.message.split("\n")[0]!
      .replace("Maximum call stack size exceeded", "is nested too deeply");
    return `${said}${at(lines, fault.pos[0])}`;
  }
  let aliases = 0;
  let problem: string | null = null;
  visit(one, {
    Alias(): symbol | undefined {
      if (++aliases <= LIMITS.aliases) return undefined;
      problem = `uses more than ${LIMITS.aliases} aliases; write the values out`;
      return visit.BREAK;
    },
    Map(_key, map): symbol | undefined {
      problem = repeatedKey(map, lines);
      return problem === null ? undefined : visit.BREAK;
    },
  });
  return problem;
}

function repeatedKey(map: YAMLMap, lines: LineCounter): string | null {
  const seen = new Set<unknown>();
  for (const { key } of map.items) {
    const name = isScalar(key) ? String(key.value) : key;
    if (seen.has(name)) {
      const offset = isScalar(key) ? key.range?.[0] : undefined;
      return `gives the key ${show(name)} twice${at(lines, offset)}`;
    }
    seen.add(name);
  }
  return null;
}

function at(lines: LineCounter, offset: number | undefined): string {
  if (offset === undefined) return "";
  const { line, col } = lines.linePos(offset);
  return ` at line ${line}, column ${col}`;
}

/** Whether a value is plain JSON within the limits; the first problem otherwise. */
export function plainProblem(
  value: unknown,
): { path: (string | number)[]; message: string } | null {
  const budget = { nodes: LIMITS.nodes };
  return walk(value, [], budget);
}

function walk(
  value: unknown,
  path: (string | number)[],
  budget: { nodes: number },
): { path: (string | number)[]; message: string } | null {
  if (--budget.nodes < 0) return { path: [], message: `holds more than ${LIMITS.nodes} values` };
  switch (typeof value) {
    case "string":
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value)
        ? null
        : { path, message: `is ${value}, wanted a finite number` };
    case "object":
      break;
    default:
      return { path, message: `is of type ${typeof value}, wanted plain JSON` };
  }
  if (value === null) return null;
  if (path.length >= LIMITS.depth) {
    return { path: path.slice(0, 4), message: `is nested more than ${LIMITS.depth} levels deep` };
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const found = walk(value[i], [...path, i], budget);
      if (found !== null) return found;
    }
    return null;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype && Object.getPrototypeOf(value) !== null) {
    return { path, message: "is not a plain map" };
  }
  for (const [key, member] of Object.entries(value)) {
    if (key === "__proto__") return { path: [...path, key], message: "is not a field name" };
    const found = walk(member, [...path, key], budget);
    if (found !== null) return found;
  }
  return null;
}
