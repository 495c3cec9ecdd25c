/** Command lines: flags described once, from which parsing, `--help` and "did you mean" come. */

export interface FlagSpec {
  /** What stands for its value in the help; absent: the flag is there or not. */
  readonly value?: string;
  /** May be given several times. */
  readonly many?: boolean;
  readonly short?: string;
  readonly required?: boolean;
  readonly default?: string;
  readonly help: string;
}

export interface CommandSpec {
  /** `denim apply -f FILE…`. */
  readonly usage: string;
  readonly about: string;
  readonly flags: Readonly<Record<string, FlagSpec>>;
  /** Words that are not flags: at least and at most so many; default none. */
  readonly words?: { readonly min: number; readonly max: number; readonly names: string };
  readonly examples?: readonly string[];
}

/** The command line was not understood; the message says what was and how to find out. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What was given, by flag name without its dashes. */
export class Args {
  readonly words: readonly string[];
  readonly #values: ReadonlyMap<string, readonly string[]>;
  readonly #spec: CommandSpec;

  constructor(spec: CommandSpec, values: ReadonlyMap<string, readonly string[]>, words: string[]) {
    this.#spec = spec;
    this.#values = values;
    this.words = words;
  }

  on(name: string): boolean {
    return this.#values.has(name);
  }

  /** The value, else the default, else null. */
  find(name: string): string | null {
    return this.#values.get(name)?.at(-1) ?? this.#spec.flags[name]?.default ?? null;
  }

  /** The value of a flag that is required or has a default. */
  text(name: string): string {
    const value = this.find(name);
    if (value === null) throw new UsageError(`--${name} is wanted`);
    return value;
  }

  all(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** `host:port`; `[::1]:80` for IPv6. */
  place(name: string): { host: string; port: number } {
    return parsePlace(`--${name}`, this.text(name));
  }
}

/** Null: the help was asked for. Throws {@link UsageError}. */
export function parseArgs(spec: CommandSpec, args: readonly string[]): Args | null {
  const values = new Map<string, string[]>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--help" || arg === "-h") return null;
    if (arg === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith("-") || arg === "-") {
      words.push(arg);
      continue;
    }
    const equals = arg.indexOf("=");
    const given = equals < 0 ? arg : arg.slice(0, equals);
    const [name, flag] = findFlag(spec, given);
    const before = values.get(name) ?? [];
    if (before.length > 0 && flag.many !== true) throw new UsageError(`${given} is given twice`);
    if (flag.value === undefined) {
      if (equals >= 0) throw new UsageError(`${given} takes no value`);
      values.set(name, [""]);
      continue;
    }
    const value = equals < 0 ? args[++i] : arg.slice(equals + 1);
    if (value === undefined) throw new UsageError(`${given} wants a value: ${given} ${flag.value}`);
    values.set(name, [...before, value]);
  }
  checkCounts(spec, values, words);
  return new Args(spec, values, words);
}

export function helpText(spec: CommandSpec): string {
  const rows = Object.entries(spec.flags).map(([name, flag]): [string, string] => {
    const short = flag.short === undefined ? "    " : `-${flag.short}, `;
    const value = flag.value === undefined ? "" : ` ${flag.value}`;
    const notes = [
      flag.required === true ? "wanted" : "",
      flag.many === true ? "may be repeated" : "",
      flag.default === undefined ? "" : `default ${flag.default}`,
    ].filter((note) => note !== "");
    return [
      `${short}--${name}${value}`,
      flag.help + (notes.length === 0 ? "" : ` (${notes.join("; ")})`),
    ];
  });
  rows.push(["-h, --help", "Show this"]);
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
  const examples = spec.examples === undefined
    ? []
    : ["", "Examples:", ...spec.examples.map((one) => `  ${one}`)];
  return [`Usage: ${spec.usage}`, "", spec.about, "", ...lines, ...examples].join("\n");
}

/** `host:port`, checked. */
export function parsePlace(what: string, text: string): { host: string; port: number } {
  const parts = /^(\[([0-9a-fA-F:.]+)\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65535) {
    throw new UsageError(`${what} is "${text}"; wanted HOST:PORT such as 127.0.0.1:7000`);
  }
  return { host: parts[2] ?? parts[1]!, port };
}

/** `90s`, `24h`, `500ms` in milliseconds. */
export function parseDuration(what: string, text: string): number {
  const parts = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  if (parts === null) {
    throw new UsageError(`${what} is "${text}"; wanted a time such as 30s or 24h`);
  }
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[parts[2]!]!;
  return Number(parts[1]) * unit;
}

/** The candidate a mistyped word most likely meant, "" for none. */
export function nearest(word: string, candidates: readonly string[]): string {
  let best = "", least = Math.max(2, Math.ceil(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) ? 1 : editDistance(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function findFlag(spec: CommandSpec, given: string): [string, FlagSpec] {
  for (const [name, flag] of Object.entries(spec.flags)) {
    if (given === `--${name}` || (flag.short !== undefined && given === `-${flag.short}`)) {
      return [name, flag];
    }
  }
  const near = nearest(given.replace(/^-+/, ""), Object.keys(spec.flags));
  throw new UsageError(
    `There is no flag ${given}${near === "" ? "" : `; did you mean --${near}?`}`,
  );
}

function checkCounts(
  spec: CommandSpec,
  values: ReadonlyMap<string, unknown>,
  words: readonly string[],
): void {
  for (const [name, flag] of Object.entries(spec.flags)) {
    if (flag.required === true && !values.has(name)) {
      throw new UsageError(`--${name} ${flag.value ?? ""} is wanted`.replace("  ", " "));
    }
  }
  const { min, max, names } = spec.words ?? { min: 0, max: 0, names: "" };
  if (words.length < min) throw new UsageError(`${names} is wanted`);
  if (words.length > max) throw new UsageError(`"${words[max]}" is not understood`);
}

/** Levenshtein, over words of a few letters. */
function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, change));
    }
    above = row;
  }
  return above[b.length]!;
}
