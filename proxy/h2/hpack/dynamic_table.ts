/**
 * The dynamic table of HPACK (RFC 7541 2.3.2): newest entry first, the oldest make room.
 *
 *   index:   1…61 static │ 62 newest … 61+count oldest
 */
import { STATIC_TABLE } from "./static_table.ts";

/** RFC 7541 4.1: what an entry costs beyond its characters. */
export const ENTRY_OVERHEAD = 32;
const STATIC_COUNT = STATIC_TABLE.length;

export class DynamicTable {
  readonly #names: (string | undefined)[] = [];
  readonly #values: (string | undefined)[] = [];
  /** Entries ever inserted and ever evicted; an entry's number is the insertions before it. */
  #inserted = 0;
  #evicted = 0;
  #size = 0;
  #maxSize: number;
  /** Told of every entry that makes room. */
  onEvict: ((name: string, value: string, number: number) => void) | null = null;

  constructor(maxSize: number) {
    this.#maxSize = maxSize;
  }

  get size(): number {
    return this.#size;
  }
  get maxSize(): number {
    return this.#maxSize;
  }
  get inserted(): number {
    return this.#inserted;
  }

  /** RFC 7541 4.3: a smaller limit evicts at once. */
  resize(maxSize: number): void {
    this.#maxSize = maxSize;
    while (this.#size > maxSize) this.#evict();
  }

  /** RFC 7541 4.4: an entry larger than the table empties it and is not an error. */
  insert(name: string, value: string): void {
    const cost = name.length + value.length + ENTRY_OVERHEAD;
    while (this.#size + cost > this.#maxSize && this.#inserted > this.#evicted) this.#evict();
    if (cost > this.#maxSize) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#inserted++;
    this.#size += cost;
  }

  /** Position of wire index `index` in the arrays; −1 when there is no such entry. Static ones are the caller's. */
  #at(index: number): number {
    const number = this.#inserted - (index - STATIC_COUNT);
    return number < this.#evicted || number >= this.#inserted ? -1 : number - this.#base;
  }

  name(index: number): string | null {
    if (index <= STATIC_COUNT) return index === 0 ? null : STATIC_TABLE[index - 1]![0];
    const at = this.#at(index);
    return at < 0 ? null : this.#names[at]!;
  }

  value(index: number): string | null {
    if (index <= STATIC_COUNT) return index === 0 ? null : STATIC_TABLE[index - 1]![1];
    const at = this.#at(index);
    return at < 0 ? null : this.#values[at]!;
  }

  /** Wire index of entry `number`. */
  indexOf(number: number): number {
    return STATIC_COUNT + this.#inserted - number;
  }

  /** Number of the entry in the arrays' first place. */
  #base = 0;

  #evict(): void {
    const at = this.#evicted - this.#base;
    const name = this.#names[at]!, value = this.#values[at]!;
    this.#size -= name.length + value.length + ENTRY_OVERHEAD;
    this.#names[at] = this.#values[at] = undefined;
    this.onEvict?.(name, value, this.#evicted);
    this.#evicted++;
    // Now and then the dead front is cut off, so that the arrays do not grow for ever.
    if (this.#evicted - this.#base >= 64 && (this.#evicted - this.#base) * 2 > this.#names.length) {
      this.#names.splice(0, this.#evicted - this.#base);
      this.#values.splice(0, this.#evicted - this.#base);
      this.#base = this.#evicted;
    }
  }
}
