/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical, codes of one length are in symbol
 * order, so the 257 code lengths are the whole table; the decoder walks it a nibble at a time.
 */
import { charCode } from "../../../core/chars.ts";
import { latin1 } from "../../../core/bytes.ts";

/** Code length of each symbol 0–255 and EOS, base 36. */
const LENGTHS =
  "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad677777777777777777777" +
  "77878djde6f56565666577666567655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmo" +
  "lmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu";

const EOS = 256;
/** RFC 7541 5.2: padding longer than 7 bits, or not all ones, is an error. */
const MAX_PADDING_BITS = 7;

const lengths: readonly number[] = Array.from(LENGTHS, (c) => parseInt(c, 36));
const codes: readonly number[] = canonicalCodes();

/** Bits that `text` (latin-1) takes, Huffman-coded. */
export function huffmanBits(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[charCode(text, i)]!;
  return bits;
}

/** Writes `text` Huffman-coded at `at`; returns the offset behind it. */
export function huffmanEncode(text: string, into: Uint8Array, at: number): number {
  let held = 0, bits = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = charCode(text, i);
    let left = lengths[symbol]!;
    // Codes have up to 30 bits and up to 7 are held: two steps keep it within 32.
    if (left > 16) {
      held = (held << (left - 16)) | (codes[symbol]! >>> 16);
      bits += left - 16;
      left = 16;
      while (bits >= 8) into[at++] = (held >>> (bits -= 8)) & 0xff;
    }
    held = (held << left) | (codes[symbol]! & ((1 << left) - 1));
    bits += left;
    while (bits >= 8) into[at++] = (held >>> (bits -= 8)) & 0xff;
    held &= (1 << bits) - 1;
  }
  if (bits > 0) into[at++] = ((held << (8 - bits)) | (0xff >> bits)) & 0xff;
  return at;
}

/**
 * The decoder's states are the inner nodes of the code tree. For state s and nibble n, entry
 * s·16+n of `NEXT` is the state after it, of `EMIT` the symbol completed on the way, or −1.
 * No code is shorter than 5 bits, so a nibble completes at most one. FAILED: EOS was coded.
 */
const FAILED = 0xffff;
const { NEXT, EMIT, PADDED } = buildDecoder();

/** Where decoded bytes gather; no symbol is shorter than 5 bits, so 8 bytes for every 5 are enough. */
let scratch = new Uint8Array(4096);

/** Decodes to a latin-1 string; null when the coding or its padding is wrong. */
export function huffmanDecode(bytes: Uint8Array, from: number, to: number): string | null {
  let state = 0;
  let length = 0;
  const most = Math.ceil((to - from) * 8 / 5);
  if (most > scratch.length) scratch = new Uint8Array(most * 2);
  const out = scratch;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    for (let nibble = byte >> 4, half = 0; half < 2; nibble = byte & 15, half++) {
      const at = state * 16 + nibble;
      const symbol = EMIT[at]!;
      if (symbol >= 0) out[length++] = symbol;
      state = NEXT[at]!;
      if (state === FAILED) return null;
    }
  }
  return PADDED[state] === 1 ? latin1(out, 0, length) : null;
}

function canonicalCodes(): number[] {
  const order = lengths.map((_, symbol) => symbol)
    .sort((a, b) => lengths[a]! - lengths[b]! || a - b);
  const found: number[] = new Array(lengths.length).fill(0);
  let code = 0;
  let length = lengths[order[0]!]!;
  for (const symbol of order) {
    code *= 2 ** (lengths[symbol]! - length);
    length = lengths[symbol]!;
    found[symbol] = code++;
  }
  return found;
}

interface Node {
  zero: Node | number | null;
  one: Node | number | null;
  readonly id: number;
}

function buildDecoder(): { NEXT: Uint16Array; EMIT: Int16Array; PADDED: Uint8Array } {
  const nodes: Node[] = [];
  const add = (): Node => {
    const node: Node = { zero: null, one: null, id: nodes.length };
    nodes.push(node);
    return node;
  };
  const root = add();
  lengths.forEach((length, symbol) => {
    let node = root;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = Math.floor(codes[symbol]! / 2 ** bit) % 2 === 1 ? "one" : "zero";
      if (bit === 0) node[side] = symbol;
      else node = (node[side] ??= add()) as Node;
    }
  });
  const NEXT = new Uint16Array(nodes.length * 16);
  const EMIT = new Int16Array(nodes.length * 16).fill(-1);
  for (const start of nodes) {
    for (let nibble = 0; nibble < 16; nibble++) {
      const at = start.id * 16 + nibble;
      let node: Node | null = start;
      for (let bit = 3; bit >= 0 && node !== null; bit--) {
        const child: Node | number | null = (nibble >> bit) & 1 ? node.one : node.zero;
        if (typeof child !== "number") node = child;
        else if (child === EOS) node = null; // RFC 7541 5.2: a coded EOS is an error
        else {
          EMIT[at] = child;
          node = root;
        }
      }
      NEXT[at] = node === null ? FAILED : node.id;
    }
  }
  // Only the states on the path of ones from the root, at most seven deep, may end a string.
  const PADDED = new Uint8Array(nodes.length);
  let node: Node | number | null = root;
  for (
    let depth = 0;
    depth <= MAX_PADDING_BITS && node !== null && typeof node !== "number";
    depth++
  ) {
    PADDED[node.id] = 1;
    node = node.one;
  }
  return { NEXT, EMIT, PADDED };
}
