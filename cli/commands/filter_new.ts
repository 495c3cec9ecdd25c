/** `denim filter new`: a folder with a filter that builds and works as it is. */
import { dirname, join } from "node:path";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";
import { isTemplateLanguage, TEMPLATE_LANGUAGES, templateOf } from "../filters/templates.ts";

export function filterNew(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      lang: { type: "string", default: "ts" },
      publisher: { type: "string", default: "local" },
    });
    const dir = positionals[0];
    if (dir === undefined) throw new UsageError("Name the filter: denim filter new NAME");
    const { lang, publisher } = values as { lang: string; publisher: string };
    if (!isTemplateLanguage(lang)) {
      throw new UsageError(`--lang is "${lang}"; wanted one of ${TEMPLATE_LANGUAGES.join(", ")}`);
    }
    const short = dir.split("/").at(-1)!;
    if (!/^[a-z0-9][-a-z0-9]{0,62}$/.test(short)) {
      throw new UsageError(
        `"${short}" is no name for a filter; wanted letters a-z, digits and dashes`,
      );
    }
    await writeNew(dir, await templateOf(lang, `${publisher}/${short}`));
    console.log(`Made ${dir}. Next:\n\n  denim filter build ${dir}\n  denim filter push ${dir}`);
  });
}

async function writeNew(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: false });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new UsageError(`"${dir}" exists already; choose another name or remove it`);
    }
    if (error instanceof Deno.errors.NotFound) {
      throw new UsageError(`The folder of "${dir}" does not exist; make it first`);
    }
    throw error;
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
}
