/** HPACK decoding (RFC 7541 section 6): a header block in, field lines out; keeps the table whatever happens. */
import { latin1 } from "../../../core/bytes.ts";
import { DynamicTable, ENTRY_OVERHEAD } from "./dynamic_table.ts";
import { huffmanDecode } from "./huffman.ts";

export const DECODED = 0 as const, COMPRESSION_ERROR = 1 as const, TOO_LARGE = 2 as const;
export type Decoded = typeof DECODED | typeof COMPRESSION_ERROR | typeof TOO_LARGE;

export interface DecoderLimits {
  /** Decoded size of a block, names and values and 32 a field: what an index can blow up to. */
  readonly listBytes: number;
  readonly fields: number;
}

/** RFC 7541 5.1 allows any; nothing legal here is near this. */
const MAX_INTEGER = 1 << 28;
const BAD = -1;
const DEFAULT_TABLE_BYTES = 4096;
/** A short string cut from a block larger than this would keep all of it alive in the table. */
const PINNABLE_BYTES = 1024;

export class HpackDecoder {
  readonly #table: DynamicTable;
  /** What we allowed the peer by SETTINGS; an update above it is an error. */
  readonly #allowed: number;
  readonly #limits: DecoderLimits;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The same block as text, once a plain string is to be cut out of it. */
  #text: string | null = null;
  #at = 0;

  constructor(tableBytes: number, limits: DecoderLimits) {
    this.#table = new DynamicTable(DEFAULT_TABLE_BYTES); // until an update says otherwise, 9113 6.5.2
    this.#allowed = Math.max(tableBytes, DEFAULT_TABLE_BYTES);
    this.#limits = limits;
  }

  get tableSize(): number {
    return this.#table.size;
  }

  /** Appends `name, value, …` to `lines`. TOO_LARGE: the table is right, `lines` is cut short. */
  decode(block: Uint8Array, lines: string[]): Decoded {
    this.#bytes = block;
    this.#text = null;
    this.#at = 0;
    let size = 0, fields = 0, updates = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      let name: string | null, value: string | null;
      if (first & 0x80) { // 6.1 indexed field
        const index = this.#integer(7);
        name = index === BAD ? null : this.#table.name(index);
        value = index === BAD ? null : this.#table.value(index);
      } else if ((first & 0xe0) === 0x20) { // 6.3 table size update
        // 4.2: updates come first in a block, and two are all that can be needed.
        if (fields > 0 || ++updates > 2 || !this.#update()) return COMPRESSION_ERROR;
        continue;
      } else { // 6.2 literal, with indexing or without
        const indexing = (first & 0xc0) === 0x40;
        const index = this.#integer(indexing ? 6 : 4);
        name = index === BAD
          ? null
          : index === 0
          ? this.#string(indexing)
          : this.#table.name(index);
        value = name === null ? null : this.#string(indexing);
        if (indexing && value !== null) this.#table.insert(name!, value);
      }
      if (name === null || value === null) return COMPRESSION_ERROR;
      fields++;
      size += name.length + value.length + ENTRY_OVERHEAD;
      if (size <= this.#limits.listBytes && fields <= this.#limits.fields) lines.push(name, value);
    }
    return size > this.#limits.listBytes || fields > this.#limits.fields ? TOO_LARGE : DECODED;
  }

  #update(): boolean {
    const size = this.#integer(5);
    if (size === BAD || size > this.#allowed) return false;
    this.#table.resize(size);
    return true;
  }

  /** RFC 7541 5.1. */
  #integer(prefix: number): number {
    const bytes = this.#bytes;
    const most = (1 << prefix) - 1;
    let value = bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let shift = 0; shift <= 28; shift += 7) {
      if (this.#at >= bytes.length) return BAD;
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (value > MAX_INTEGER) return BAD;
      if ((byte & 0x80) === 0) return value;
    }
    return BAD;
  }

  /** RFC 7541 5.2. */
  #string(kept: boolean): string | null {
    const bytes = this.#bytes;
    if (this.#at >= bytes.length) return null;
    const coded = (bytes[this.#at]! & 0x80) !== 0;
    const length = this.#integer(7);
    if (length === BAD || this.#at + length > bytes.length) return null;
    const from = this.#at;
    this.#at += length;
    if (coded) return huffmanDecode(bytes, from, this.#at);
    if (kept && bytes.length > PINNABLE_BYTES) return latin1(bytes, from, this.#at);
    this.#text ??= latin1(bytes, 0, bytes.length);
    return this.#text.substring(from, this.#at);
  }
}
