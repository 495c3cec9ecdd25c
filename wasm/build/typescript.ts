/** TypeScript filter → component. */
import { fileURLToPath } from "node:url";
import { dirname } from "node:path";
import { type ConfigSchema, withConfigSchema } from "../config_schema.ts";
import { compile } from "./compile.ts";

const INTERFACES = ["host", "kv", "metrics", "http"].map((name) => `denim:filter/${name}@0.1.0`);

/** The component built from the TypeScript (or JavaScript) module `entry`, whose default export is a filter. */
export async function buildTypeScript(
  entry: string,
  out: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const sdk = (file: string): string => fileURLToPath(new URL(`../sdk/${file}`, import.meta.url));
  const wit = await Deno.readTextFile(new URL("../wit/filter.wit", import.meta.url));
  const answer = await compile({
    tool: "typescript",
    entry,
    root: dirname(entry),
    out,
    wit,
    interfaces: INTERFACES,
    alias: {
      "denim/filter": sdk("mod.ts"),
      "denim/guest": sdk("guest.ts"),
      "denim/globals": sdk("globals.ts"),
    },
    inject: [sdk("polyfills.ts")],
    double: sdk("double.ts"),
    config: sdk("config.ts"),
  });
  const component = await Deno.readFile(answer.files.module!);
  const schema = answer.configSchema as ConfigSchema | null | undefined;
  return schema ? withConfigSchema(component, schema) : component;
}
