/** Header and trailer fields as one flat list: order kept, repeats kept, no object per field. */

/**
 * Field lines in wire order, `[name, value, name, value, …]`. Names are lower-case tokens;
 * values are latin-1 strings (one char per byte) without surrounding white space.
 */
export class Fields {
  readonly lines: string[];

  constructor(lines: string[] = []) {
    this.lines = lines;
  }

  /** How many field lines there are. */
  get size(): number {
    return this.lines.length >> 1;
  }

  /** The first value of `name` (lower-case), or undefined. */
  get(name: string): string | undefined {
    const { lines } = this;
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) return lines[i + 1];
    return undefined;
  }

  has(name: string): boolean {
    const { lines } = this;
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) return true;
    return false;
  }

  /** Every value of `name`, in order. */
  all(name: string): string[] {
    const { lines } = this;
    const found: string[] = [];
    for (let i = 0; i < lines.length; i += 2) if (lines[i] === name) found.push(lines[i + 1]!);
    return found;
  }

  /** Adds a line at the end; earlier lines of that name stay. */
  append(name: string, value: string): void {
    this.lines.push(name, value);
  }

  /** Makes `value` the only value of `name`, at the place of the first line of that name. */
  set(name: string, value: string): void {
    const { lines } = this;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i] !== name) continue;
      lines[i + 1] = value;
      this.#removeFrom(i + 2, name);
      return;
    }
    lines.push(name, value);
  }

  /** Removes every line of `name`. */
  remove(name: string): void {
    this.#removeFrom(0, name);
  }

  clone(): Fields {
    return new Fields(this.lines.slice());
  }

  #removeFrom(start: number, name: string): void {
    const { lines } = this;
    let to = start;
    for (let i = start; i < lines.length; i += 2) {
      if (lines[i] === name) continue;
      if (to !== i) {
        lines[to] = lines[i]!;
        lines[to + 1] = lines[i + 1]!;
      }
      to += 2;
    }
    lines.length = to;
  }
}
