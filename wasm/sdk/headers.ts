/** The headers of a message as a filter sees and edits them. */
import type { Header, HeaderOp } from "./wit.ts";

/**
 * Like the Headers of the web platform, with the order and every repeated line kept.
 * What is changed here is changed in the message when the hook returns.
 */
export class FilterHeaders {
  #lines: Header[];
  #ops: HeaderOp[] = [];

  constructor(lines: Header[] = []) {
    this.#lines = lines;
  }

  // Index loops: the engine's for-of allocates at every step, and these run for each request.

  /** The value of `name`; several lines are joined with ", ". Null when there is none. */
  get(name: string): string | null {
    const wanted = name.toLowerCase(), lines = this.#lines;
    let found: string | null = null;
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!;
      if (line[0] === wanted) found = found === null ? line[1] : `${found}, ${line[1]}`;
    }
    return found;
  }

  /** Every line of `name` by itself, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase(), lines = this.#lines;
    const found: string[] = [];
    for (let i = 0; i < lines.length; i++) if (lines[i]![0] === wanted) found.push(lines[i]![1]);
    return found;
  }

  has(name: string): boolean {
    return this.#find(name.toLowerCase(), 0) >= 0;
  }

  /** Leaves exactly one line of `name`. */
  set(name: string, value: string): void {
    const wanted = name.toLowerCase();
    const line: Header = [wanted, String(value)];
    const at = this.#find(wanted, 0);
    if (at < 0) this.#lines.push(line);
    else {
      this.#lines[at] = line;
      if (this.#find(wanted, at + 1) >= 0) {
        this.#lines = this.#lines.filter((one, i) => i <= at || one[0] !== wanted);
      }
    }
    this.#ops.push({ tag: "set", val: line });
  }

  /** Adds a line; those of the same name stay. */
  append(name: string, value: string): void {
    const line: Header = [name.toLowerCase(), String(value)];
    this.#lines.push(line);
    this.#ops.push({ tag: "append", val: line });
  }

  /** Removes every line of `name`. */
  delete(name: string): void {
    const wanted = name.toLowerCase();
    this.#lines = this.#lines.filter((line) => line[0] !== wanted);
    this.#ops.push({ tag: "remove", val: wanted });
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.#lines.map((line): [string, string] => [line[0], line[1]])[Symbol.iterator]();
  }

  #find(wanted: string, from: number): number {
    const lines = this.#lines;
    for (let i = from; i < lines.length; i++) if (lines[i]![0] === wanted) return i;
    return -1;
  }

  /** What has changed since the last call; the SDK hands it to the proxy. */
  takeOps(): HeaderOp[] {
    const ops = this.#ops;
    if (ops.length > 0) this.#ops = [];
    return ops;
  }
}
