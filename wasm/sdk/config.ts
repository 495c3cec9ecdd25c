/** The configuration of a filter as a table of fields: parsed, defaulted and typed from one description. */
import type { ConfigSchema } from "../config_schema.ts";

/** One field: what it takes, and what it is when absent. */
export interface Field<T> {
  /** In words, for errors and pages: `text`, `a number from 1 to 10`. */
  readonly wants: string;
  /** Undefined: the field must be given. */
  readonly fallback: T | undefined;
  /** The same for programs: JSON Schema. */
  readonly schema: ConfigSchema;
  /** The value, or undefined when it is not acceptable. */
  read(value: unknown): T | undefined;
}

export type Shape = Readonly<Record<string, Field<unknown>>>;

/** The values of a shape: `{ mask: text("*") }` gives `{ mask: string }`. */
export type ConfigOf<S extends Shape> = {
  readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never;
};

/** A string. */
export function text(fallback?: string): Field<string> {
  return {
    wants: "text",
    fallback,
    schema: { type: "string" },
    read: (value) => (typeof value === "string" ? value : undefined),
  };
}

/** A number within bounds. */
export function number(
  fallback?: number,
  bounds: { min?: number; max?: number } = {},
): Field<number> {
  const min = bounds.min ?? -Infinity, max = bounds.max ?? Infinity;
  const range = min === -Infinity && max === Infinity
    ? ""
    : max === Infinity
    ? ` of at least ${min}`
    : min === -Infinity
    ? ` of at most ${max}`
    : ` from ${min} to ${max}`;
  return {
    wants: `a number${range}`,
    fallback,
    schema: {
      type: "number",
      ...min === -Infinity ? {} : { minimum: min },
      ...max === Infinity ? {} : { maximum: max },
    },
    read: (value) => typeof value === "number" && value >= min && value <= max ? value : undefined,
  };
}

/** true or false. */
export function flag(fallback = false): Field<boolean> {
  return {
    wants: "true or false",
    fallback,
    schema: { type: "boolean" },
    read: (value) => (typeof value === "boolean" ? value : undefined),
  };
}

/** One of some words. */
export function choice<const T extends string>(words: readonly T[], fallback?: T): Field<T> {
  return {
    wants: `one of ${words.map((word) => `"${word}"`).join(", ")}`,
    fallback,
    schema: { type: "string", enum: words },
    read: (value) => words.find((word) => word === value),
  };
}

/** A list whose items all are of one kind. */
export function list<T>(item: Field<T>, fallback?: readonly T[]): Field<readonly T[]> {
  return {
    wants: `a list of ${item.wants}`,
    fallback,
    schema: { type: "array", items: item.schema },
    read: (value) => {
      if (!Array.isArray(value)) return undefined;
      const items: T[] = [];
      for (const raw of value) {
        const read = item.read(raw);
        if (read === undefined) return undefined;
        items.push(read);
      }
      return items;
    },
  };
}

/** Names of the user's choice, all with values of one kind. */
export function map<T>(
  item: Field<T>,
  fallback?: Readonly<Record<string, T>>,
): Field<Readonly<Record<string, T>>> {
  return {
    wants: `names, each with ${item.wants}`,
    fallback,
    schema: { type: "object", additionalProperties: item.schema },
    read: (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      const entries: Record<string, T> = {};
      for (const [name, raw] of Object.entries(value)) {
        const read = item.read(raw);
        if (read === undefined) return undefined;
        entries[name] = read;
      }
      return entries;
    },
  };
}

/** The whole table as JSON Schema: it travels in the built filter, and bindings are checked by it. */
export function schemaOf(shape: Shape): ConfigSchema {
  const fields = Object.entries(shape);
  return {
    type: "object",
    properties: Object.fromEntries(
      fields.map(([name, { schema, fallback }]) => [
        name,
        fallback === undefined ? schema : { ...schema, default: fallback },
      ]),
    ),
    required: fields.filter(([, field]) => field.fallback === undefined).map(([name]) => name),
    additionalProperties: false,
  };
}

/** Reads a configuration; throws an Error that names the field, what it has and what was wanted. */
export function readConfig<S extends Shape>(shape: S, json: string): ConfigOf<S> {
  const given = parse(json);
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(shape, name)) throw new Error(`config.${name} is not known${known(shape)}`);
  }
  for (const [name, field] of Object.entries(shape)) {
    if (given[name] === undefined) {
      if (field.fallback === undefined) {
        throw new Error(`config.${name} is missing; wanted ${field.wants}`);
      }
      values[name] = field.fallback;
      continue;
    }
    const read = field.read(given[name]);
    if (read === undefined) {
      throw new Error(`config.${name} is ${JSON.stringify(given[name])}; wanted ${field.wants}`);
    }
    values[name] = read;
  }
  return values as ConfigOf<S>;
}

function parse(json: string): Record<string, unknown> {
  if (json.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(`The configuration is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("The configuration is not an object");
  }
  return value as Record<string, unknown>;
}

function known(shape: Shape): string {
  const names = Object.keys(shape);
  return names.length === 0 ? "; this filter takes none" : `; it may have ${names.join(", ")}`;
}
