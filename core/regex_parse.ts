/** Parses the regular subset of RE2's syntax into a program for {@link Regex}; what is not regular is refused. */

/** What a pattern may cost, before it ever meets a request. */
export const REGEX_LIMITS = {
  patternChars: 1024,
  /** Program length after `{n,m}` is written out; bounds the work per character. */
  instructions: 1100,
  /** The highest n of `{n}`, as in RE2. */
  repeat: 1000,
  /** Nested groups. */
  depth: 50,
  /** States of the automaton kept at once; reaching it forgets them all and goes on. */
  states: 1000,
} as const;

/** Codes 0–255, and one for every character above. */
export const SYMBOLS = 257;

export interface RegexError {
  /** Index of the character the parser stopped at. */
  readonly at: number;
  readonly message: string;
}

/** SET consumes one symbol of `sets[x]`; SPLIT goes to x and y; JUMP to x; FIRST and LAST hold at the ends. */
export const SET = 0, SPLIT = 1, JUMP = 2, FIRST = 3, LAST = 4, MATCH = 5;

export interface Program {
  readonly op: number[];
  readonly x: number[];
  readonly y: number[];
  readonly sets: Uint8Array[];
}

type Node =
  | { readonly is: "set"; readonly set: Uint8Array }
  | { readonly is: "all"; readonly parts: readonly Node[] }
  | { readonly is: "any"; readonly parts: readonly Node[] }
  | { readonly is: "repeat"; readonly node: Node; readonly min: number; readonly max: number }
  | { readonly is: "first" | "last" };

/** A program, or where and why there is none. Never throws. */
export function parseRegex(pattern: string): Program | RegexError {
  if (pattern.length > REGEX_LIMITS.patternChars) {
    return {
      at: REGEX_LIMITS.patternChars,
      message: `is longer than ${REGEX_LIMITS.patternChars} characters`,
    };
  }
  const parser = new Parser(pattern);
  const node = parser.alternatives(0);
  if (parser.error === null && !parser.done) parser.fail('has a ")" without its "("');
  if (parser.error !== null) return parser.error;
  const program: Program = { op: [], x: [], y: [], sets: [] };
  const emitted = emit(program, node) && add(program, MATCH) >= 0;
  if (emitted) return program;
  return {
    at: pattern.length,
    message:
      `is too large: more than ${REGEX_LIMITS.instructions} steps once repeats are written out`,
  };
}

function add(program: Program, op: number, x = 0, y = 0): number {
  if (program.op.length >= REGEX_LIMITS.instructions) return -1;
  program.x.push(x);
  program.y.push(y);
  return program.op.push(op) - 1;
}

/** False: over the limit. */
function emit(program: Program, node: Node): boolean {
  switch (node.is) {
    case "set":
      program.sets.push(node.set);
      return add(program, SET, program.sets.length - 1) >= 0;
    case "first":
      return add(program, FIRST) >= 0;
    case "last":
      return add(program, LAST) >= 0;
    case "all":
      return node.parts.every((part) => emit(program, part));
    case "any":
      return emitAny(program, node.parts);
    case "repeat":
      return emitRepeat(program, node.node, node.min, node.max);
  }
}

function emitAny(program: Program, parts: readonly Node[]): boolean {
  const jumps: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const last = i === parts.length - 1;
    const split = last ? -1 : add(program, SPLIT, program.op.length + 1);
    if (!last && split < 0) return false;
    if (!emit(program, parts[i]!)) return false;
    if (last) break;
    const jump = add(program, JUMP);
    if (jump < 0) return false;
    jumps.push(jump);
    program.y[split] = program.op.length;
  }
  for (const jump of jumps) program.x[jump] = program.op.length;
  return true;
}

function emitRepeat(program: Program, node: Node, min: number, max: number): boolean {
  for (let i = 0; i < min; i++) {
    const before = program.op.length;
    if (!emit(program, node)) return false;
    if (program.op.length === before) break; // nothing, however often; nested it would take for ever
  }
  if (max === Infinity) {
    const split = add(program, SPLIT, program.op.length + 1);
    if (split < 0 || !emit(program, node) || add(program, JUMP, split) < 0) return false;
    program.y[split] = program.op.length;
    return true;
  }
  const splits: number[] = [];
  for (let i = min; i < max; i++) {
    const split = add(program, SPLIT, program.op.length + 1);
    if (split < 0 || !emit(program, node)) return false;
    splits.push(split);
  }
  for (const split of splits) program.y[split] = program.op.length;
  return true;
}

const DIGIT = setOf("09"), WORD = setOf("09AZaz__"), SPACE = setOf("\t\n\f\r  ");
const DOT = complement(setOf("\n\n"));
const POSIX: Readonly<Record<string, Uint8Array>> = {
  alnum: setOf("09AZaz"),
  alpha: setOf("AZaz"),
  digit: DIGIT,
  lower: setOf("az"),
  upper: setOf("AZ"),
  space: setOf("\t\r  "),
  xdigit: setOf("09AFaf"),
  word: WORD,
  punct: setOf("!/:@[`{~"),
};
const CONTROLS: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f", v: "\v" };

/** Pairs of first and last characters. */
function setOf(ranges: string): Uint8Array {
  const set = new Uint8Array(SYMBOLS);
  for (let i = 0; i < ranges.length; i += 2) {
    set.fill(1, ranges.charCodeAt(i), ranges.charCodeAt(i + 1) + 1);
  }
  return set;
}

function complement(set: Uint8Array): Uint8Array {
  return set.map((bit) => 1 - bit);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #fold = false;
  error: RegexError | null = null;

  constructor(text: string) {
    this.#text = text;
    if (text.startsWith("(?i)")) {
      this.#fold = true;
      this.#at = 4;
    }
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  fail(message: string): Node {
    this.error ??= { at: Math.min(this.#at, this.#text.length), message };
    this.#at = this.#text.length; // every loop ends at once
    return { is: "all", parts: [] };
  }

  alternatives(depth: number): Node {
    if (depth > REGEX_LIMITS.depth) {
      return this.fail(`nests more than ${REGEX_LIMITS.depth} groups`);
    }
    const parts = [this.#sequence(depth)];
    while (this.#take("|")) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : { is: "any", parts };
  }

  #sequence(depth: number): Node {
    const parts: Node[] = [];
    while (!this.done && this.#text[this.#at] !== "|" && this.#text[this.#at] !== ")") {
      parts.push(this.#repeats(this.#atom(depth)));
    }
    return { is: "all", parts };
  }

  #atom(depth: number): Node {
    const char = this.#text[this.#at++]!;
    switch (char) {
      case "(":
        return this.#group(depth);
      case "[":
        return this.#set(this.#brackets());
      case ".":
        return { is: "set", set: DOT };
      case "^":
        return { is: "first" };
      case "$":
        return { is: "last" };
      case "\\":
        return this.#set(this.#escape());
      case "*":
      case "+":
      case "?":
        return this.fail(`has nothing before "${char}" to repeat`);
      default:
        return this.#set(this.#single(char));
    }
  }

  #group(depth: number): Node {
    if (this.#take("?")) {
      const named = /^(P?<[A-Za-z_]\w{0,63}>|:)/.exec(this.#text.slice(this.#at, this.#at + 70));
      if (named === null) {
        return this.fail(
          'uses a group that is not supported: only "(…)", "(?:…)", "(?P<name>…)" and a leading "(?i)" are; ' +
            "look-around cannot be matched in linear time",
        );
      }
      this.#at += named[0].length;
    }
    const node = this.alternatives(depth + 1);
    if (!this.#take(")")) return this.fail('has a "(" without its ")"');
    return node;
  }

  #repeats(node: Node): Node {
    for (let stacked = 0; !this.done; stacked++) {
      const range = this.#range();
      if (range === null) return node;
      if (stacked > 0) return this.fail("repeats a repeat; write a group around the inner one");
      if (node.is === "first" || node.is === "last") return this.fail("repeats an anchor");
      this.#take("?"); // lazy or greedy, the language is the same
      if (this.#text[this.#at] === "+") return this.fail("uses a possessive repeat");
      node = { is: "repeat", node, min: range[0], max: range[1] };
    }
    return node;
  }

  #range(): [number, number] | null {
    if (this.#take("*")) return [0, Infinity];
    if (this.#take("+")) return [1, Infinity];
    if (this.#take("?")) return [0, 1];
    const counts = /^\{(\d{1,6})(,(\d{0,6}))?\}/.exec(this.#text.slice(this.#at, this.#at + 16));
    if (counts === null) return null;
    const min = Number(counts[1]);
    const max = counts[2] === undefined ? min : counts[3] === "" ? Infinity : Number(counts[3]);
    if (min > REGEX_LIMITS.repeat || (max !== Infinity && max > REGEX_LIMITS.repeat)) {
      this.fail(`repeats more than ${REGEX_LIMITS.repeat} times`);
    } else if (max < min) this.fail("repeats at least more often than at most");
    this.#at += counts[0].length;
    return [min, max];
  }

  /** After the backslash. */
  #escape(): Uint8Array {
    const char = this.#text[this.#at++];
    switch (char) {
      case undefined:
        this.fail("ends in a backslash");
        return DOT;
      case "d":
        return DIGIT;
      case "D":
        return complement(DIGIT);
      case "w":
        return WORD;
      case "W":
        return complement(WORD);
      case "s":
        return SPACE;
      case "S":
        return complement(SPACE);
      case "x": {
        const hex = this.#text.slice(this.#at, this.#at + 2);
        if (!/^[0-9A-Fa-f]{2}$/.test(hex)) this.fail('has a "\\x" without two hexadecimal digits');
        else this.#at += 2;
        return this.#single(String.fromCharCode(parseInt(hex, 16) || 0));
      }
    }
    if (/[1-9]/.test(char)) {
      this.fail("uses a back-reference, which cannot be matched in linear time");
    }
    const control = CONTROLS[char];
    if (control !== undefined) return this.#single(control);
    if (/[A-Za-z0-9]/.test(char)) this.fail(`uses "\\${char}", which is not supported`);
    return this.#single(char);
  }

  /** After the opening bracket. */
  #brackets(): Uint8Array {
    const negated = this.#take("^");
    const set = new Uint8Array(SYMBOLS);
    for (let first = true; first || this.#text[this.#at] !== "]"; first = false) {
      if (this.done) {
        this.fail('has a "[" without its "]"');
        return set;
      }
      this.#member(set);
    }
    this.#at++;
    return negated ? complement(this.#foldSet(set)) : set;
  }

  #member(set: Uint8Array): void {
    const posix = /^\[:(\^?)([a-z]{1,8}):\]/.exec(this.#text.slice(this.#at, this.#at + 14));
    if (posix !== null) {
      const known = POSIX[posix[2]!];
      if (known === undefined) return void this.fail(`names an unknown class "${posix[0]}"`);
      this.#at += posix[0].length;
      return void union(set, posix[1] === "^" ? complement(known) : known);
    }
    const low = this.#memberSet();
    const ranged = this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]" &&
      this.#at + 1 < this.#text.length;
    if (!ranged) return void union(set, low);
    this.#at++;
    const from = only(low), to = only(this.#memberSet());
    if (from < 0 || to < 0 || to < from) return void this.fail("has a range out of order");
    set.fill(1, from, to + 1);
  }

  #memberSet(): Uint8Array {
    const char = this.#text[this.#at++]!;
    return char === "\\" ? this.#escape() : this.#single(char);
  }

  #single(char: string): Uint8Array {
    const set = new Uint8Array(SYMBOLS);
    if (char.charCodeAt(0) > 255) {
      this.fail(`holds "${char}"; requests carry bytes, so write its percent-encoded form`);
    } else set[char.charCodeAt(0)] = 1;
    return set;
  }

  #set(set: Uint8Array): Node {
    return { is: "set", set: this.#foldSet(set) };
  }

  #foldSet(set: Uint8Array): Uint8Array {
    if (!this.#fold) return set;
    const folded = set.slice();
    for (let upper = 65; upper <= 90; upper++) {
      const both = set[upper]! | set[upper + 32]!;
      folded[upper] = folded[upper + 32] = both;
    }
    return folded;
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }
}

function union(into: Uint8Array, more: Uint8Array): void {
  for (let i = 0; i < SYMBOLS; i++) into[i]! |= more[i]!;
}

/** The one member of a set of one; -1 otherwise. */
function only(set: Uint8Array): number {
  const first = set.indexOf(1);
  return first >= 0 && set.indexOf(1, first + 1) < 0 ? first : -1;
}
