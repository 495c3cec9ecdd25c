/** Files a proxy keeps between its runs: written whole or not at all, readable by their owner only. */

const FILE_MODE = 0o600, FOLDER_MODE = 0o700;

/** Makes the folder; rejects with a sentence that says what to do. */
export async function ensureFolder(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot make the state folder "${dir}": ${reason}. ` +
        "Give one that this user may write to with --state",
    );
  }
}

/** A crash, also of the machine, leaves the old file or the new one. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await Deno.remove(temporary).catch(() => {}); // left by a crash, maybe with another mode
  {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: FILE_MODE });
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }
  await Deno.rename(temporary, path);
}

/** Null when there is no such file. */
export async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

export async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error: unknown) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
