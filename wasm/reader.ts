/** A bounds-checked cursor over Wasm bytes, LEB128 both ways, and the one error all readers of modules throw. */

/** Why a module cannot be taken; `offset` is the byte it was noticed at, -1 when it concerns the whole. */
export class ModuleError extends Error {
  readonly code: string;
  readonly offset: number;

  constructor(code: string, message: string, offset = -1) {
    super(offset < 0 ? message : `${message} (at byte ${offset})`);
    this.name = "ModuleError";
    this.code = code;
    this.offset = offset;
  }
}

/** A byte order mark is a character of a name like any other: the engine thinks so too. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads forward through `bytes`, from `at` up to `end`. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly end: number;
  at: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  u8(): number {
    if (this.at >= this.end) this.#short();
    return this.bytes[this.at++]!;
  }

  /** Unsigned LEB128 of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw new ModuleError("wasm.malformed", "A number has more than 32 bits", this.at);
  }

  /** Signed or 64-bit LEB128 whose value does not matter. */
  skipLeb(): void {
    for (let i = 0; i < 10; i++) if (this.u8() < 0x80) return;
    throw new ModuleError("wasm.malformed", "A number is longer than ten bytes", this.at);
  }

  skip(count: number): void {
    if (count > this.end - this.at) this.#short();
    this.at += count;
  }

  take(count: number): Uint8Array {
    const from = this.at;
    this.skip(count);
    return this.bytes.subarray(from, this.at);
  }

  name(): string {
    const from = this.at;
    const raw = this.take(this.u32());
    try {
      return utf8.decode(raw);
    } catch {
      throw new ModuleError("wasm.malformed", "A name is not UTF-8", from);
    }
  }

  #short(): never {
    throw new ModuleError("wasm.malformed", "The module ends too early", this.at);
  }
}

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  const out: number[] = [];
  let rest = value >>> 0;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    out.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return out;
}

/** Signed LEB128 of a safe integer. */
export function signedLeb(value: number): number[] {
  const out: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const byte = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0)) {
      out.push(byte);
      return out;
    }
    out.push(byte | 0x80);
  }
}
