/** Files: read where they may not be there, written whole, and for their owner alone. */

export const PRIVATE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/** The text of a file, null when there is no such file. */
export async function readIfThere(file: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Makes a folder that nobody but its owner may look into, unless it is there. */
export async function ensureFolder(dir: string): Promise<void> {
  await Deno.mkdir(dir, { recursive: true, mode: FOLDER_MODE });
}

/** Text that nobody but its owner may read. */
export async function writePrivate(file: string, text: string): Promise<void> {
  await writeWhole(file, text, PRIVATE_MODE);
}

/** All or nothing: a crash leaves the old file or the new one. */
export async function writeWhole(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.new`;
  await Deno.remove(temporary).catch(() => {}); // left by a crash, maybe with another mode
  const bytes = new TextEncoder().encode(text);
  {
    using handle = await Deno.open(temporary, { write: true, createNew: true, mode });
    for (let at = 0; at < bytes.length;) at += await handle.write(bytes.subarray(at));
    await handle.sync();
  }
  await Deno.rename(temporary, file);
}
