/** The walk in docs/filters.md: its cases pass with the filter its first command makes. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { denim } from "../support/denim.ts";

const PAGE = fileURLToPath(new URL("../../docs/filters.md", import.meta.url));

Deno.test("The cases of docs/filters.md pass with the filter that its first command makes", async () => {
  const text = await Deno.readTextFile(PAGE);
  const blocks = [...text.matchAll(/^```yaml cases\n([^]*?)^```/gm)].map((match) => match[1]!);
  assert.equal(blocks.length, 1);
  const dir = await Deno.makeTempDir({ prefix: "denim-docs-" });
  try {
    const folder = join(dir, "my-filter");
    assert.equal((await denim(["filter", "new", folder])).code, 0);
    await Deno.writeTextFile(join(folder, "tests/page.yaml"), blocks[0]!);
    const { code, out, err } = await denim(["filter", "test", folder]);
    assert.equal(code, 0, `${out}\n${err}`);
    assert.match(out, /4 passed, 0 failed$/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
