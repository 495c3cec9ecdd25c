/** Writing a filter as one does it: `denim filter …`, as programs of their own, in a folder of their own. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { denim } from "../support/denim.ts";

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-authoring-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function change(path: string, from: string, to: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  assert.ok(text.includes(from), `${path} does not hold ${from}`);
  await Deno.writeTextFile(path, text.replace(from, to));
}

Deno.test("denim filter new and test: a case fails with the change, and --update takes what came", async () => {
  await inFolder(async (dir) => {
    const folder = join(dir, "tagger"), cases = join(folder, "tests/first.yaml");
    assert.equal((await denim(["filter", "new", folder, "--lang", "wat"])).code, 0);
    const good = await denim(["filter", "test", folder, "--cache-dir", dir]);
    assert.equal(good.code, 0, good.err);
    assert.match(good.out, /ok {6}adds a header to responses \(\d+ fuel/);
    assert.match(good.out, /2 passed, 0 failed$/);

    await change(join(folder, "filter.wat"), '"hello"', '"howdy"');
    const junit = join(dir, "junit.xml");
    const bad = await denim(["filter", "test", folder, "--cache-dir", dir, "--junit", junit]);
    assert.equal(bad.code, 1);
    assert.match(bad.out, /x-tagger\n +- "hello"\n +\+ "howdy"/);
    assert.match(bad.out, /first\.yaml:3\n/);
    assert.match(bad.out, /1 passed, 1 failed$/);
    assert.match(await Deno.readTextFile(junit), /tests="2" failures="1"/);
    const asJson = await denim(["filter", "test", folder, "--cache-dir", dir, "-o", "json"]);
    assert.equal(asJson.code, 1);
    assert.deepEqual(JSON.parse(asJson.out).cases[0].differences, [
      { path: "expect.response.headers.x-tagger", wanted: '"hello"', got: '"howdy"' },
    ]);

    const updated = await denim(["filter", "test", folder, "--cache-dir", dir, "--update"]);
    assert.equal(updated.code, 0, updated.err);
    assert.match(
      await Deno.readTextFile(cases),
      /^# Run by: denim filter test \.\n[^]*x-tagger": howdy/,
    );
    assert.equal((await denim(["filter", "test", folder, "--cache-dir", dir])).code, 0);

    await change(cases, "status: 418", "staus: 418");
    const broken = await denim(["filter", "test", folder, "--cache-dir", dir]);
    assert.equal(broken.code, 2);
    assert.match(broken.err, /first\.yaml:\d+: cases\.1\.expect\.response has no field "staus"/);
  });
});
