/** `denim filter build`: compiles a filter and says what came out: size, language, hooks, what it may touch. */
import { buildFilter } from "../../control/market/mod.ts";
import { makeArtefact } from "../../control/market/artefact.ts";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";

export function filterBuild(args: readonly string[]): Promise<number> {
  return runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      output: { type: "string", short: "o" },
      admitted: { type: "string" },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    const path = positionals[0];
    if (path === undefined) throw new UsageError("Name the folder: denim filter build DIR");
    const built = await buildFilter(path, { cacheDir: values["cache-dir"] as string });
    const { inspection, artefact, abi } = await makeArtefact(built.bytes, built.manifest);
    const { name, version, limits } = built.manifest;
    console.log(`${name}@${version}, ${inspection.abi}${built.cached ? ", unchanged" : ""}`);
    console.log(
      `  built     ${built.bytes.length} bytes; metered ${artefact.length} bytes (${abi})`,
    );
    if (inspection.hooks.length > 0) console.log(`  hooks     ${inspection.hooks.join(", ")}`);
    console.log(`  may touch ${inspection.capabilities.join(", ") || "nothing"}`);
    console.log(`  limits    ${limits.fuelPerCall} fuel a call, ${limits.memoryMiB} MiB`);
    for (const unknown of inspection.unknownImports) {
      console.log(`  warning   imports ${unknown}, which no host here has; calling it fails`);
    }
    if (typeof values.output === "string") await Deno.writeFile(values.output, built.bytes);
    // What a standalone proxy runs: metered, so that it needs no compiler itself.
    if (typeof values.admitted === "string") await Deno.writeFile(values.admitted, artefact);
  });
}
