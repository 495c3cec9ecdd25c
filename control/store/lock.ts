/** Keeps a folder to one process: a file lock, which the system lets go of however the process ends. */
import { StoreError } from "./store.ts";

export class FolderLock {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Takes `DIR/lock`; rejects with a StoreError that names the process that has it. */
  static async take(dir: string): Promise<FolderLock> {
    const path = `${dir}/lock`;
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    try {
      if (!await file.tryLock(true)) throw await heldError(dir, path);
      await file.truncate(0);
      await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    } catch (error) {
      file.close();
      throw error;
    }
    return new FolderLock(file);
  }

  /** The file stays: removing it would let two processes lock two files of one name. */
  release(): void {
    this.#file.close();
  }
}

async function heldError(dir: string, path: string): Promise<StoreError> {
  const pid = (await Deno.readTextFile(path).catch(() => "")).trim();
  const who = /^\d+$/.test(pid) ? ` (process ${pid})` : "";
  return new StoreError(
    `Cannot use the data folder "${dir}": another control plane${who} is running on it. ` +
      "Stop that one, or give this one a folder of its own with --data",
  );
}
