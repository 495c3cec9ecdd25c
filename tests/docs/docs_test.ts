/** Documentation is run: its code blocks, its command lines as far as their verbs, and every path it names. */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseDocuments } from "../../control/schema/parse.ts";
import { serve } from "../../wasm/sdk/guest.ts";
import { denim } from "../support/denim.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND = /\bdeno(?:@[0-9.]+)? task ([a-z:]+)(?: ([a-z]+))?/g;
const SKIPPED = new Set(["node_modules", ".git", ".denim"]);

interface Page {
  readonly path: string;
  readonly text: string;
}

const pages: readonly Page[] = [...markdown("")].map((path) => ({
  path,
  text: Deno.readTextFileSync(join(ROOT, path)),
}));

function* markdown(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder))) {
    if (isDirectory && !SKIPPED.has(name)) yield* markdown(join(folder, name));
    else if (name.endsWith(".md")) yield join(folder, name);
  }
}

function blocks(page: Page, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, "gm");
  return [...page.text.matchAll(fence)].map((match) => match[1]!);
}

Deno.test("The pages a newcomer looks for are there", () => {
  const names = pages.map((page) => page.path);
  for (
    const name of [
      "README",
      "ARCHITECTURE",
      "CONTRIBUTING",
      "CHANGELOG",
      "SECURITY",
      "THREAT-MODEL",
    ]
  ) {
    assert.ok(names.includes(`${name}.md`), `${name}.md is missing`);
  }
});

Deno.test("Every YAML block of the documentation is taken by the control plane's schemas", () => {
  let seen = 0;
  for (const page of pages) {
    for (const yaml of blocks(page, "yaml")) {
      assert.deepEqual(parseDocuments(yaml).errors, [], `${page.path}:\n${yaml}`);
      seen++;
    }
  }
  assert.ok(seen > 0, "no page has a YAML block: the pattern is wrong");
});

Deno.test("Every TypeScript block of the documentation compiles and is a filter that starts", async () => {
  const checked = await new Deno.Command(Deno.execPath(), {
    args: ["check", "-q", "--doc-only", ...pages.map((page) => page.path)],
    env: { NO_COLOR: "1" },
    cwd: ROOT,
  }).output();
  assert.ok(checked.success, new TextDecoder().decode(checked.stderr));
  // Inside the project, so that the block's imports mean what they mean to the code.
  const scratch = join(ROOT, ".denim/docs");
  await Deno.mkdir(scratch, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: scratch });
  try {
    let seen = 0;
    for (const page of pages) {
      for (const block of blocks(page, "ts")) {
        const file = join(folder, `block_${seen++}.ts`);
        await Deno.writeTextFile(file, block);
        const { default: filter } = await import(pathToFileURL(file).href) as {
          default: Parameters<typeof serve>[0];
        };
        assert.ok(serve(filter).configure("").phases.length > 0, `${page.path} hooks nothing`);
      }
    }
    assert.ok(seen > 0, "no page has a TypeScript block: the pattern is wrong");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Every link and every path in the tables of the documentation leads somewhere", () => {
  const lost: string[] = [];
  for (const { path, text } of pages) {
    for (const [, target] of text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      if (!there(join(dirname(path), target!))) lost.push(`${path}: ${target}`);
    }
  }
  for (const { path, text } of pages.filter((page) => /^(ARCH|CONTRIB)/.test(page.path))) {
    for (const row of text.split("\n").filter((line) => line.startsWith("|"))) {
      const linked = /\]\(([^)]+)\)/.exec(row)?.[1] ?? "";
      const home = /^\| `([a-z0-9/]+)`/.exec(row)?.[1] ??
        (linked.endsWith(".ts") ? dirname(linked) : linked);
      for (const [, name] of row.matchAll(/`([a-z0-9_./-]+(?:\/|\.ts))`/g)) {
        if (!there(name!) && !there(join(home, name!))) lost.push(`${path}: ${name}`);
      }
    }
  }
  assert.deepEqual(lost, []);
});

Deno.test("Every test that the threat model names is one that there is", async () => {
  const { text } = pages.find((page) => page.path === "THREAT-MODEL.md")!;
  const lost: string[] = [];
  let seen = 0;
  for (const row of text.split("\n").filter((line) => line.startsWith("|"))) {
    const cells = row.split("|").map((cell) => cell.trim());
    const links = [...cells.at(-2)!.matchAll(/\[([^\]]+)\]\(([^)]+_test\.ts)\)/g)];
    const isHead = /^(-+|shown by|what its loss means)$/.test(cells.at(-2)!);
    // Every attack has a test; the table of assets has no attacks.
    if (cells.length === 5 && !isHead && links.length === 0) lost.push(row);
    for (const [, name, path] of links) {
      seen++;
      if (!(await Deno.readTextFile(join(ROOT, path!))).includes(name!)) lost.push(name!);
    }
  }
  assert.deepEqual(lost, []);
  assert.ok(seen > 40, `only ${seen} tests are named`);
});

function there(path: string): boolean {
  try {
    return Deno.statSync(join(ROOT, normalize(path))) !== null;
  } catch {
    return false;
  }
}

Deno.test("Every command of the documentation is a task or a verb that there is", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))) as {
    readonly tasks: Readonly<Record<string, string>>;
  };
  const { out: overview } = await denim(["--help"]);
  const verbs = new Set([...overview.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1]!));
  assert.ok(verbs.has("apply"), overview);
  const wrong: string[] = [];
  for (const { path, text } of pages) {
    for (const [line, task, verb] of text.matchAll(COMMAND)) {
      const known = task === "denim" ? verb === undefined || verbs.has(verb) : task! in tasks;
      if (!known) wrong.push(`${path}: ${line}`);
    }
    for (const [, verb] of text.matchAll(/^denim ([a-z]+)/gm)) {
      if (!verbs.has(verb!)) wrong.push(`${path}: denim ${verb}`);
    }
  }
  assert.deepEqual(wrong, []);
});
