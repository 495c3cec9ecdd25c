/** The file a supervisor or a script waits for (`--ready-file`). */

/** Says that it serves, and where; whoever watches for the file never reads half of it. */
export async function writeReadyFile(path: string | null, line: string): Promise<void> {
  if (path === null) return;
  await Deno.writeTextFile(`${path}.new`, `${line}\n`);
  await Deno.rename(`${path}.new`, path);
}
