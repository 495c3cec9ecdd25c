/** An append-only file of lines, put aside at a size; so many put-aside ones are kept. */
import { readIfThere } from "../files.ts";

export interface LineFileLimits {
  /** The file is put aside when it has become so large. */
  readonly maxBytes: number;
  /** Put-aside files: `x.jsonl.1` is the youngest. */
  readonly kept: number;
}

export class LineFile {
  readonly #file: string;
  readonly #limits: LineFileLimits;
  #putAsides = 0;

  constructor(file: string, limits: LineFileLimits) {
    this.#file = file;
    this.#limits = limits;
  }

  /** How often the file was put aside since it was opened. */
  get putAsides(): number {
    return this.#putAsides;
  }

  /** Whether there are as many files as are kept, so that older ones may be gone. */
  mayHaveDropped(): boolean {
    try {
      return Deno.statSync(`${this.#file}.${this.#limits.kept}`).isFile;
    } catch {
      return false;
    }
  }

  /** Throws when the line cannot be written. With `sync` it is on disk when this returns. */
  append(line: string, { sync }: { readonly sync: boolean }): void {
    const bytes = new TextEncoder().encode(line + "\n");
    using file = Deno.openSync(this.#file, { append: true, create: true, mode: 0o600 });
    let at = 0;
    while (at < bytes.length) at += file.writeSync(bytes.subarray(at));
    if (sync) file.syncDataSync();
    if (file.statSync().size >= this.#limits.maxBytes) this.#putAside();
  }

  /** The same for several lines, on disk when it resolves, without holding up the process meanwhile. */
  async appendAll(lines: readonly string[]): Promise<void> {
    const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
    using file = await Deno.open(this.#file, { append: true, create: true, mode: 0o600 });
    let at = 0;
    while (at < bytes.length) at += await file.write(bytes.subarray(at));
    await file.syncData();
    if ((await file.stat()).size >= this.#limits.maxBytes) this.#putAside();
  }

  /** Whether a line could be appended, as far as can be known without doing it. */
  opens(): boolean {
    try {
      Deno.openSync(this.#file, { append: true, create: true, mode: 0o600 }).close();
      return true;
    } catch {
      return false;
    }
  }

  /** Lines from the newest to the oldest; one file at a time is held. */
  async *newestFirst(): AsyncGenerator<string> {
    for (let n = 0; n <= this.#limits.kept; n++) {
      const text = await readIfThere(n === 0 ? this.#file : `${this.#file}.${n}`);
      if (text === null && n > 0) return;
      const lines = (text ?? "").split("\n");
      for (let at = lines.length - 1; at >= 0; at--) {
        if (lines[at] !== "") yield lines[at]!;
      }
    }
  }

  /** Lines from the oldest to the newest; one file at a time is held. */
  async *oldestFirst(): AsyncGenerator<string> {
    for (let n = this.#limits.kept; n >= 0; n--) {
      const text = await readIfThere(n === 0 ? this.#file : `${this.#file}.${n}`);
      for (const line of (text ?? "").split("\n")) if (line !== "") yield line;
    }
  }

  /** Ends a line that a power cut left half written, so that the next one stands by itself. */
  mend(): void {
    try {
      using file = Deno.openSync(this.#file, { read: true, append: true });
      if (file.statSync().size === 0) return;
      file.seekSync(-1, Deno.SeekMode.End);
      const last = new Uint8Array(1);
      file.readSync(last);
      if (last[0] !== 0x0a) file.writeSync(Uint8Array.of(0x0a));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** `x.jsonl` becomes `x.jsonl.1`, that one `.2`, and so on; the oldest goes. */
  #putAside(): void {
    this.#putAsides++;
    for (let n = this.#limits.kept; n >= 1; n--) {
      const from = n === 1 ? this.#file : `${this.#file}.${n - 1}`;
      try {
        Deno.renameSync(from, `${this.#file}.${n}`);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}
