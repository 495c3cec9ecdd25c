/** Makes the next version of an example: what its author would do, change the number wherever it stands. */
import { join } from "node:path";

/** Copies the example in `dir` to `to` as `version`. Its sources carry the version, so responses show it. */
export async function copyAsVersion(dir: string, to: string, version: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const entry of Deno.readDir(dir)) {
    if (entry.name.endsWith("_test.ts")) continue;
    if (entry.isDirectory) {
      await copyAsVersion(join(dir, entry.name), join(to, entry.name), version);
      continue;
    }
    const text = await Deno.readTextFile(join(dir, entry.name));
    await Deno.writeTextFile(join(to, entry.name), text.replaceAll("1.0.0", version));
  }
}
