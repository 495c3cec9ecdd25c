// Four programs that compute, each `run(rounds)` of one kind; what they return is checked.

function rotate(value: u32, by: u32): u32 {
  return (value >>> by) | (value << (32 - by));
}

const K = new StaticArray<u32>(64);
const W = new StaticArray<u32>(64);
const TEXT = new Uint8Array(64 * 1024);

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes (FIPS 180-4). */
function fillK(): void {
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d == 0) prime = false;
    if (!prime) continue;
    const root = Math.cbrt(<f64> n);
    K[found++] = <u32> <u64> ((root - Math.floor(root)) * 4294967296.0);
  }
}

export function sha256(rounds: i32): u32 {
  if (K[0] == 0) fillK();
  let a0: u32 = 0x6a09e667, b0: u32 = 0xbb67ae85, c0: u32 = 0x3c6ef372, d0: u32 = 0xa54ff53a;
  let e0: u32 = 0x510e527f, f0: u32 = 0x9b05688c, g0: u32 = 0x1f83d9ab, h0: u32 = 0x5be0cd19;
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < TEXT.length; at += 64) {
      for (let i = 0; i < 16; i++) {
        const b = at + i * 4;
        W[i] = (<u32> TEXT[b] << 24) | (<u32> TEXT[b + 1] << 16) | (<u32> TEXT[b + 2] << 8) |
          <u32> TEXT[b + 3];
      }
      for (let i = 16; i < 64; i++) {
        const x = W[i - 15], y = W[i - 2];
        const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
        const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
        W[i] = W[i - 16] + s0 + W[i - 7] + s1;
      }
      let a = a0, b = b0, c = c0, d = d0, e = e0, f = f0, g = g0, h = h0;
      for (let i = 0; i < 64; i++) {
        const t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
          K[i] + W[i];
        const t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
      }
      a0 += a;
      b0 += b;
      c0 += c;
      d0 += d;
      e0 += e;
      f0 += f;
      g0 += g;
      h0 += h;
    }
  }
  return a0 ^ b0 ^ c0 ^ d0 ^ e0 ^ f0 ^ g0 ^ h0;
}

const NUMBERS = new StaticArray<i32>(1 << 14);

function sort(low: i32, high: i32): void {
  while (low < high) {
    const pivot = NUMBERS[(low + high) >>> 1];
    let i = low, j = high;
    while (i <= j) {
      while (NUMBERS[i] < pivot) i++;
      while (NUMBERS[j] > pivot) j--;
      if (i > j) break;
      const kept = NUMBERS[i];
      NUMBERS[i++] = NUMBERS[j];
      NUMBERS[j--] = kept;
    }
    sort(low, j);
    low = i;
  }
}

export function quicksort(rounds: i32): u32 {
  let seed: u32 = 1, sum: u32 = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < NUMBERS.length; i++) {
      seed = seed * 1664525 + 1013904223;
      NUMBERS[i] = <i32> (seed >>> 1);
    }
    sort(0, NUMBERS.length - 1);
    sum = sum * 31 + <u32> NUMBERS[NUMBERS.length >> 1];
  }
  return sum;
}

let at = 0;
let end = 0;

function writeText(text: string): void {
  for (let i = 0; i < text.length; i++) TEXT[end++] = <u8> text.charCodeAt(i);
}

function fillJson(): void {
  end = 0;
  writeText("[");
  for (let i = 0; i < 400; i++) {
    if (i > 0) writeText(",");
    writeText(
      '{"id":' + i.toString() + ',"name":"user ' + i.toString() +
        '","tags":["a","b\\n",true,null],"score":-12.5e1}',
    );
  }
  writeText("]");
}

function space(): void {
  while (at < end && (TEXT[at] == 0x20 || TEXT[at] == 0x0a)) at++;
}

/** The number of values in the one at `at`; what is not JSON counts as 1000000. */
function value(): u32 {
  space();
  const first = TEXT[at];
  if (first == 0x7b || first == 0x5b) {
    const close: u8 = first == 0x7b ? 0x7d : 0x5d;
    let count: u32 = 1;
    at++;
    space();
    while (TEXT[at] != close) {
      if (first == 0x7b) {
        count += text();
        space();
        if (TEXT[at++] != 0x3a) return 1000000;
      }
      count += value();
      space();
      if (TEXT[at] == 0x2c) at++;
      else if (TEXT[at] != close) return 1000000;
      space();
    }
    at++;
    return count;
  }
  if (first == 0x22) return text();
  if (first == 0x2d || (first >= 0x30 && first <= 0x39)) {
    at++;
    while (
      (TEXT[at] >= 0x30 && TEXT[at] <= 0x39) || TEXT[at] == 0x2e || TEXT[at] == 0x65 ||
      TEXT[at] == 0x2d
    ) at++;
    return 1;
  }
  while (TEXT[at] >= 0x61 && TEXT[at] <= 0x7a) at++;
  return 1;
}

function text(): u32 {
  if (TEXT[at++] != 0x22) return 1000000;
  while (TEXT[at] != 0x22) at += TEXT[at] == 0x5c ? 2 : 1;
  at++;
  return 1;
}

export function json(rounds: i32): u32 {
  fillJson();
  let count: u32 = 0;
  for (let round = 0; round < rounds; round++) {
    at = 0;
    count += value();
  }
  TEXT.fill(0);
  return count;
}

const CODE = new StaticArray<u8>(64);
const STACK = new StaticArray<i32>(64);

/** A stack machine: pushes, adds, multiplies, jumps; 0 ends. */
function execute(code: StaticArray<u8>, start: i32): i32 {
  let pc = 0, top = 0, counter = start, sum = 0;
  while (true) {
    switch (code[pc++]) {
      case 0:
        return sum;
      case 1:
        STACK[top++] = <i32> code[pc++];
        break;
      case 2:
        top--;
        STACK[top - 1] += STACK[top];
        break;
      case 3:
        top--;
        STACK[top - 1] *= STACK[top];
        break;
      case 4:
        STACK[top++] = counter;
        break;
      case 5:
        sum = sum * 31 + STACK[--top];
        break;
      case 6:
        counter--;
        if (counter > 0) pc = <i32> code[pc];
        else pc++;
        break;
      case 7:
        STACK[top - 1] ^= <i32> code[pc++];
        break;
      default:
        return -1;
    }
  }
}

export function interpreter(rounds: i32): u32 {
  const program: u8[] = [4, 1, 3, 3, 7, 85, 1, 9, 2, 5, 6, 0, 0];
  for (let i = 0; i < program.length; i++) CODE[i] = program[i];
  let sum: u32 = 0;
  for (let round = 0; round < rounds; round++) sum = sum * 31 + <u32> execute(CODE, 20000);
  return sum;
}
