/** HPACK as simple as it can be said (RFC 7541), to hold ours against: an encoder that does as it is told, a decoder that forgets nothing. */
import { huffmanBits, huffmanDecode, huffmanEncode } from "../../proxy/h2/hpack/huffman.ts";
import { STATIC_TABLE } from "../../proxy/h2/hpack/static_table.ts";

type Entry = readonly [name: string, value: string];

/** How a field is written (RFC 7541 section 6.1 and 6.2). */
export type Form = "indexed" | "incremental" | "without" | "never";
const PATTERN = { incremental: [0x40, 6], without: [0x00, 4], never: [0x10, 4] } as const;

export class ModelTable {
  entries: Entry[] = [];
  max = 4096;

  get size(): number {
    return this.entries.reduce((n, [name, value]) => n + name.length + value.length + 32, 0);
  }
  resize(max: number): void {
    this.max = max;
    while (this.size > max) this.entries.pop();
  }
  insert(entry: Entry): void {
    this.entries.unshift(entry);
    while (this.size > this.max) this.entries.pop();
  }
  at(index: number): Entry | undefined {
    return index <= 61 ? STATIC_TABLE[index - 1] : this.entries[index - 62];
  }
  /** Wire index of the first entry that matches; 0: none does. */
  find(matches: (entry: Entry) => boolean): number {
    const fixed = STATIC_TABLE.findIndex(matches);
    if (fixed >= 0) return fixed + 1;
    const dynamic = this.entries.findIndex(matches);
    return dynamic < 0 ? 0 : 62 + dynamic;
  }
}

export class ModelEncoder {
  readonly table = new ModelTable();

  resize(max: number): number[] {
    this.table.resize(max);
    return integer(0x20, 5, max);
  }

  /** "indexed" without such an entry is written with incremental indexing. */
  field(name: string, value: string, form: Form, huffman: boolean, byName: boolean): number[] {
    if (form === "indexed") {
      const index = this.table.find((entry) => entry[0] === name && entry[1] === value);
      if (index > 0) return integer(0x80, 7, index);
      form = "incremental";
    }
    const [pattern, prefix] = PATTERN[form];
    const index = byName ? this.table.find((entry) => entry[0] === name) : 0;
    const out = [
      ...integer(pattern, prefix, index),
      ...(index === 0 ? string(name, huffman) : []),
      ...string(value, huffman),
    ];
    if (form === "incremental") this.table.insert([name, value]);
    return out;
  }
}

export class ModelDecoder {
  readonly table = new ModelTable();
  /** How each field of the last block was written. */
  forms: Form[] = [];
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Throws on anything malformed. */
  decode(block: Uint8Array): string[] {
    const lines: string[] = [];
    this.#bytes = block;
    this.#at = 0;
    this.forms = [];
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if (first >= 0x80) {
        const entry = this.table.at(this.#integer(7));
        if (entry === undefined) throw new Error("no such entry");
        lines.push(...entry);
        this.forms.push("indexed");
      } else if (first >= 0x20 && first < 0x40) {
        if (lines.length > 0) throw new Error("a size update inside a block");
        this.table.resize(this.#integer(5));
      } else {
        const form = first >= 0x40 ? "incremental" : first >= 0x10 ? "never" : "without";
        const index = this.#integer(PATTERN[form][1]);
        const name = index === 0 ? this.#string() : this.table.at(index)![0];
        const value = this.#string();
        lines.push(name, value);
        this.forms.push(form);
        if (form === "incremental") this.table.insert([name, value]);
      }
    }
    return lines;
  }

  #integer(prefix: number): number {
    const most = 2 ** prefix - 1;
    let value = this.#bytes[this.#at++]! % (most + 1);
    if (value < most) return value;
    for (let scale = 1;; scale *= 128) {
      const byte = this.#bytes[this.#at++]!;
      value += (byte % 128) * scale;
      if (byte < 128) return value;
    }
  }

  #string(): string {
    const coded = this.#bytes[this.#at]! >= 128;
    const length = this.#integer(7);
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new Error("a string ends behind its block");
    if (!coded) return String.fromCharCode(...this.#bytes.subarray(from, this.#at));
    const text = huffmanDecode(this.#bytes, from, this.#at);
    if (text === null) throw new Error("bad Huffman coding");
    return text;
  }
}

export function integer(pattern: number, prefix: number, value: number): number[] {
  const most = 2 ** prefix - 1;
  if (value < most) return [pattern | value];
  const out = [pattern | most];
  for (value -= most; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return [...out, value];
}

function string(text: string, huffman: boolean): number[] {
  if (!huffman) return [...integer(0, 7, text.length), ...text].map((c) => code(c));
  const coded = new Uint8Array((huffmanBits(text) + 7) >> 3);
  huffmanEncode(text, coded, 0);
  return [...integer(0x80, 7, coded.length), ...coded];
}

function code(c: string | number): number {
  return typeof c === "number" ? c : c.charCodeAt(0);
}
