import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import { KINDS } from "./kinds.ts";
import { parseDocuments } from "./parse.ts";

const page = await Deno.readTextFile(new URL("../../docs/resources.md", import.meta.url));

Deno.test("docs/resources.md has examples of every kind, and all of them parse", () => {
  const seen = new Set<string>();
  for (const [, yaml] of page.matchAll(/```yaml\n([\s\S]*?)```/g)) {
    const { resources, errors } = parseDocuments(yaml!);
    same(errors, []);
    for (const one of resources) seen.add(one.kind);
  }
  same([...seen].sort(), KINDS.map((row) => row.kind).sort());
});

Deno.test("docs/resources.md names short forms that the table of kinds knows", () => {
  for (const row of KINDS) {
    const line = page.split("\n").find((text) => text.startsWith(`| \`${row.kind}\``));
    ok(line, `no line for ${row.kind}`);
    const short = /`(\w+)`\s*\|$/.exec(line)?.[1];
    equal(row.aliases.includes(short!), true, `${row.kind} has no alias "${short}"`);
  }
});
