/** The `denim` command as a child process, as a person would start it. */
import { readLines } from "../../cli/local/log_file.ts";

const MAIN = new URL("../../cli/main.ts", import.meta.url).pathname;

export interface DenimOptions {
  /** Permissions and flags for Deno; default: all. */
  readonly flags?: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running command; what it prints is kept as lines. */
export class Denim implements AsyncDisposable {
  readonly out: string[] = [];
  readonly err: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #told = Promise.withResolvers<void>();

  constructor(args: readonly string[], options: DenimOptions = {}) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", ...options.flags ?? ["-A"], MAIN, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { NO_COLOR: "1", ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }).spawn();
    this.#output = Promise.all([
      readLines(this.#process.stdout, (line) => this.#line(this.out, line)),
      readLines(this.#process.stderr, (line) => this.#line(this.err, line)),
    ]).then(() => this.#told.resolve());
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Everything it printed so far. */
  get text(): string {
    return [...this.out, ...this.err].join("\n");
  }

  kill(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Its exit code, when all it printed has been read. */
  async ended(): Promise<number> {
    const { code } = await this.#process.status;
    await this.#output;
    return code;
  }

  /** Resolves when `fits` is true of what it printed; rejects when it ends or `withinMs` pass before. */
  async printed(fits: (denim: Denim) => boolean, withinMs = 30_000): Promise<void> {
    const giveUpAt = performance.now() + withinMs;
    let ended = false;
    this.ended().then(() => ended = true);
    while (!fits(this)) {
      const leftMs = giveUpAt - performance.now();
      if (ended || leftMs <= 0) throw new Error(`It did not print that, but:\n${this.text}`);
      const timer = setTimeout(() => this.#told.resolve(), leftMs);
      await this.#told.promise;
      clearTimeout(timer);
      // Its last lines and its end come together; look at them once more before giving up.
      if (!ended) this.#told = Promise.withResolvers();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await this.ended();
  }

  #line(lines: string[], line: string): void {
    lines.push(line);
    this.#told.resolve();
  }
}

/** Runs a command to its end. */
export async function denim(
  args: readonly string[],
  options: DenimOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const command = new Denim(args, options);
  const code = await command.ended();
  return { code, out: command.out.join("\n"), err: command.err.join("\n") };
}
