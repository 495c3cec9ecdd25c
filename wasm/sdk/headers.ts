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

  /** The value of `name`; several lines are joined with ", ". Null when there is none. */
  get(name: string): string | null {
    const all = this.getAll(name);
    return all.length === 0 ? null : all.join(", ");
  }

  /** Every line of `name` by itself, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const found: string[] = [];
    for (const line of this.#lines) if (line[0] === wanted) found.push(line[1]);
    return found;
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    for (const line of this.#lines) if (line[0] === wanted) return true;
    return false;
  }

  /** Leaves exactly one line of `name`. */
  set(name: string, value: string): void {
    const line: Header = [name.toLowerCase(), String(value)];
    const at = this.#lines.findIndex((l) => l[0] === line[0]);
    if (at < 0) this.#lines.push(line);
    else {
      this.#lines = this.#lines.filter((l, i) => i <= at || l[0] !== line[0]);
      this.#lines[at] = line;
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

  /** What has changed since the last call; the SDK hands it to the proxy. */
  takeOps(): HeaderOp[] {
    const ops = this.#ops;
    if (ops.length > 0) this.#ops = [];
    return ops;
  }
}
