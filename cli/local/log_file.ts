/** A child's log: whole lines into a file that is kept below a size, and the last lines in memory. */

/** When a log file reaches this it becomes `<file>.1` (replacing the last one) and a new one begins. */
export const MAX_LOG_BYTES = 8 * 1024 * 1024;
/** Lines kept in memory, to show people the end of a log and to let tests look for a reason. */
export const MAX_KEPT_LINES = 5_000;
/** A longer line is cut. */
export const MAX_LINE_CHARS = 16 * 1024;

export interface LogFileOptions {
  /** Null: memory only. */
  readonly path: string | null;
  readonly maxBytes?: number;
  readonly maxKeptLines?: number;
}

export class LogFile {
  readonly path: string | null;
  readonly #maxBytes: number;
  readonly #maxKept: number;
  readonly #encoder = new TextEncoder();
  #file: Deno.FsFile | null = null;
  #bytes = 0;
  #kept: string[] = [];

  constructor(options: LogFileOptions) {
    this.path = options.path;
    this.#maxBytes = options.maxBytes ?? MAX_LOG_BYTES;
    this.#maxKept = options.maxKeptLines ?? MAX_KEPT_LINES;
    if (this.path !== null) this.#open(this.path);
  }

  line(text: string): void {
    const line = text.length > MAX_LINE_CHARS ? `${text.slice(0, MAX_LINE_CHARS)}…` : text;
    this.#kept.push(line);
    // Cut in halves, so that a full buffer does not shift thousands of entries on every line.
    if (this.#kept.length > this.#maxKept * 2) this.#kept = this.#kept.slice(-this.#maxKept);
    if (this.#file === null || this.path === null) return;
    const bytes = this.#encoder.encode(`${line}\n`);
    if (this.#bytes + bytes.length > this.#maxBytes) this.#rotate(this.path);
    this.#file.writeSync(bytes);
    this.#bytes += bytes.length;
  }

  /** The last lines, oldest first. */
  lines(): readonly string[] {
    return this.#kept.slice(-this.#maxKept);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = null;
  }

  #open(path: string): void {
    this.#file = Deno.openSync(path, { append: true, create: true, mode: 0o600 });
    this.#bytes = this.#file.statSync().size;
  }

  #rotate(path: string): void {
    this.#file?.close();
    Deno.renameSync(path, `${path}.1`);
    this.#open(path);
  }
}

/** Calls `each` for every line of `stream` until it ends. */
export async function readLines(
  stream: ReadableStream<Uint8Array>,
  each: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARS) {
      lines.push(rest);
      rest = "";
    }
    for (const line of lines) each(line);
  }
  if (rest !== "") each(rest);
}
