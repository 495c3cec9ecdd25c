/** Lists of field names, with a star at the beginning or at the end of some. */
export class NamePatterns {
  readonly #exact: ReadonlySet<string>;
  readonly #prefixes: readonly string[];
  readonly #suffixes: readonly string[];
  readonly empty: boolean;

  /** In lower case; `*` alone is every name. */
  constructor(patterns: readonly string[]) {
    this.#exact = new Set(patterns.filter((one) => !one.includes("*")));
    this.#prefixes = patterns.filter((one) => one.endsWith("*")).map((one) => one.slice(0, -1));
    this.#suffixes = patterns.filter((one) => one.startsWith("*") && one !== "*")
      .map((one) => one.slice(1));
    this.empty = patterns.length === 0;
  }

  has(name: string): boolean {
    if (this.#exact.has(name)) return true;
    for (const prefix of this.#prefixes) if (name.startsWith(prefix)) return true;
    for (const suffix of this.#suffixes) if (name.endsWith(suffix)) return true;
    return false;
  }
}

/** Whether the line at `at` is the first of its name, in a flat list of names and values. */
export function isFirstLine(lines: readonly string[], at: number): boolean {
  const name = lines[at]!;
  for (let i = 0; i < at; i += 2) if (lines[i] === name) return false;
  return true;
}
