/** Log files stay below their size, and streams are cut into lines wherever their chunks end. */
import assert from "node:assert/strict";
import { LogFile, MAX_LINE_CHARS, readLines } from "./log_file.ts";

Deno.test("LogFile starts a new file when the old one is full", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/a.log`;
    using log = new LogFile({ path, maxBytes: 30 });
    for (const line of ["one 567890", "two 567890", "three 7890"]) log.line(line);
    assert.equal(await Deno.readTextFile(`${path}.1`), "one 567890\ntwo 567890\n");
    assert.equal(await Deno.readTextFile(path), "three 7890\n");
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("LogFile keeps only the last lines in memory", () => {
  using log = new LogFile({ path: null, maxKeptLines: 2 });
  for (let n = 0; n < 10; n++) log.line(`line ${n}`);
  assert.deepEqual(log.lines(), ["line 8", "line 9"]);
});

Deno.test("LogFile cuts a line that is too long", () => {
  using log = new LogFile({ path: null });
  log.line("x".repeat(MAX_LINE_CHARS + 5));
  assert.equal(log.lines()[0]!.length, MAX_LINE_CHARS + 1);
});

Deno.test("readLines gives the same lines when chunks end anywhere", async () => {
  const bytes = new TextEncoder().encode("a\nbü\n\nlast");
  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.slice(at, at + size));
    const lines: string[] = [];
    await readLines(ReadableStream.from(chunks), (line) => lines.push(line));
    assert.deepEqual(lines, ["a", "bü", "", "last"]);
  }
});
