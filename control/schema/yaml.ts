/** YAML and JSON from strangers: bounded, without duplicate keys, surprises of type, or bombs. */
import { isAlias, parseAllDocuments, visit } from "yaml";
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
  const large = parts.findIndex((part) => byteLength(part) > LIMITS.documentBytes);
  if (large < 0) return null;
  const document = parts[0]!.trim() === "" ? Math.max(0, large - 1) : large;
  return { document, path: "", message: `is larger than ${LIMITS.documentBytes} bytes` };
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function readDocuments(text: string): { documents: RawDocument[]; errors: RawError[] } {
  const documents: RawDocument[] = [];
  const errors: RawError[] = [];
  const parsed = parseAllDocuments(text, {
    version: "1.2", // `yes` and `012` are not booleans and octals
    schema: "core",
    merge: false,
    uniqueKeys: true,
    stringKeys: true,
    logLevel: "silent",
    prettyErrors: true,
  });
  if (!Array.isArray(parsed)) return { documents, errors };
  parsed.forEach((one, document) => {
    const fault = one.errors[0] ?? one.warnings[0]; // an unknown tag is only a warning
    if (fault !== undefined) {
      return void errors.push({ document, path: "", message: firstLine(fault.message) });
    }
    let aliases = 0;
    visit(one, (_key, node) => {
      return isAlias(node) && ++aliases > LIMITS.aliases ? visit.BREAK : undefined;
    });
    if (aliases > LIMITS.aliases) {
      const message = `uses more than ${LIMITS.aliases} aliases; write the values out`;
      return void errors.push({ document, path: "", message });
    }
    const value: unknown = one.toJS({ maxAliasCount: -1 }); // shared, not copied; plainProblem counts
    if (value !== null) documents.push({ document, value });
  });
  return { documents, errors };
}

/** The library quotes the source below its message; one line with the position is enough. */
function firstLine(message: string): string {
  return message.split("\n")[0]!.replace(/:$/, "")
    .replace("Maximum call stack size exceeded", "is nested too deeply");
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
