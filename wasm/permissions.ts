/**
 * Which headers, properties, keys and metrics a filter may touch, within its capabilities. Names are
 * exact, or have one `*` at their beginning or end; `*` alone is all. Headers that carry credentials are
 * under no `*`: who wants one names it.
 */

export interface Permissions {
  readonly headers: {
    readonly read: readonly string[];
    readonly write: readonly string[];
    readonly remove: readonly string[];
  };
  readonly properties: readonly string[];
  readonly sharedData: readonly string[];
  readonly metrics: readonly string[];
}

/** As a binding, a manifest or a wire configuration gives them: what is left out is `*`. */
export interface GivenPermissions {
  readonly headers?: {
    readonly read?: readonly string[] | undefined;
    readonly write?: readonly string[] | undefined;
    readonly remove?: readonly string[] | undefined;
  } | undefined;
  readonly properties?: readonly string[] | undefined;
  readonly sharedData?: readonly string[] | undefined;
  readonly metrics?: readonly string[] | undefined;
}

/** Whoever has one of these can act as somebody else. */
export const SENSITIVE_HEADERS: readonly string[] = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-amz-security-token",
  "x-csrf-token",
  "x-xsrf-token",
];

const ALL: readonly string[] = ["*"];
const NONE: ReadonlySet<string> = new Set();
const SENSITIVE: ReadonlySet<string> = new Set(SENSITIVE_HEADERS);

/** Names whose answer is remembered; guests choose some of them, so there must be an end. */
const REMEMBERED = 512;

export const PERMISSION_PATTERN = /^(?:\*|\*?[^*\s]{1,256}|[^*\s]{1,256}\*)$/;

export function permissionsOf(given: GivenPermissions = {}): Permissions {
  const { headers = {}, properties = ALL, sharedData = ALL, metrics = ALL } = given;
  const { read = ALL, write = ALL, remove = ALL } = headers;
  return { headers: { read, write, remove }, properties, sharedData, metrics };
}

/** One list of patterns, made to be asked for every header of every request. */
export class NameRule {
  readonly #exact: ReadonlySet<string>;
  readonly #begins: readonly string[];
  readonly #ends: readonly string[];
  readonly #all: boolean;
  readonly #apart: ReadonlySet<string>;
  readonly #known = new Map<string, boolean>();

  /** `apart`: names no pattern stands for. */
  constructor(patterns: readonly string[], apart: ReadonlySet<string> = NONE) {
    this.#exact = new Set(patterns);
    this.#all = patterns.includes("*");
    const wild = patterns.filter((one) => one.length > 1);
    this.#begins = wild.filter((one) => one.endsWith("*")).map((one) => one.slice(0, -1));
    this.#ends = wild.filter((one) => one.startsWith("*")).map((one) => one.slice(1));
    this.#apart = apart;
  }

  allows(name: string): boolean {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const answer = this.#judge(name);
    if (this.#known.size < REMEMBERED) this.#known.set(name, answer);
    return answer;
  }

  /** `lines` (name, value, …) without what is not allowed; the same array when all is. */
  visible(lines: readonly string[]): readonly string[] {
    for (let i = 0; i < lines.length; i += 2) {
      if (!this.allows(lines[i]!)) return this.#without(lines, i);
    }
    return lines;
  }

  #without(lines: readonly string[], from: number): string[] {
    const kept = lines.slice(0, from);
    for (let i = from; i < lines.length; i += 2) {
      if (this.allows(lines[i]!)) kept.push(lines[i]!, lines[i + 1]!);
    }
    return kept;
  }

  #judge(name: string): boolean {
    if (this.#exact.has(name)) return true;
    if (this.#apart.has(name)) return false;
    return this.#all || this.#begins.some((one) => name.startsWith(one)) ||
      this.#ends.some((one) => name.endsWith(one));
  }
}

/** The rules of one filter. */
export class Permits {
  readonly read: NameRule;
  readonly write: NameRule;
  readonly remove: NameRule;
  readonly properties: NameRule;
  readonly sharedData: NameRule;
  readonly metrics: NameRule;

  constructor({ headers, properties, sharedData, metrics }: Permissions) {
    this.read = new NameRule(headers.read, SENSITIVE);
    this.write = new NameRule(headers.write, SENSITIVE);
    this.remove = new NameRule(headers.remove, SENSITIVE);
    this.properties = new NameRule(properties);
    this.sharedData = new NameRule(sharedData);
    this.metrics = new NameRule(metrics);
  }

  /**
   * What a whole new map comes to: of `lines` those that may be written, and of `old` all that may not be
   * seen, written or taken away.
   */
  replacement(lines: readonly string[], old: readonly string[]): string[] {
    const out: string[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      if (this.#free(lines[i]!.toLowerCase())) out.push(lines[i]!, lines[i + 1]!);
    }
    for (let i = 0; i < old.length; i += 2) {
      if (!this.#free(old[i]!)) out.push(old[i]!, old[i + 1]!);
    }
    return out;
  }

  #free(name: string): boolean {
    return this.read.allows(name) && this.write.allows(name) && this.remove.allows(name);
  }
}
