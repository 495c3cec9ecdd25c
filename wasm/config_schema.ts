/**
 * What a filter says of its configuration, as JSON Schema in a custom section of its component. Which of the
 * schema's words are read is listed here; a filter's own reading has the last word, at every start.
 */
import { concat } from "../core/bytes.ts";
import { readSections, SECTION } from "./parse.ts";
import { leb, Reader } from "./reader.ts";

/** Name of the custom section. */
export const SCHEMA_SECTION = "denim:config-schema";
const SCHEMA_LIMIT = 64 * 1024;
const DEPTH_LIMIT = 16;
const PROBLEMS_LIMIT = 20;

export interface ConfigSchema {
  readonly type?: "object" | "array" | "string" | "number" | "boolean";
  readonly properties?: Readonly<Record<string, ConfigSchema>>;
  readonly required?: readonly string[];
  /** False: no others; a schema: all others are so. */
  readonly additionalProperties?: boolean | ConfigSchema;
  readonly items?: ConfigSchema;
  readonly enum?: readonly (string | number | boolean)[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
}

export interface ConfigProblem {
  /** `.names[1]`, "" for the whole. */
  readonly path: string;
  readonly message: string;
}

/** Of a component or module; null when it has none that can be read. */
export function configSchemaOf(bytes: Uint8Array): ConfigSchema | null {
  for (const { id, start, end } of readSections(bytes)) {
    if (id !== SECTION.custom || end - start > SCHEMA_LIMIT) continue;
    const reader = new Reader(bytes, start, end);
    if (reader.name() !== SCHEMA_SECTION) continue;
    try {
      const value: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(reader.at, end)));
      return isRecord(value) ? value as ConfigSchema : null;
    } catch {
      return null;
    }
  }
  return null;
}

/** The component with the schema at its end. */
export function withConfigSchema(bytes: Uint8Array, schema: ConfigSchema): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const name = encoder.encode(SCHEMA_SECTION), text = encoder.encode(JSON.stringify(schema));
  const content = concat([Uint8Array.from(leb(name.length)), name, text]);
  return concat([bytes, Uint8Array.from([SECTION.custom, ...leb(content.length)]), content]);
}

/** What is wrong with a configuration, field by field; empty when nothing is. */
export function checkConfig(schema: ConfigSchema, value: unknown): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  check(schema, value, "", 0, problems);
  return problems;
}

function check(
  schema: unknown,
  value: unknown,
  path: string,
  depth: number,
  problems: ConfigProblem[],
): void {
  if (!isRecord(schema) || depth > DEPTH_LIMIT || problems.length >= PROBLEMS_LIMIT) return;
  const said = schema as ConfigSchema;
  if (!fits(said, value)) {
    problems.push({ path, message: `is ${shown(value)}, wanted ${wanted(said)}` });
    return;
  }
  if (Array.isArray(value)) {
    value.forEach((item, at) => check(said.items, item, `${path}[${at}]`, depth + 1, problems));
  } else if (isRecord(value)) checkFields(said, value, path, depth, problems);
}

function checkFields(
  schema: ConfigSchema,
  value: Readonly<Record<string, unknown>>,
  path: string,
  depth: number,
  problems: ConfigProblem[],
): void {
  const properties = isRecord(schema.properties) ? schema.properties : {};
  for (const name of Array.isArray(schema.required) ? schema.required : []) {
    if (Object.hasOwn(value, name)) continue;
    const field = properties[name] as ConfigSchema | undefined;
    const message = field === undefined ? "is missing" : `is missing, wanted ${wanted(field)}`;
    problems.push({ path: `${path}.${name}`, message });
  }
  for (const [name, field] of Object.entries(value)) {
    const at = `${path}.${name}`;
    if (Object.hasOwn(properties, name)) check(properties[name], field, at, depth + 1, problems);
    else if (schema.additionalProperties === false) {
      const known = Object.keys(properties).join(", ");
      const hint = known === "" ? "the filter takes no configuration" : `known are ${known}`;
      problems.push({ path: at, message: `is not known; ${hint}` });
    } else check(schema.additionalProperties, field, at, depth + 1, problems);
  }
}

function fits(schema: ConfigSchema, value: unknown): boolean {
  const { type, minimum, maximum } = schema;
  if (Array.isArray(schema.enum) && !schema.enum.includes(value as string)) return false;
  if (type !== undefined && typeOf(value) !== type) return false;
  if (typeof value !== "number") return true;
  return !(typeof minimum === "number" && value < minimum) &&
    !(typeof maximum === "number" && value > maximum);
}

function wanted(schema: ConfigSchema): string {
  if (Array.isArray(schema.enum)) return `one of ${schema.enum.map(shown).join(", ")}`;
  switch (schema.type) {
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "array":
      return isRecord(schema.items)
        ? `a list of ${wanted(schema.items as ConfigSchema)}`
        : "a list";
    case "object":
      return "an object";
    default:
      return `a number${range(schema)}`;
  }
}

function range({ minimum, maximum }: ConfigSchema): string {
  if (minimum === undefined) return maximum === undefined ? "" : ` of at most ${maximum}`;
  return maximum === undefined ? ` of at least ${minimum}` : ` from ${minimum} to ${maximum}`;
}

function typeOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  return JSON.stringify(value).slice(0, 100);
}
