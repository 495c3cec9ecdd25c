import assert from "node:assert/strict";
import { join } from "node:path";
import { buildFilter } from "./build.ts";
import { manifestOf, NOOP_WAT } from "./testing.ts";

async function inFolder(
  files: Readonly<Record<string, string>>,
  work: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-build-test-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(dir, name), text);
    }
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const TS = `import { defineFilter, kv } from "denim/filter";
export default defineFilter({ name: "t", version: "1.0.0", onRequest() { kv.increment("n"); } });
`;

Deno.test("buildFilter builds TypeScript once and again only when something changed", async () => {
  const files = { "filter.ts": TS, "denim.filter.yaml": manifestOf() };
  await inFolder(files, async (dir) => {
    const options = { cacheDir: join(dir, ".denim") };
    const first = await buildFilter(dir, options);
    assert.equal(first.cached, false);
    assert.equal(first.manifest.name, "acme/noop");
    const second = await buildFilter(join(dir, "denim.filter.yaml"), options);
    assert.equal(second.cached, true);
    assert.deepEqual(second.bytes, first.bytes);
    await Deno.writeTextFile(join(dir, "README.md"), "words do not count");
    assert.equal((await buildFilter(dir, options)).cached, true);
    await Deno.writeTextFile(join(dir, "filter.ts"), TS.replace('"n"', '"m"'));
    assert.equal((await buildFilter(dir, options)).cached, false);
  });
});

Deno.test("buildFilter quotes the compiler on a mistake", async () => {
  const broken = { "filter.ts": "export default {{", "denim.filter.yaml": manifestOf() };
  await inFolder(broken, async (dir) => {
    await assert.rejects(
      buildFilter(dir, { cacheDir: dir }),
      /^BuildError: filter\.ts does not compile:\n[^]*filter\.ts:1:\d+: ERROR/,
    );
  });
  const wat = { "filter.wat": "(module (func $f (call $g)))", "denim.filter.yaml": manifestOf() };
  await inFolder(wat, async (dir) => {
    await assert.rejects(buildFilter(dir), /filter\.wat does not assemble:\nfilter\.wat:1:24/);
  });
});

Deno.test("buildFilter takes WAT as it is, and a module another tool built", async () => {
  const files = { "filter.wat": NOOP_WAT, "denim.filter.yaml": manifestOf() };
  await inFolder(files, async (dir) => {
    const built = await buildFilter(dir);
    assert.equal(new TextDecoder().decode(built.bytes), NOOP_WAT);
    await Deno.writeFile(
      join(dir, "filter.wasm"),
      new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]),
    );
    await Deno.writeTextFile(join(dir, "denim.filter.yaml"), manifestOf({ source: "filter.wasm" }));
    assert.equal((await buildFilter(dir)).bytes.length, 8);
  });
});

Deno.test("buildFilter says what is missing", async () => {
  await inFolder({}, async (dir) => {
    await assert.rejects(buildFilter(dir), /No denim\.filter\.yaml in ".*"; make a filter with/);
    await assert.rejects(buildFilter(join(dir, "nowhere")), /No denim\.filter\.yaml/);
    await Deno.writeTextFile(join(dir, "denim.filter.yaml"), manifestOf());
    await assert.rejects(buildFilter(dir), /There is no filter\.ts or .* in/);
    const outside = manifestOf({ source: "../../etc/passwd" });
    await Deno.writeTextFile(join(dir, "denim.filter.yaml"), outside);
    await assert.rejects(buildFilter(dir), /outside the filter's folder/);
    await Deno.writeTextFile(join(dir, "main.rs"), "fn main() {}");
    await Deno.writeTextFile(join(dir, "denim.filter.yaml"), manifestOf({ source: "main.rs" }));
    await assert.rejects(buildFilter(dir), /"main\.rs" needs a Cargo\.toml, and there is none in/);
    await Deno.writeTextFile(join(dir, "filter.wat"), "not wasm");
    await Deno.writeTextFile(join(dir, "denim.filter.yaml"), manifestOf({ source: "filter.wat" }));
    await assert.rejects(buildFilter(dir), /neither WebAssembly nor WebAssembly text/);
  });
});
