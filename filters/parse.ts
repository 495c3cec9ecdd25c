/** Reads a filter's wire configuration: every complaint names filter, field, value and what was wanted. */

/** A plain object whose members are taken one by one; whatever is left over is a mistake. */
export class ConfigReader {
  readonly #path: string;
  readonly #members: Readonly<Record<string, unknown>>;
  readonly #taken = new Set<string>();

  /** `path` is how messages call the object: `retry`, `request-headers.set[0]`. */
  constructor(path: string, config: unknown) {
    if (typeof config !== "object" || config === null || Array.isArray(config)) {
      throw new Error(
        `Cannot read the configuration of ${path}: it is ${show(config)}, want an object`,
      );
    }
    this.#path = path;
    this.#members = config as Record<string, unknown>;
  }

  has(field: string): boolean {
    this.#taken.add(field);
    return this.#members[field] !== undefined;
  }

  integer(field: string, least: number, most: number): number {
    const value = this.#take(field);
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) {
      return value;
    }
    return this.#refuse(field, `a whole number from ${least} to ${most}`);
  }

  /** Like integer(), but a fraction is fine. */
  number(field: string, least: number, most: number): number {
    const value = this.#take(field);
    if (typeof value === "number" && value >= least && value <= most) return value;
    return this.#refuse(field, `a number from ${least} to ${most}`);
  }

  boolean(field: string): boolean {
    const value = this.#take(field);
    return typeof value === "boolean" ? value : this.#refuse(field, "true or false");
  }

  text(field: string, pattern: RegExp, wanted: string): string {
    const value = this.#take(field);
    return typeof value === "string" && pattern.test(value) ? value : this.#refuse(field, wanted);
  }

  oneOf<T extends string | number>(field: string, allowed: readonly T[]): T {
    const value = this.#take(field);
    const found = allowed.find((item) => item === value);
    return found ?? this.#refuse(field, `one of ${allowed.join(", ")}`);
  }

  /** Each item of an array member through `read`, which gets the path of the item for messages. */
  list<T>(field: string, read: (item: unknown, path: string) => T): readonly T[] {
    const value = this.#take(field);
    if (!Array.isArray(value)) return this.#refuse(field, "an array");
    return value.map((item, i) => read(item, `${this.#path}.${field}[${i}]`));
  }

  object(field: string): ConfigReader {
    return new ConfigReader(`${this.#path}.${field}`, this.#take(field));
  }

  /** To be called last: a member nobody asked for is a spelling mistake. */
  end(): void {
    for (const field of Object.keys(this.#members)) {
      if (!this.#taken.has(field)) {
        const known = [...this.#taken].join(", ");
        throw new Error(`Cannot read ${this.#path}: unknown field "${field}", known are ${known}`);
      }
    }
  }

  #take(field: string): unknown {
    this.#taken.add(field);
    return this.#members[field];
  }

  #refuse(field: string, wanted: string): never {
    throw new Error(
      `Cannot read ${this.#path}.${field}: it is ${show(this.#members[field])}, want ${wanted}`,
    );
  }
}

/** Reads one item of a list: a whole number. */
export function integerItem(
  item: unknown,
  path: string,
  least: number,
  most: number,
): number {
  if (typeof item === "number" && Number.isInteger(item) && item >= least && item <= most) {
    return item;
  }
  throw new Error(
    `Cannot read ${path}: it is ${show(item)}, want a whole number from ${least} to ${most}`,
  );
}

/** Reads one item of a list: a string of a given form. */
export function textItem(item: unknown, path: string, pattern: RegExp, wanted: string): string {
  if (typeof item === "string" && pattern.test(item)) return item;
  throw new Error(`Cannot read ${path}: it is ${show(item)}, want ${wanted}`);
}

function show(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
