/** Instructions by the type of the value they leave: what they take, opcode, second opcode, immediates. */

/** i32, i64, f32, f64, v128, funcref. */
export type Type = "i" | "l" | "f" | "d" | "v" | "r";

export const TYPES: Readonly<Record<Type, number>> = {
  i: 0x7f,
  l: 0x7e,
  f: 0x7d,
  d: 0x7c,
  v: 0x7b,
  r: 0x70,
};

/** `takes` has a letter for each operand; `p` is an address inside the memory. */
export type Instruction = readonly [
  takes: string,
  op: number,
  second: number,
  immediates: readonly number[],
];

const plain = (takes: string, first: number, last = first): Instruction[] =>
  Array.from({ length: last - first + 1 }, (_, i) => [takes, first + i, 0, []]);
const load = (...ops: number[]): Instruction[] => ops.map((op) => ["p", op, 0, [0, 5]]);
const prefixed =
  (prefix: number) => (takes: string, seconds: readonly number[], ...immediates: number[]) =>
    seconds.map((second): Instruction => [takes, prefix, second, immediates]);
const misc = prefixed(0xfc), simd = prefixed(0xfd);

/**
 * Bits of a NaN are the engine's choice, so nothing here makes bits of floats visible: no float is
 * stored or reinterpreted, and vectors hold integers and masks.
 */
export const EXPRESSIONS: Readonly<Record<Type, readonly Instruction[]>> = {
  i: [
    ...plain("i", 0x45),
    ...plain("ii", 0x46, 0x4f),
    ...plain("l", 0x50),
    ...plain("ll", 0x51, 0x5a),
    ...plain("ff", 0x5b, 0x60),
    ...plain("dd", 0x61, 0x66),
    ...plain("i", 0x67, 0x69),
    ...plain("ii", 0x6a, 0x78),
    ...plain("l", 0xa7),
    ...plain("f", 0xa8),
    ...plain("d", 0xaa, 0xab),
    ...plain("i", 0xc0, 0xc1),
    ...load(0x28, 0x2c, 0x2d, 0x2e, 0x2f),
    ...plain("r", 0xd1),
    ["", 0x3f, 0, [0]],
    ["i", 0x40, 0, [0]],
    ...misc("f", [0, 1]),
    ...misc("d", [2, 3]),
    ...misc("", [16], 0),
    ...simd("v", [0x53, 0x63, 0x64, 0x83, 0xa3, 0xc3]),
    ...simd("v", [0x15, 0x16], 7),
    ...simd("v", [0x1b], 2),
    ["i", 0x10, 0, [0]],
  ],
  l: [
    ...plain("l", 0x79, 0x7b),
    ...plain("ll", 0x7c, 0x8a),
    ...plain("i", 0xac, 0xad),
    ...plain("f", 0xaf),
    ...plain("d", 0xb0),
    ...plain("l", 0xc2, 0xc4),
    ...load(0x29, 0x30, 0x31, 0x34, 0x35),
    ...misc("f", [4, 5]),
    ...misc("d", [6, 7]),
    ...simd("v", [0x1d], 1),
  ],
  f: [
    ...plain("f", 0x8b, 0x91),
    ...plain("ff", 0x92, 0x98),
    ...plain("i", 0xb2, 0xb3),
    ...plain("l", 0xb4, 0xb5),
    ...plain("d", 0xb6),
    ...plain("i", 0xbe),
    ...load(0x2a),
  ],
  d: [
    ...plain("d", 0x99, 0x9f),
    ...plain("dd", 0xa0, 0xa6),
    ...plain("i", 0xb7, 0xb8),
    ...plain("l", 0xb9, 0xba),
    ...plain("f", 0xbb),
    ...plain("l", 0xbf),
    ...load(0x2b),
  ],
  v: [
    ...simd("p", [0, 1, 2, 3, 4, 7, 8, 9, 0x5c, 0x5d], 0, 3),
    ...simd("i", [0x0f, 0x10, 0x11]),
    ...simd("l", [0x12]),
    ...simd("vv", [0x0e, 0x23, 0x25, 0x2d, 0x37, 0x41, 0x47, 0x4e, 0x50, 0x51, 0x65, 0x6e, 0x6f]),
    ...simd("vv", [0x71, 0x78, 0x7b, 0x82, 0x8e, 0x95, 0x9c, 0xae, 0xb5, 0xba, 0xce, 0xd5, 0xd6]),
    ...simd("vvv", [0x52]),
    ...simd("vi", [0x6b, 0x8c, 0xab, 0xcb]),
    ...simd("vi", [0x17], 3),
    ...simd("v", [0x4d, 0x60, 0x62, 0x80, 0xa0, 0xc0, 0xc7, 0xfa]),
    ...simd("vv", [0x0d], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 31, 15),
    ...simd("pv", [0x54, 0x55, 0x56, 0x57], 0, 3, 1),
  ],
  r: [
    ["", 0xd2, 0, [1]],
    ["", 0xd2, 0, [3]],
  ],
};
