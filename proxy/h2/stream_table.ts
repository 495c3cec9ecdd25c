/**
 * The open streams of a connection, by id: a hash table whose chains run through the streams themselves.
 *
 * Not a Map: V8's grows a new table after every few dozen additions, and each old one points to the next
 * and at the streams of its day. Once a single old table has been promoted, the chain keeps every
 * exchange there is alive until the next whole collection: a third of the processor went into that.
 */
import type { H2Stream } from "./stream.ts";

const LEAST_CHAINS = 16;
/** Streams per chain, on average, above which there are twice as many chains. */
const MOST_PER_CHAIN = 2;

export class StreamTable {
  #chains: (H2Stream | null)[] = new Array(LEAST_CHAINS).fill(null);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): H2Stream | undefined {
    let stream = this.#chains[this.#chainOf(id)]!;
    while (stream !== null && stream.id !== id) stream = stream.chained!;
    return stream ?? undefined;
  }

  /** Its id must not be in the table. */
  add(stream: H2Stream): void {
    if (++this.#size > this.#chains.length * MOST_PER_CHAIN) this.#grow();
    this.#link(stream);
  }

  delete(id: number): void {
    const chain = this.#chainOf(id);
    let before: H2Stream | null = null;
    for (let stream = this.#chains[chain]!; stream !== null; stream = stream.chained!) {
      if (stream.id === id) {
        if (before === null) this.#chains[chain] = stream.chained;
        else before.chained = stream.chained;
        stream.chained = null;
        this.#size--;
        return;
      }
      before = stream;
    }
  }

  /** All of them now, the oldest first; the table may change while they are walked. */
  all(): H2Stream[] {
    const all: H2Stream[] = [];
    for (const chain of this.#chains) {
      for (let stream = chain; stream !== null; stream = stream.chained) all.push(stream);
    }
    return all.sort((a, b) => a.id - b.id);
  }

  /** Ids of one side are all odd or all even. */
  #chainOf(id: number): number {
    return (id >> 1) & (this.#chains.length - 1);
  }

  #link(stream: H2Stream): void {
    const chain = this.#chainOf(stream.id);
    stream.chained = this.#chains[chain]!;
    this.#chains[chain] = stream;
  }

  #grow(): void {
    const all = this.all();
    this.#chains = new Array(this.#chains.length * 2).fill(null);
    for (const stream of all) this.#link(stream);
  }
}
