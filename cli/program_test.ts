import assert from "node:assert/strict";
import { proxyProgram, SOURCES } from "./program.ts";

async function files(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}

Deno.test("The proxy's program is one file that imports nothing but the runtime and keeps its names", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denim-program-" });
  try {
    const file = await proxyProgram(folder);
    assert.match(file, /\/proxy-[0-9a-f]{16}\.mjs$/);
    assert.deepEqual(await files(folder), [file.slice(folder.length + 1)]);
    const text = await Deno.readTextFile(file);
    const imported = [...text.matchAll(/^import .* from "(.*)";$|\bimport\("([^"]*)"\)/gm)];
    assert.ok(imported.length > 5, `${imported.length} imports`);
    for (const [, fixed, late] of imported) assert.match(fixed ?? late!, /^node:/);
    assert.match(text, /^\/\/ proxy\/exchange\.ts$/m);
    assert.match(text, /\bclass Exchange\b|\bExchange = class\b/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("The proxy's program sends those away who bring a configuration file", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denim-program-" });
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", await proxyProgram(folder), "proxy", "--config", "denim.yaml"],
    }).output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stderr), /start --config FILE from cli\/main\.ts/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("A program that nobody has started for a week is removed when another is made", async () => {
  const folder = await Deno.makeTempDir({ prefix: "denim-program-" });
  try {
    const [old, recent] = [`${folder}/proxy-0.mjs`, `${folder}/proxy-1.mjs`] as const;
    for (const file of [old, recent]) await Deno.writeTextFile(file, "");
    const eightDaysAgo = new Date(Date.now() - 8 * 24 * 3_600_000);
    await Deno.utime(old, eightDaysAgo, eightDaysAgo);
    const file = await proxyProgram(folder);
    assert.deepEqual(await files(folder), ["proxy-1.mjs", file.slice(folder.length + 1)].sort());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Proxies start from their sources where no program can be made", async () => {
  const file = await Deno.makeTempFile();
  try {
    assert.equal(await proxyProgram(`${file}/folder`), SOURCES);
    assert.ok((await Deno.stat(SOURCES)).isFile);
  } finally {
    await Deno.remove(file);
  }
});
