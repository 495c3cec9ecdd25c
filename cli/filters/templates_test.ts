import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFilter } from "../../control/market/mod.ts";
import { makeArtefact } from "../../control/market/artefact.ts";
import { missingTool } from "../../wasm/build/available.ts";
import { TEMPLATE_LANGUAGES, type TemplateLanguage, templateOf } from "./templates.ts";

const CACHE_DIR = fileURLToPath(new URL("../../.denim/build", import.meta.url));

for (const language of TEMPLATE_LANGUAGES) {
  const missing = await missingTool(language);
  const name = `the template for ${language} builds and is admitted as it is`;
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
    const built = await buildFilter(dir, { cacheDir: CACHE_DIR });
    assert.equal(built.manifest.name, "local/first-one");
    const { abi, inspection } = await makeArtefact(built.bytes, built.manifest);
    assert.equal(abi, language === "ts" ? "component" : "proxy-wasm");
    assert.ok(inspection.capabilities.includes("headers-write"));
    assert.deepEqual(inspection.unknownImports, []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
