/** Sets of text and path patterns, compiled once and asked for each request. */

/** Whether some value of a list fits a text. */
export interface Pattern {
  fits(text: string): boolean;
}

/** `a` exactly, `a*` and `*a` by their ends, `*` anything but nothing. */
export class TextPattern implements Pattern {
  readonly #exact: ReadonlySet<string>;
  readonly #hasExact: boolean;
  readonly #prefixes: readonly string[];
  readonly #suffixes: readonly string[];
  readonly #any: boolean;

  constructor(values: readonly string[]) {
    const exact = new Set<string>(), prefixes: string[] = [], suffixes: string[] = [];
    for (const value of values) {
      if (value === "*") continue;
      if (value.endsWith("*")) prefixes.push(value.slice(0, -1));
      else if (value.startsWith("*")) suffixes.push(value.slice(1));
      else exact.add(value);
    }
    this.#exact = exact;
    this.#hasExact = exact.size > 0; // asking an empty set means hashing the text for nothing
    this.#prefixes = prefixes;
    this.#suffixes = suffixes;
    this.#any = values.includes("*");
  }

  fits(text: string): boolean {
    if (text === "") return false;
    if (this.#any || (this.#hasExact && this.#exact.has(text))) return true;
    for (let i = 0; i < this.#prefixes.length; i++) {
      if (text.startsWith(this.#prefixes[i]!)) return true;
    }
    for (let i = 0; i < this.#suffixes.length; i++) {
      if (text.endsWith(this.#suffixes[i]!)) return true;
    }
    return false;
  }
}

/** The same for paths, and templates: `{*}` is one segment that is not empty, `{**}` any number of them. */
export class PathPattern implements Pattern {
  readonly #text: TextPattern;
  readonly #templates: readonly Template[];

  constructor(values: readonly string[]) {
    this.#text = new TextPattern(values.filter((value) => !isTemplate(value)));
    this.#templates = values.filter(isTemplate).map((value) => new Template(value));
  }

  fits(path: string): boolean {
    if (this.#text.fits(path)) return true;
    for (let i = 0; i < this.#templates.length; i++) {
      if (this.#templates[i]!.fits(path)) return true;
    }
    return false;
  }
}

const ONE = "{*}", SOME = "{**}";

function isTemplate(value: string): boolean {
  return value.includes("{");
}

/** Before `{**}`, segments are compared from the front, behind it from the back. */
class Template {
  readonly #front: readonly string[];
  readonly #back: readonly string[];
  readonly #open: boolean;

  constructor(value: string) {
    const segments = value.slice(1).split("/");
    const some = segments.indexOf(SOME);
    this.#open = some >= 0;
    this.#front = some < 0 ? segments : segments.slice(0, some);
    this.#back = some < 0 ? [] : segments.slice(some + 1);
  }

  fits(path: string): boolean {
    if (path.charCodeAt(0) !== SLASH) return false;
    let from = 1; // of the next segment
    for (let i = 0; i < this.#front.length; i++) {
      // One more than is left: after the last segment there is no slash to step over.
      if (from > path.length) return false;
      const slash = path.indexOf("/", from);
      const end = slash < 0 ? path.length : slash;
      if (!sameSegment(path, from, end, this.#front[i]!)) return false;
      from = end + 1;
    }
    if (!this.#open) return from === path.length + 1;
    let end = path.length;
    for (let i = this.#back.length - 1; i >= 0; i--) {
      if (end < from) return false;
      const start = Math.max(path.lastIndexOf("/", end - 1) + 1, from);
      if (!sameSegment(path, start, end, this.#back[i]!)) return false;
      end = start - 1;
    }
    return true;
  }
}

const SLASH = 0x2f;

function sameSegment(path: string, from: number, to: number, wanted: string): boolean {
  if (wanted === ONE) return to > from;
  return to - from === wanted.length && path.startsWith(wanted, from);
}

/** `/a` of `/a/b`: what paths are looked up by. */
export function firstSegment(path: string): string {
  const slash = path.indexOf("/", 1);
  return slash < 0 ? path : path.slice(0, slash);
}

/** The first segment that every path has that fits; "" when there is no such thing. */
export function firstSegmentOf(pattern: string): string {
  if (!pattern.startsWith("/")) return "";
  const slash = pattern.indexOf("/", 1);
  const segment = slash < 0 ? pattern : pattern.slice(0, slash);
  return segment.includes("{") || segment.endsWith("*") ? "" : segment;
}
