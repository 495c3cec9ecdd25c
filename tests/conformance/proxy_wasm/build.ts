/** Builds what sdk_examples_test.ts runs; `deno task conformance proxy-wasm` begins with it. */
import { buildAll, SDKS } from "./builds.ts";

const missing = Object.entries(await buildAll());
for (const [name, why] of missing) console.error(`${name}: ${why}`);
// Some may be missing: the tests say which. Without any there is nothing to run.
Deno.exit(missing.length === SDKS.length ? 1 : 0);
