/**
 * HPACK encoding (RFC 7541 section 6), made for few connections that carry like requests: what repeats
 * costs one byte, and finding that byte costs one map look-up.
 */
import { charCode } from "../../../core/chars.ts";
import { DynamicTable } from "./dynamic_table.ts";
import { huffmanBits, huffmanEncode } from "./huffman.ts";
import { STATIC_FIELD, STATIC_NAME } from "./static_table.ts";

/** Names whose look-up entries are kept; beyond it those without a table entry are dropped. */
export const NAMES_LIMIT = 256;
/** A string is Huffman-coded from this length on, and only where that saves: below it costs more CPU than bytes. */
const HUFFMAN_FROM = 0x7fffffff;
/** RFC 7541 7.1.3: secrets never enter a table that others' requests could probe. */
const NEVER_INDEXED: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
]);

/** Values longer than this share of the table are not remembered: they would displace all else. */
const WORTH_SHARE = 4;

interface NameEntry {
  readonly forbidden: boolean;
  /** Index of the name in the static table; 0 when it is not there. */
  readonly staticIndex: number;
  readonly secret: boolean;
  /** Static indexes by value. */
  readonly statics: ReadonlyMap<string, number> | null;
  /** Dynamic entry numbers by value. */
  readonly numbers: Map<string, number>;
  /** The last value sent as a literal: a second sighting puts it into the table. */
  lastLiteral: string;
  /** A one-entry cache before the map. */
  lastValue: string;
  lastNumber: number;
}

export interface EncoderOptions {
  /** Our own cap on the table, whatever the peer allows. */
  readonly tableBytes: number;
  /** Names that are left out of every block. */
  readonly without?: ReadonlySet<string>;
  /** Huffman coding saves bytes and costs CPU: worth it across networks, not across a hop. */
  readonly huffman?: boolean;
}

export class HpackEncoder {
  readonly #table: DynamicTable;
  readonly #names = new Map<string, NameEntry>();
  readonly #cap: number;
  readonly #without: ReadonlySet<string>;
  readonly #huffmanFrom: number;
  #out: Uint8Array = new Uint8Array(4096);
  #at = 0;
  /** Sizes to announce at the start of the next block; −1: none. */
  #smallest = -1;
  #announced = -1;

  /** Begins with the protocol's default of 4096 bytes or our own cap, whichever is less. */
  constructor(options: EncoderOptions) {
    this.#cap = options.tableBytes;
    this.#without = options.without ?? new Set();
    this.#huffmanFrom = options.huffman === true ? 4 : HUFFMAN_FROM;
    this.#table = new DynamicTable(4096);
    this.#table.onEvict = (name, value, number) => {
      const entry = this.#names.get(name);
      if (entry === undefined) return;
      if (entry.numbers.get(value) === number) entry.numbers.delete(value);
      if (entry.lastNumber === number) entry.lastNumber = -1;
    };
    if (this.#cap < 4096) this.resize(4096);
  }

  get tableSize(): number {
    return this.#table.size;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. RFC 7541 4.2: the next block announces the change. */
  resize(peerAllows: number): void {
    const size = Math.min(peerAllows, this.#cap);
    if (size === this.#table.maxSize && this.#announced < 0) return;
    this.#smallest = this.#announced < 0 ? size : Math.min(this.#smallest, size);
    this.#announced = size;
    this.#table.resize(size);
  }

  /** Starts a block; field() adds to it, finish() returns it. */
  begin(): void {
    this.#at = 0;
    if (this.#announced < 0) return;
    this.#room(12);
    if (this.#smallest < this.#announced) this.#integer(0x20, 5, this.#smallest);
    this.#integer(0x20, 5, this.#announced);
    this.#announced = this.#smallest = -1;
  }

  field(name: string, value: string): void {
    const entry = this.#names.get(name) ?? this.#remember(name);
    if (entry.lastNumber >= 0 && entry.lastValue === value) return this.#indexed(entry.lastNumber);
    if (entry.forbidden) return;
    const fixed = entry.statics === null ? undefined : entry.statics.get(value);
    this.#room(name.length + value.length + 24);
    if (fixed !== undefined) return this.#integer(0x80, 7, fixed);
    // A value that differs each time is never in the table: do not even have its hash computed.
    const number = entry.numbers.size === 0 ? undefined : entry.numbers.get(value);
    if (number !== undefined) {
      entry.lastValue = value;
      entry.lastNumber = number;
      return this.#indexed(number);
    }
    if (entry.secret) return this.#literal(0x10, 4, entry, name, value);
    if (entry.lastLiteral !== value) {
      if (value.length * WORTH_SHARE <= this.#table.maxSize) entry.lastLiteral = value;
      return this.#literal(0x00, 4, entry, name, value);
    }
    this.#literal(0x40, 6, entry, name, value);
    const inserted = this.#table.inserted;
    this.#table.insert(name, value);
    if (this.#table.inserted > inserted) entry.numbers.set(value, inserted);
  }

  /** The block; valid until the next begin(). */
  finish(): Uint8Array {
    return this.#out.subarray(0, this.#at);
  }

  #indexed(number: number): void {
    this.#room(8);
    this.#integer(0x80, 7, this.#table.indexOf(number));
  }

  #literal(pattern: number, prefix: number, entry: NameEntry, name: string, value: string): void {
    this.#integer(pattern, prefix, entry.staticIndex);
    if (entry.staticIndex === 0) this.#string(name);
    this.#string(value);
  }

  #integer(pattern: number, prefix: number, value: number): void {
    const most = (1 << prefix) - 1;
    const out = this.#out;
    if (value < most) return void (out[this.#at++] = pattern | value);
    out[this.#at++] = pattern | most;
    for (value -= most; value >= 128; value = Math.floor(value / 128)) {
      out[this.#at++] = (value % 128) | 0x80;
    }
    out[this.#at++] = value;
  }

  #string(text: string): void {
    if (text.length >= this.#huffmanFrom) {
      const size = (huffmanBits(text) + 7) >> 3;
      if (size < text.length) {
        this.#integer(0x80, 7, size);
        this.#at = huffmanEncode(text, this.#out, this.#at);
        return;
      }
    }
    this.#integer(0, 7, text.length);
    const out = this.#out;
    for (let i = 0; i < text.length; i++) out[this.#at++] = charCode(text, i);
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#out.length) return;
    const grown = new Uint8Array(Math.max(this.#out.length * 2, this.#at + bytes));
    grown.set(this.#out);
    this.#out = grown;
  }

  #remember(name: string): NameEntry {
    if (this.#names.size >= NAMES_LIMIT) {
      for (const [known, entry] of this.#names) {
        if (entry.numbers.size === 0) this.#names.delete(known);
      }
    }
    const entry: NameEntry = {
      staticIndex: STATIC_NAME.get(name) ?? 0,
      forbidden: this.#without.has(name),
      secret: NEVER_INDEXED.has(name),
      statics: STATIC_FIELD.get(name) ?? null,
      numbers: new Map(),
      lastLiteral: "\0", // no field value holds NUL
      lastValue: "",
      lastNumber: -1,
    };
    this.#names.set(name, entry);
    return entry;
  }
}
