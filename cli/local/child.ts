/**
 * One program of the local mesh: started, watched, started again with back-off when it dies, stopped.
 *
 *   starting ──ready line──▶ up ──exit──▶ waiting ──back-off──▶ starting
 *        └──────exit before the first ready line──▶ failed
 *   any ──stop()──▶ stopped
 */
import { LogFile, readLines } from "./log_file.ts";

/** What a program prints on standard output, as one JSON line, when it serves. */
export interface ReadyLine {
  readonly ready: true;
  readonly [member: string]: unknown;
}

export interface ChildSpec {
  /** As people are told of it, e.g. `sidecar of web`. */
  readonly name: string;
  /** Arguments of the Deno executable. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Its standard error and output; null keeps them in memory only. */
  readonly logPath: string | null;
}

export interface ChildOptions {
  /** Told in one sentence when the program ended by itself and when it is back. */
  readonly say?: (sentence: string) => void;
  /** Called at every ready line, also after a restart: its process id is another one then. */
  readonly onReady?: (line: ReadyLine) => void;
  readonly readyTimeoutMs?: number;
  /** False: a program that ends stays down (tests that kill on purpose). */
  readonly restart?: boolean;
}

const READY_TIMEOUT_MS = 20_000;
/** First wait before a restart; doubles up to the longest. */
export const BACKOFF_MS = 250, MAX_BACKOFF_MS = 10_000;
/** A program that was up this long starts its back-off from the beginning. */
const STEADY_MS = 10_000;
/** How long `stop` waits after SIGTERM before it sends SIGKILL. */
const STOP_GRACE_MS = 6_000;
/** How much of the log is told when a program does not come up. */
const TOLD_LINES = 6;

const GUARD = new URL(`./orphan_guard.ts?parent=${Deno.pid}`, import.meta.url).href;

/** Arguments for `deno` that run `main` under the orphan guard. */
export function guarded(flags: readonly string[], main: string, args: readonly string[]): string[] {
  return ["run", ...flags, `--preload=${GUARD}`, main, ...args];
}

export class Child {
  readonly spec: ChildSpec;
  readonly log: LogFile;
  readonly #options: ChildOptions;
  #process: Deno.ChildProcess | null = null;
  #ready: PromiseWithResolvers<ReadyLine>;
  #line: ReadyLine | null = null;
  #stopping = false;
  #failures = 0;
  #upSinceMs = 0;
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  #ended: Promise<void> = Promise.resolve();
  #everReady = false;

  constructor(spec: ChildSpec, options: ChildOptions = {}) {
    this.spec = spec;
    this.#options = options;
    this.log = new LogFile({ path: spec.logPath });
    this.#ready = newReady();
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** What it said when it came up last; null before. */
  get line(): ReadyLine | null {
    return this.#line;
  }

  /** Starts the process and does not wait: `start` may be called for that later. */
  launch(): void {
    this.#stopping = false;
    if (this.#process === null) this.#spawn();
  }

  /** Starts it and resolves with its ready line; rejects with the end of its log when it does not come up. */
  async start(): Promise<ReadyLine> {
    this.launch();
    const limitMs = this.#options.readyTimeoutMs ?? READY_TIMEOUT_MS;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(this.#story(`did not become ready within ${limitMs / 1000} s`))),
      limitMs,
    );
    try {
      return await Promise.race([this.#ready.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends `signal` to the running process, if there is one. */
  kill(signal: Deno.Signal): void {
    try {
      this.#process?.kill(signal);
    } catch {
      // It ended between the check and the call; its exit is reported elsewhere.
    }
  }

  /** Ends it for good: SIGTERM, and SIGKILL after a grace period. */
  async stop(graceMs: number = STOP_GRACE_MS): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    this.kill("SIGTERM");
    const hard = setTimeout(() => this.kill("SIGKILL"), graceMs);
    await this.#ended;
    clearTimeout(hard);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.log[Symbol.dispose]();
  }

  #spawn(): void {
    const process = new Deno.Command(Deno.execPath(), {
      args: [...this.spec.args],
      env: { ...this.spec.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      // Its own process group: Ctrl-C reaches only the parent, which then stops all in good order.
      detached: true,
    }).spawn();
    this.#process = process;
    this.#ended = this.#follow(process);
  }

  async #follow(process: Deno.ChildProcess): Promise<void> {
    const output = Promise.all([
      readLines(process.stdout, (line) => this.#output(line)),
      readLines(process.stderr, (line) => this.log.line(line)),
    ]);
    const status = await process.status;
    await output.catch(() => {});
    this.#process = null;
    this.#exited(status);
  }

  #output(line: string): void {
    this.log.line(line);
    const ready = parseReady(line);
    if (ready === null) return;
    const again = this.#everReady;
    this.#everReady = true;
    this.#line = ready;
    this.#upSinceMs = performance.now();
    this.#ready.resolve(ready);
    // Before it is told: who hears of it may look at once for what has changed.
    this.#options.onReady?.(ready);
    if (again) this.#options.say?.(`${this.spec.name} is back`);
  }

  #exited(status: Deno.CommandStatus): void {
    const how = status.signal === null ? `code ${status.code}` : `signal ${status.signal}`;
    if (!this.#everReady) this.#ready.reject(new Error(this.#story(`ended with ${how}`)));
    if (this.#stopping || !this.#everReady || this.#options.restart === false) {
      // start() after this must wait for a new ready line.
      this.#ready = newReady();
      return;
    }
    const steady = this.#line !== null && performance.now() - this.#upSinceMs > STEADY_MS;
    this.#failures = steady ? 0 : this.#failures + 1;
    this.#line = null;
    this.#ready = newReady();
    const waitMs = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** Math.max(0, this.#failures - 1));
    const where = this.spec.logPath === null ? "" : ` (log: ${this.spec.logPath})`;
    this.#options.say?.(
      `${this.spec.name} ended with ${how}; starting it again in ${waitMs / 1000} s${where}`,
    );
    this.#restartTimer = setTimeout(() => this.#spawn(), waitMs);
  }

  #story(what: string): string {
    const last = this.log.lines().slice(-TOLD_LINES);
    const where = this.spec.logPath === null ? "" : `\nIts whole log: ${this.spec.logPath}`;
    const told = last.length === 0 ? "It printed nothing." : `It printed:\n  ${last.join("\n  ")}`;
    return `The ${this.spec.name} ${what}. ${told}${where}`;
  }
}

function newReady(): PromiseWithResolvers<ReadyLine> {
  const ready = Promise.withResolvers<ReadyLine>();
  // Nobody may be waiting when it ends early; start() has its own handler.
  ready.promise.catch(() => {});
  return ready;
}

function parseReady(line: string): ReadyLine | null {
  if (!line.startsWith("{")) return null;
  try {
    const value: unknown = JSON.parse(line);
    return isReady(value) ? value : null;
  } catch {
    return null;
  }
}

function isReady(value: unknown): value is ReadyLine {
  return typeof value === "object" && value !== null && "ready" in value && value.ready === true;
}
