// AssemblyScript: `run` does one of a few jobs of size `n` and returns a checksum of what came out.

const K: StaticArray<u32> = new StaticArray<u32>(64);

/** The constants of SHA-256 from their definition: cube roots of primes. */
function prepare(): void {
  let found = 0;
  for (let n = 2; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d == 0) prime = false;
    if (!prime) continue;
    const root = Math.cbrt(<f64> n);
    K[found++] = <u32> (<u64> ((root - Math.floor(root)) * 4294967296.0));
  }
}

function compress(h: StaticArray<u32>, block: StaticArray<u32>): void {
  const w = new StaticArray<u32>(64);
  for (let i = 0; i < 16; i++) w[i] = block[i];
  for (let i = 16; i < 64; i++) {
    const s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  let a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], k = h[7];
  for (let i = 0; i < 64; i++) {
    const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
    const t1 = k + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i];
    const s0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    k = g;
    g = f;
    f = e;
    e = d + t1;
    d = c;
    c = b;
    b = a;
    a = t1 + t2;
  }
  h[0] += a;
  h[1] += b;
  h[2] += c;
  h[3] += d;
  h[4] += e;
  h[5] += f;
  h[6] += g;
  h[7] += k;
}

function hash(n: i32): i64 {
  prepare();
  const h = StaticArray.fromArray<u32>([1, 2, 3, 4, 5, 6, 7, 8]);
  const block = new StaticArray<u32>(16);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < 16; j++) block[j] = i * 16 + j;
    compress(h, block);
  }
  return (<i64> h[0] << 32) | <i64> h[7];
}

function random(state: u32): u32 {
  return state * 1664525 + 1013904223;
}

function sorted(n: i32): i64 {
  const list = new Array<i32>();
  let state: u32 = 1;
  for (let i = 0; i < n; i++) {
    state = random(state);
    list.push(<i32> (state >> 8));
  }
  list.sort((a, b) => a - b);
  let sum: i64 = 0;
  for (let i = 0; i < n; i++) sum = sum * 31 + <i64> list[i];
  return sum;
}

function text(n: i32): i64 {
  const seen = new Map<string, i32>();
  for (let i = 0; i < n; i++) {
    const key = "key-" + (i % 97).toString() + "-" + (<f64> i / 7.0).toString().slice(0, 3);
    seen.set(key, (seen.has(key) ? seen.get(key) : 0) + i);
  }
  const keys = seen.keys().sort();
  let sum: i64 = 0;
  for (let i = 0; i < keys.length; i++) {
    sum = sum * 131 + <i64> keys[i].charCodeAt(4) + <i64> seen.get(keys[i]);
  }
  return sum;
}

/** Runs a program for a machine of eight instructions on a tape. */
function interpret(n: i32): i64 {
  const program = "++++++++[>++++[>++>+++>+++>+<<<<-]>+>+>->>+[<]<-]>>.>---.+++++++..+++.";
  let sum: i64 = 0;
  for (let round = 0; round < n; round++) {
    const tape = new StaticArray<u8>(64);
    let at = 0;
    for (let pc = 0; pc < program.length; pc++) {
      const code = program.charCodeAt(pc);
      if (code == 62) at++;
      else if (code == 60) at--;
      else if (code == 43) tape[at]++;
      else if (code == 45) tape[at]--;
      else if (code == 46) sum = sum * 257 + <i64> tape[at];
      else if (code == 91 && tape[at] == 0) pc = jump(program, pc, 1);
      else if (code == 93 && tape[at] != 0) pc = jump(program, pc, -1);
    }
  }
  return sum;
}

function jump(program: string, from: i32, step: i32): i32 {
  let depth = 0, pc = from;
  do {
    const code = program.charCodeAt(pc);
    if (code == 91) depth++;
    if (code == 93) depth--;
    pc += step;
  } while (depth != 0);
  return pc - step;
}

function fractal(n: i32): i64 {
  let inside: i64 = 0;
  for (let y = 0; y < n; y++) {
    for (let x = 0; x < n; x++) {
      const cx = <f64> x * 3.0 / <f64> n - 2.0, cy = <f64> y * 2.0 / <f64> n - 1.0;
      let a = 0.0, b = 0.0, i = 0;
      for (; i < 60 && a * a + b * b < 4.0; i++) {
        const t = a * a - b * b + cx;
        b = 2.0 * a * b + cy;
        a = t;
      }
      inside = inside * 3 + <i64> i;
    }
  }
  return inside;
}

export function run(kind: i32, n: i32): i64 {
  switch (kind) {
    case 0:
      return hash(n);
    case 1:
      return sorted(n);
    case 2:
      return text(n);
    case 3:
      return interpret(n);
    default:
      return fractal(n / 8);
  }
}
