/** Traps of Wasm filters in the proxy's state folder: one file each, the newest kept, read back at the next start. */
import { join } from "node:path";
import type { Log } from "../core/log.ts";
import { TRAP_LIMITS, type TrapReport } from "../wasm/trap_report.ts";

const NAME = /^[0-9a-z]+-[0-9a-z]+\.json$/;

export class TrapStore {
  readonly #dir: string;
  readonly #log: Log;
  #writing: Promise<void> = Promise.resolve();

  constructor(state: string, log: Log) {
    this.#dir = join(state, "traps");
    this.#log = log;
  }

  /** Writes when the event loop is free; a disk that fails costs the file and a line of the log. */
  save(report: TrapReport): void {
    this.#writing = this.#writing.then(() => this.#write(report)).catch((error: unknown) => {
      this.#log.warn("wasm.trap_not_saved", { reason: String(error) });
    });
  }

  /** What was kept, oldest first; what cannot be read is left out. */
  async load(): Promise<TrapReport[]> {
    const reports: TrapReport[] = [];
    for (const name of await this.#names()) {
      try {
        reports.push(JSON.parse(await Deno.readTextFile(join(this.#dir, name))) as TrapReport);
      } catch {
        // Cut off by a crash: the next ones push it out.
      }
    }
    return reports;
  }

  /** Everything saved so far is on the disk. */
  saved(): Promise<void> {
    return this.#writing;
  }

  async #write(report: TrapReport): Promise<void> {
    await Deno.mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const text = JSON.stringify(report, null, 1);
    await Deno.writeTextFile(join(this.#dir, `${report.id}.json`), text, { mode: 0o600 });
    const names = await this.#names();
    for (const old of names.slice(0, Math.max(0, names.length - TRAP_LIMITS.all))) {
      await Deno.remove(join(this.#dir, old));
    }
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#dir)) if (NAME.test(name)) names.push(name);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return names.sort();
  }
}
