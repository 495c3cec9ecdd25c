/** What `denim filter new` writes, by language: the files in templates/, a manifest, a README. */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

/** What each language's source is called, the word for it in the manifest, and what a call may cost. */
const LANGUAGES = {
  ts: { source: "filter.ts", word: "typescript", fuel: 1000000 },
  as: { source: "assembly/index.ts", word: "assemblyscript", fuel: 100000 },
  rust: { source: "src/lib.rs", word: "rust", fuel: 100000 },
  go: { source: "main.go", word: "go", fuel: 500000 },
  c: { source: "filter.c", word: "c", fuel: 10000 },
  wat: { source: "filter.wat", word: "wat", fuel: 10000 },
} as const;

export type TemplateLanguage = keyof typeof LANGUAGES;
export const TEMPLATE_LANGUAGES = Object.keys(LANGUAGES) as readonly TemplateLanguage[];

export function isTemplateLanguage(text: string): text is TemplateLanguage {
  return Object.hasOwn(LANGUAGES, text);
}

/** File contents by path for a filter called `publisher/name`. */
export async function templateOf(
  language: TemplateLanguage,
  name: string,
): Promise<Record<string, string>> {
  const short = name.split("/")[1]!;
  const files: Record<string, string> = { "denim.filter.yaml": manifest(language, name) };
  for (const folder of ["common", language]) {
    const root = fileURLToPath(new URL(`templates/${folder}`, import.meta.url));
    for await (const path of filesIn(root)) {
      files[relative(root, path)] = fill(await Deno.readTextFile(path), language, short);
    }
  }
  return language === "ts" ? { ...files, "deno.json": editorConfig() } : files;
}

async function* filesIn(dir: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(dir)) {
    const path = `${dir}/${entry.name}`;
    if (entry.isDirectory) yield* filesIn(path);
    else yield path;
  }
}

/** `{{name}}` is the filter's, `{{length}}` the length of its header, `{{source}}` the file to change. */
function fill(text: string, language: TemplateLanguage, short: string): string {
  return text.replaceAll("{{name}}", short)
    .replaceAll("{{length}}", String(short.length + 2))
    .replaceAll("{{source}}", LANGUAGES[language].source)
    .replaceAll("{{fuel}}", String(LANGUAGES[language].fuel));
}

/** Only for editors and `deno check`: the build knows the SDK by itself. */
function editorConfig(): string {
  const sdk = (file: string): string => new URL(`../../wasm/sdk/${file}`, import.meta.url).href;
  const host = ["host", "kv", "metrics"].map((
    name,
  ) => [`denim:filter/${name}@0.1.0`, sdk("double.ts")]);
  const imports = { "denim/filter": sdk("mod.ts"), ...Object.fromEntries(host) };
  return `${JSON.stringify({ imports }, null, 2)}\n`;
}

function manifest(language: TemplateLanguage, name: string): string {
  const { source, word } = LANGUAGES[language];
  return `apiVersion: denim.dev/v1
name: ${name}
version: "0.1.0"
title: ${name.split("/")[1]}
summary: Adds a header to every response.
categories: [custom]
source: ${source}
language: ${word}
phase: TRANSFORM
`;
}
