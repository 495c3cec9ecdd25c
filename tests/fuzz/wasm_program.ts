/**
 * Random valid modules out of a stream of choices: control flow of every kind, locals, globals, memory,
 * tables, vectors, exceptions. Each can also be had with a counter of its own in it, which says what its
 * runs should have cost. The same choices always give the same module.
 */
import { costOf, OP } from "../../wasm/opcodes.ts";
import { leb, signedLeb } from "../../wasm/reader.ts";
import {
  type Bytes,
  flat,
  moduleOf,
  name,
  signature,
  sized,
  vector,
} from "../../wasm/testing/binary.ts";
import { EXPRESSIONS, type Type, TYPES } from "./wasm_instructions.ts";

/** Bytes as choices; when they are used up, the first of each list is taken, which ends everything soon. */
class Choices {
  readonly #bytes: Uint8Array;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }
  below(count: number): number {
    return this.done ? 0 : this.#bytes[this.#at++]! % count;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** Function types by index; 0 is the host's. The last ones are of blocks. */
const SIGNATURES: readonly (readonly [params: readonly Type[], results: readonly Type[]])[] = [
  [["i"], ["i"]],
  [["i", "l"], ["i"]],
  [["l"], ["l", "i"]],
  [[], []],
  [["d"], ["d"]],
  [["v", "i"], ["v"]],
];
/** What the functions defined here are: the first is exported. */
const FUNCTIONS: readonly number[] = [1, 2, 3, 4, 5];
const LOCALS: readonly Type[] = ["i", "l", "f", "d", "v", "i"];
const GAS = 0;
const GLOBALS: readonly Type[] = ["i", "i", "l", "d", "v"];
/** What a counted module has more: what its runs cost, and how many points it passed. */
const COST = GLOBALS.length, POINTS = COST + 1;
export const GAS_AT_START = 400;
const MAX_DEPTH = 6, MAX_TOKENS = 1500;
const MEMORY_MASK = 0x3ff;

interface Token {
  readonly bytes: readonly number[];
  readonly cost: number;
  /** Fuel it takes by its length operand. */
  readonly bulk: number;
  /** Behind it another run begins. */
  readonly point: boolean;
}

const POINT_OPS: ReadonlySet<number> = new Set([
  ...[OP.loop, OP.if, OP.else, OP.end, OP.catch, OP.catchAll, OP.delegate],
]);

/** Writes one body. */
class Body {
  readonly tokens: Token[] = [];
  readonly #choices: Choices;
  readonly #signature: number;
  readonly #legacy: boolean;
  /** What goes along with a branch to each open label, the innermost last. */
  readonly #labels: (readonly Type[])[];
  #depth = 0;

  constructor(choices: Choices, signature: number, legacy: boolean) {
    this.#choices = choices;
    this.#signature = signature;
    this.#legacy = legacy;
    this.#labels = [SIGNATURES[signature]![1]];
  }

  write(): void {
    this.#payGas();
    for (let n = this.#choices.below(5); n >= 0; n--) this.#statement();
    this.#values(SIGNATURES[this.#signature]![1]);
    this.#op(OP.end);
  }

  #op(op: number, immediates: Bytes = [], second = 0, bulk = 0): void {
    let cost = costOf(op, second);
    if ((op === OP.call || op === OP.returnCall) && second === 0) cost += 500;
    this.tokens.push({
      bytes: flat([op, op === OP.misc || op === OP.simd ? leb(second) : [], immediates]),
      cost,
      bulk,
      point: POINT_OPS.has(op),
    });
  }

  #call(op: number, callee: number): void {
    this.#op(op, leb(callee), callee);
  }

  /** One round less to go; at the last the module traps, metered or not. */
  #payGas(): void {
    this.#op(OP.globalGet, [GAS]);
    this.#int(1);
    this.#op(0x6b); // i32.sub
    this.#op(OP.globalSet, [GAS]);
    this.#op(OP.globalGet, [GAS]);
    this.#op(0x45); // i32.eqz
    this.#op(OP.if, [0x40]);
    this.#op(OP.unreachable);
    this.#op(OP.end);
  }

  #int(value: number): void {
    this.#op(OP.i32Const, signedLeb(value));
  }

  /** A constant of a type. */
  #constant(type: Type): void {
    const n = this.#choices.below(256);
    switch (type) {
      case "i":
        return this.#int([0, 1, -1, 7, 0x7fffffff, -0x80000000, n][n % 7]!);
      case "l":
        return this.#op(OP.i64Const, signedLeb([0, 1, -1, 2 ** 31, -(2 ** 52), n][n % 6]!));
      case "f":
        return this.#op(0x43, [n, 0, (n * 3) & 0x7f, 0x3f]);
      case "d":
        return this.#op(0x44, [n, 0, 0, 0, 0, n, (n * 3) & 0xff, 0x3f]);
      case "v":
        return this.#op(OP.simd, Array.from({ length: 16 }, (_, i) => (n * (i + 1)) & 0xff), 12);
      case "r":
        if (n % 2 === 0) return this.#op(0xd0, [0x70]);
        return this.#op(0xd2, [1 + n % FUNCTIONS.length]);
    }
  }

  #values(types: readonly Type[]): void {
    for (const type of types) this.#value(type);
  }

  #value(type: Type): void {
    const shallow = this.#depth >= MAX_DEPTH || this.tokens.length > MAX_TOKENS;
    if (shallow || this.#choices.done) return this.#constant(type);
    this.#depth++;
    switch (this.#choices.below(10)) {
      case 0:
        this.#constant(type);
        break;
      case 1:
      case 2:
        this.#read(type);
        break;
      case 3:
        this.#op(OP.block, [TYPES[type]]);
        this.#inside([type], () => {
          this.#statement();
          this.#value(type);
          this.#value("i");
          this.#op(OP.brIf, [0], 0);
        });
        break;
      case 4:
        this.#value("i");
        this.#op(OP.if, [TYPES[type]]);
        this.#inside([type], () => {
          this.#value(type);
          this.#op(OP.else);
          this.#statement();
          this.#value(type);
        });
        break;
      case 5:
        this.#value(type);
        this.#value(type);
        this.#value("i");
        this.#op(0x1c, [1, TYPES[type]]); // select
        break;
      case 6:
        this.#catching(type);
        break;
      default:
        this.#operation(type);
    }
    this.#depth--;
  }

  /** A local, a global or, for numbers, a cell of memory. */
  #read(type: Type): void {
    const at = this.#choices.below(2) === 0 ? GLOBALS.indexOf(type, 1) : -1;
    if (at > 0) return this.#op(OP.globalGet, [at]);
    const local = this.#local(type);
    if (local < 0) this.#constant(type);
    else this.#op(OP.localGet, [local]);
  }

  #local(type: Type): number {
    const params = SIGNATURES[this.#signature]![0];
    const all = [...params, ...LOCALS];
    const found = all.flatMap((t, i) => t === type ? [i] : []);
    return found.length === 0 ? -1 : this.#choices.of(found);
  }

  #operation(type: Type): void {
    const [takes, op, second, immediates] = this.#choices.of(EXPRESSIONS[type]);
    for (const operand of takes) {
      if (operand === "p") this.#address();
      else this.#value(operand as Type);
    }
    this.#op(op, immediates, second);
  }

  #address(): void {
    this.#value("i");
    this.#int(MEMORY_MASK);
    this.#op(0x71); // i32.and
  }

  /** Code inside a construct whose label takes `types`; writes its end. */
  #inside(types: readonly Type[], code: () => void, end = true): void {
    this.#labels.push(types);
    code();
    if (end) this.#op(OP.end);
    this.#labels.pop();
  }

  /** A value of `type` that may come by an exception: tag 0 carries an i32, tag 1 nothing. */
  #catching(type: Type): void {
    if (this.#legacy) {
      const way = this.#choices.below(3);
      if (way === 2) { // an outer try that catches what an inner one hands on
        this.#op(OP.try, [TYPES[type]]);
        this.#labels.push([type]);
      }
      this.#op(OP.try, [TYPES[type]]);
      this.#inside([type], () => {
        this.#statement();
        this.#value(type);
        if (way === 2) return this.#op(OP.delegate, [0]);
        this.#op(way === 0 ? OP.catch : OP.catchAll, way === 0 ? [1] : []);
        this.#value(type);
      }, way !== 2);
      if (way !== 2) return;
      this.#op(OP.catchAll);
      this.#value(type);
      this.#op(OP.end);
      this.#labels.pop();
      return;
    }
    const carries = type === "i" && this.#choices.below(2) === 0;
    this.#op(OP.block, [carries ? TYPES.i : 0x40]);
    this.#inside(carries ? ["i"] : [], () => {
      // catch tag 0, or catch_all, both by the block around
      this.#op(OP.tryTable, [TYPES[type], carries ? [1, 0, 0, 0] : [1, 2, 0]]);
      this.#inside([type], () => {
        this.#statement();
        this.#value(type);
      });
      if (carries) return; // its value is the block's
      const local = this.#local(type);
      this.#op(local < 0 ? 0x1a : 0x21, local < 0 ? [] : [local]);
    });
    if (!carries) this.#read(type);
  }

  #statement(): void {
    if (this.#choices.done || this.#depth >= MAX_DEPTH || this.tokens.length > MAX_TOKENS) {
      return this.#op(0x01); // nop
    }
    this.#depth++;
    STATEMENTS[this.#choices.below(STATEMENTS.length)]!.call(this);
    this.#depth--;
  }

  static readonly set = function (this: Body): void {
    const type = this.#choices.of(["i", "l", "f", "d", "v"] as const);
    const local = this.#local(type);
    this.#value(type);
    if (local < 0) this.#op(0x1a);
    else if (this.#choices.below(3) > 0) this.#op(0x21, [local]);
    else {
      this.#op(OP.localTee, [local]);
      this.#op(0x1a);
    }
  };

  static readonly setGlobal = function (this: Body): void {
    const at = 1 + this.#choices.below(GLOBALS.length - 1);
    this.#value(GLOBALS[at]!);
    this.#op(OP.globalSet, [at]);
  };

  static readonly store = function (this: Body): void {
    this.#address();
    const [op, type, second] = this.#choices.of(
      [[0x36, "i", 0], [0x3a, "i", 0], [0x37, "l", 0], [0x3d, "l", 0], [OP.simd, "v", 11]] as const,
    );
    this.#value(type);
    this.#op(op, [0, this.#choices.below(100)], second);
  };

  static readonly block = function (this: Body): void {
    this.#op(OP.block, [0x40]);
    this.#inside([], () => {
      this.#statement();
      this.#statement();
    });
  };

  static readonly loop = function (this: Body): void {
    this.#op(OP.loop, [0x40]);
    this.#inside([], () => {
      this.#payGas();
      this.#statement();
      this.#statement();
      this.#value("i");
      this.#op(OP.brIf, [0], 0);
    });
  };

  /** A loop that takes and gives an i32. */
  static readonly carryingLoop = function (this: Body): void {
    this.#value("i");
    this.#op(OP.loop, [0]);
    this.#inside(["i"], () => {
      this.#payGas();
      this.#statement();
      this.#value("i");
      this.#op(OP.brIf, [0], 0);
    });
    this.#op(0x1a);
  };

  static readonly if = function (this: Body): void {
    this.#value("i");
    this.#op(OP.if, [0x40]);
    this.#inside([], () => {
      this.#statement();
      if (this.#choices.below(2) === 0) return;
      this.#op(OP.else);
      this.#statement();
    });
  };

  static readonly branch = function (this: Body): void {
    const depth = this.#choices.below(this.#labels.length);
    const types = this.#labels.at(-1 - depth)!;
    this.#values(types);
    const conditional = this.#choices.below(4) > 0;
    if (conditional) this.#value("i");
    this.#op(conditional ? OP.brIf : OP.br, [depth], 0);
    if (conditional) { for (const _ of types) this.#op(0x1a); }
  };

  static readonly table = function (this: Body): void {
    this.#op(OP.block, [0x40]);
    this.#inside([], () => {
      this.#op(OP.block, [0x40]);
      this.#inside([], () => {
        this.#value("i");
        this.#int(3);
        this.#op(0x71);
        this.#op(OP.brTable, [3, 0, 1, 1, 0]);
      });
      this.#statement();
    });
  };

  static readonly call = function (this: Body): void {
    const callee = this.#choices.below(FUNCTIONS.length + 1);
    const type = callee === 0 ? 0 : FUNCTIONS[callee - 1]!;
    this.#values(SIGNATURES[type]![0]);
    if (this.#choices.below(3) > 0) this.#call(OP.call, callee);
    else {
      const slot = this.#choices.below(8);
      this.#int(slot);
      this.#op(0x11, [type, 0]); // call_indirect: what is not there, or of another type, traps
    }
    for (const _ of SIGNATURES[type]![1]) this.#op(0x1a);
  };

  static readonly tailCall = function (this: Body): void {
    const own = SIGNATURES[this.#signature]![1].join();
    const callees = FUNCTIONS.flatMap((type, i) =>
      SIGNATURES[type]![1].join() === own ? [i + 1] : []
    );
    const callee = this.#choices.of(callees);
    this.#value("i");
    this.#op(OP.if, [0x40]);
    this.#inside([], () => {
      this.#values(SIGNATURES[FUNCTIONS[callee - 1]!]![0]);
      this.#call(OP.returnCall, callee);
    });
  };

  static readonly leave = function (this: Body): void {
    this.#value("i");
    this.#op(OP.if, [0x40]);
    this.#inside([], () => {
      this.#values(SIGNATURES[this.#signature]![1]);
      this.#op(OP.return);
    });
  };

  static readonly throw = function (this: Body): void {
    this.#value("i");
    this.#op(OP.if, [0x40]);
    this.#inside([], () => {
      const tag = this.#choices.below(2);
      if (tag === 0) this.#value("i");
      this.#op(0x08, [tag]);
    });
  };

  static readonly bulk = function (this: Body): void {
    const length = this.#choices.below(200);
    const bytes = length >> 4, elements = (length & 3) << 4;
    const three = (a: number, b: number, c: number): void => [a, b, c].forEach((n) => this.#int(n));
    switch (this.#choices.below(6)) {
      case 0:
        three(this.#choices.below(256), 7, length);
        return this.#op(OP.misc, [0], 11, bytes);
      case 1:
        three(this.#choices.below(256), 100, length);
        return this.#op(OP.misc, [0, 0], 10, bytes);
      case 2:
        three(this.#choices.below(256), 1, length & 3);
        return this.#op(OP.misc, [0, 0], 8, (length & 3) >> 4);
      case 3:
        three(1, 0, length & 3);
        return this.#op(OP.misc, [1, 0], 12, elements);
      case 4:
        three(0, 2, length & 3);
        return this.#op(OP.misc, [0, 0], 14, elements);
      default:
        this.#value("r");
        this.#int(length & 3);
        this.#op(OP.misc, [0], 15, elements);
        this.#op(0x1a);
    }
  };

  static readonly setTable = function (this: Body): void {
    this.#int(this.#choices.below(8));
    this.#value("r");
    this.#op(OP.tableSet, [0]);
  };
}

const STATEMENTS: readonly ((this: Body) => void)[] = [
  ...[Body.set, Body.set, Body.setGlobal, Body.store, Body.block, Body.loop, Body.carryingLoop],
  ...[Body.if, Body.branch, Body.branch, Body.table, Body.call, Body.tailCall, Body.leave],
  ...[Body.throw, Body.bulk, Body.setTable],
];

/** The tokens with, at each point, what the run that begins there costs, added up in globals. */
function counted(tokens: readonly Token[]): number[] {
  const out: number[] = [];
  const add = (global: number, amount: number): void => {
    out.push(OP.globalGet, global, OP.i64Const, ...signedLeb(amount), 0x7c, OP.globalSet, global);
  };
  const run = (from: number): void => {
    let cost = from === 0 ? 4 : 0;
    for (let i = from; i < tokens.length; i++) {
      cost += tokens[i]!.cost;
      if (tokens[i]!.point) break;
    }
    add(COST, cost);
    add(POINTS, 1);
  };
  run(0);
  tokens.forEach((token, i) => {
    if (token.bulk > 0) add(COST, token.bulk);
    out.push(...token.bytes);
    if (token.point && i < tokens.length - 1) run(i + 1);
  });
  return out;
}

/** The module `input` chooses; `count`: with its own counters, exported as `cost` and `points`. */
export function moduleFrom(input: Uint8Array, count: boolean): Uint8Array<ArrayBuffer> {
  const choices = new Choices(input);
  const legacy = choices.below(4) === 1;
  const bodies = FUNCTIONS.map((type) => {
    const body = new Body(choices, type, legacy);
    body.write();
    const code = count ? counted(body.tokens) : body.tokens.flatMap((token) => [...token.bytes]);
    return sized([vector(LOCALS.map((t) => [1, TYPES[t]])), code]);
  });
  const types = (list: readonly Type[]): number[] => list.map((t) => TYPES[t]);
  const zero = (type: Type): Bytes =>
    ({
      i: [0x41, 0],
      l: [0x42, 0],
      f: [0x43, 0, 0, 0, 0],
      d: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
      v: [0xfd, 12, new Array<number>(16).fill(0)],
      r: [0xd0, 0x70],
    })[type];
  const global = (type: Type, init: Bytes): Bytes => [TYPES[type], 1, init, OP.end];
  const globals = GLOBALS.map((type, i) =>
    global(type, i === GAS ? [0x41, signedLeb(GAS_AT_START)] : zero(type))
  );
  const counters = count ? [global("l", [0x42, 0]), global("l", [0x42, 0])] : [];
  const exports: Bytes[] = [
    [name("f"), 0, 1],
    [name("memory"), 2, 0],
    [name("table"), 1, 0],
    ...[GAS, 1, 2, 3].map((g) => [name(`g${g}`), 3, g]),
    ...(count ? [[name("cost"), 3, COST], [name("points"), 3, POINTS]] : []),
  ];
  const all = FUNCTIONS.map((_, i) => [i + 1]);
  return moduleOf([
    [
      1,
      vector([
        ...SIGNATURES.map(([p, r]) => signature(types(p), types(r))),
        signature([TYPES.i], []),
      ]),
    ],
    [2, vector([[name("env"), name("host"), 0, 0]])],
    [3, vector(FUNCTIONS.map((type) => [type]))],
    [4, vector([[0x70, 1, 8, 16]])],
    [5, vector([[1, 1, 3]])],
    [13, vector([[0, SIGNATURES.length], [0, 3]])],
    [6, vector([...globals, ...counters])],
    [7, vector(exports)],
    [9, vector([[0, 0x41, 0, OP.end, vector(all)], [1, 0, vector(all)]])],
    [12, [1]],
    [10, vector(bodies)],
    [11, vector([[1, sized([1, 2, 3, 4, 5, 6, 7, 8])]])],
  ]);
}
