/**
 * Examples that the Proxy-Wasm SDKs publish, built by build.ts from what the registries deliver, do in
 * the proxy's host what their authors state. Each prints its row: SDK, language, example, result.
 */
import { join } from "node:path";
import { BUILT, MISSING_FILE, SDKS } from "./builds.ts";
import { ASSEMBLYSCRIPT, CPP } from "./examples_others.ts";
import { GO, GO_OLDER } from "./examples_go.ts";
import { GO_NEWER } from "./examples_go_newer.ts";
import { RUST } from "./examples_rust.ts";
import { type Example, start } from "./rig.ts";

const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  "rust": RUST,
  "go": [...GO, ...GO_OLDER],
  "go-unmodified": [...GO, ...GO_NEWER],
  "as-gcore": ASSEMBLYSCRIPT,
  "as-solo": ASSEMBLYSCRIPT,
  "cpp": CPP,
};

/** Modules without a test of their own. */
const WHY_NOT: Readonly<Record<string, string>> = {
  shared_queue_sender: "runs with shared_queue_receiver",
};

const missing = await whyMissing();
for (const sdk of SDKS) {
  const names = await modulesOf(sdk.name);
  if (names.length === 0) {
    const why = missing[sdk.name] ?? "not built; run tests/conformance/proxy_wasm/build.ts";
    console.log(`skipped: ${sdk.name} (${sdk.from}): ${why.split("\n")[0]}`);
  }
  for (const example of EXAMPLES[sdk.name]!) {
    const row = `${sdk.name.padEnd(14)} ${sdk.language.padEnd(20)} ${example.name.padEnd(24)}`;
    Deno.test({
      name: `SDK example ${sdk.name}/${example.name}: ${example.shows}`,
      ignore: !names.includes(example.name),
      fn: async () => {
        let result = "failed";
        try {
          const rig = await start(sdk.name, example.name, example.settings);
          await example.run(rig, (name, settings) => start(sdk.name, name, settings));
          const trap = rig.reports.list()[0]?.lastTrap ?? "";
          if (trap !== "") throw new Error(`The module trapped: ${trap}`);
          result = example.differs === undefined ? "as its author says" : `but ${example.differs}`;
        } finally {
          console.log(`covered ${row} ${example.shows}: ${result}`);
        }
      },
    });
  }
  for (const name of names) {
    if (EXAMPLES[sdk.name]!.some((example) => example.name === name)) continue;
    console.log(
      `skipped: ${sdk.name}/${name}: ${WHY_NOT[name] ?? "no expectation is written yet"}`,
    );
  }
}

async function modulesOf(sdk: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(join(BUILT, sdk)));
    const files = entries.map(({ name }) => name).filter((name) => name.endsWith(".wasm"));
    return files.map((name) => name.slice(0, -".wasm".length)).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function whyMissing(): Promise<Readonly<Record<string, string>>> {
  try {
    return JSON.parse(await Deno.readTextFile(MISSING_FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}
