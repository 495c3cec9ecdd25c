/**
 * Regular expressions in linear time: a lazily built automaton, so that no pattern and no text can
 * make a request take more than `instructions` steps per character (JavaScript's own can take for ever).
 *
 *   pattern ─▶ program (regex_parse.ts) ─▶ sets of program positions = states ─▶ table[state, class]
 */
import {
  FIRST,
  JUMP,
  LAST,
  MATCH,
  parseRegex,
  type Program,
  REGEX_LIMITS,
  type RegexError,
  SET,
  SPLIT,
  SYMBOLS,
} from "./regex_parse.ts";

export { REGEX_LIMITS, type RegexError };

const UNKNOWN = -1, DEAD = 0, START = 1;

/** Compiles `pattern`, which must match a whole text; an error says where and why it cannot. */
export function compileRegex(pattern: string): Regex | RegexError {
  const program = parseRegex(pattern);
  return "op" in program ? new Regex(pattern, program) : program;
}

/** A compiled pattern. The same text always takes the same time, give or take building states once. */
export class Regex {
  readonly pattern: string;
  readonly #program: Program;
  /** Symbols no set of the program tells apart share a class, which keeps the table narrow. */
  readonly #classOf: Uint16Array;
  readonly #symbolOf: number[];
  readonly #marks: Uint32Array;
  #mark = 0;
  /** Program positions of each state: what waits for a symbol, for the end, or has matched. */
  #states: number[][] = [];
  #accepts: boolean[] = [];
  #known = new Map<string, number>();
  #table: Int32Array;

  constructor(pattern: string, program: Program) {
    this.pattern = pattern;
    this.#program = program;
    const { classOf, symbolOf } = classes(program.sets);
    this.#classOf = classOf;
    this.#symbolOf = symbolOf;
    this.#marks = new Uint32Array(program.op.length);
    this.#table = new Int32Array(symbolOf.length * 8).fill(UNKNOWN);
    this.#restart();
  }

  /** Whether the whole of `text` is in the language. */
  test(text: string): boolean {
    const width = this.#symbolOf.length;
    let state = START;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const symbolClass = this.#classOf[code < SYMBOLS ? code : SYMBOLS - 1]!;
      let next = this.#table[state * width + symbolClass]!;
      if (next === UNKNOWN) next = this.#build(state, symbolClass);
      if (next === DEAD) return false;
      state = next;
    }
    return this.#accepts[state]!;
  }

  /** How many states are kept now, at most REGEX_LIMITS.states. */
  get states(): number {
    return this.#states.length;
  }

  #restart(): void {
    this.#states = [];
    this.#accepts = [];
    this.#known.clear();
    this.#table.fill(UNKNOWN);
    this.#intern([]); // DEAD
    const start: number[] = [];
    this.#mark++;
    this.#follow(0, start, true, false);
    this.#intern(start);
  }

  #build(state: number, symbolClass: number): number {
    const { op, x, sets } = this.#program;
    const symbol = this.#symbolOf[symbolClass]!;
    const next: number[] = [];
    this.#mark++;
    for (const at of this.#states[state]!) {
      if (op[at] === SET && sets[x[at]!]![symbol] === 1) this.#follow(at + 1, next, false, false);
    }
    next.sort((a, b) => a - b);
    const known = this.#known.get(next.join());
    if (known === undefined && this.#states.length >= REGEX_LIMITS.states) {
      this.#restart();
      return this.#intern(next); // `state` is forgotten, so there is no edge to note
    }
    const id = known ?? this.#intern(next);
    this.#table[state * this.#symbolOf.length + symbolClass] = id;
    return id;
  }

  #intern(positions: number[]): number {
    const key = positions.join();
    const known = this.#known.get(key);
    // The start state is kept even when it equals another: its number is fixed.
    if (known !== undefined && this.#states.length > START) return known;
    const id = this.#states.push(positions) - 1;
    this.#known.set(key, id);
    this.#accepts.push(this.#accepting(positions, id === START));
    const width = this.#symbolOf.length;
    if ((id + 1) * width > this.#table.length) {
      const grown = new Int32Array(this.#table.length * 2).fill(UNKNOWN);
      grown.set(this.#table);
      this.#table = grown;
    }
    return id;
  }

  #accepting(positions: readonly number[], atFirst: boolean): boolean {
    const { op } = this.#program;
    const ends: number[] = [];
    this.#mark++;
    for (const at of positions) {
      if (op[at] === MATCH) return true;
      if (op[at] === LAST) this.#follow(at + 1, ends, atFirst, true);
    }
    return ends.some((at) => op[at] === MATCH);
  }

  /** Adds every position reachable from `from` without a symbol. A list of its own stands in for the stack. */
  #follow(from: number, into: number[], atFirst: boolean, atLast: boolean): void {
    const { op, x, y } = this.#program;
    const todo = [from];
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      if (this.#marks[at] === this.#mark) continue;
      this.#marks[at] = this.#mark;
      switch (op[at]) {
        case JUMP:
          todo.push(x[at]!);
          break;
        case SPLIT:
          todo.push(x[at]!, y[at]!);
          break;
        case FIRST:
          if (atFirst) todo.push(at + 1);
          break;
        case LAST:
          if (atLast) todo.push(at + 1);
          else into.push(at);
          break;
        default:
          into.push(at);
      }
    }
  }
}

function classes(all: readonly Uint8Array[]): { classOf: Uint16Array; symbolOf: number[] } {
  const sets = new Set(all); // a repeat written out shares its set
  const classOf = new Uint16Array(SYMBOLS);
  const symbolOf: number[] = [];
  const seen = new Map<string, number>();
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    let signature = "";
    for (const set of sets) signature += set[symbol];
    let id = seen.get(signature);
    if (id === undefined) {
      id = symbolOf.push(symbol) - 1;
      seen.set(signature, id);
    }
    classOf[symbol] = id;
  }
  return { classOf, symbolOf };
}
