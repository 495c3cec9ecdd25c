import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCases } from "./stage/case_file.ts";
import { loadFilter } from "./stage/load.ts";
import { passed, resultText } from "./stage/report.ts";
import { runFile } from "./stage/run.ts";
import { missingTool } from "../../wasm/build/available.ts";
import { TEMPLATE_LANGUAGES, type TemplateLanguage, templateOf } from "./templates.ts";

const CACHE_DIR = fileURLToPath(new URL("../../.denim/build", import.meta.url));

for (const language of TEMPLATE_LANGUAGES) {
  const missing = await missingTool(language);
  const name = `the template for ${language} builds, is admitted, and passes its own cases`;
  if (missing !== null) console.log(`skipped, ${name}: ${missing}`);
  Deno.test({ name, ignore: missing !== null, fn: () => builds(language) });
}

async function builds(language: TemplateLanguage): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "denim-template-" });
  try {
    for (const [name, text] of Object.entries(await templateOf(language, "local/first-one"))) {
      await Deno.mkdir(dirname(join(dir, name)), { recursive: true });
      await Deno.writeTextFile(join(dir, name), text);
    }
    const { built, inspection, staged } = await loadFilter(dir, CACHE_DIR);
    assert.equal(built.manifest.name, "local/first-one");
    assert.equal(staged.abi, language === "ts" ? "component" : "proxy-wasm");
    assert.ok(inspection.capabilities.includes("headers-write"));
    assert.deepEqual(inspection.unknownImports, []);
    const file = join(dir, "tests/first.yaml");
    const cases = parseCases(file, await Deno.readTextFile(file));
    assert.equal(cases.cases.length, 2);
    for await (const result of runFile(staged, built.manifest, cases)) {
      assert.ok(passed(result), resultText(result));
      assert.ok(result.fuel > 0);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
