/** Published packages of the Proxy-Wasm SDKs, as their registries deliver them, by the registries' own clients. */
import { join } from "node:path";
import { runTool } from "../../../wasm/build/tool.ts";

/** Folder of a Go module; the client keeps it in its cache. */
export async function goModule(path: string, version: string): Promise<string> {
  const printed = await runTool({
    program: "go",
    args: ["mod", "download", "-json", `${path}@${version}`],
    cwd: Deno.cwd(),
    missing: "get Go 1.24 or later from https://go.dev/dl",
  });
  return (JSON.parse(printed) as { Dir: string }).Dir;
}

/** Folder of a Rust crate, below `out`. */
export async function crate(name: string, version: string, out: string): Promise<string> {
  const missing = "get Rust with rustup (https://rustup.rs)";
  await Deno.mkdir(`${out}/src`, { recursive: true });
  await Deno.writeTextFile(
    `${out}/Cargo.toml`,
    `[package]\nname = "holder"\nversion = "0.0.0"\nedition = "2021"\n` +
      `[dependencies]\n${name} = "=${version}"\n`,
  );
  await Deno.writeTextFile(`${out}/src/lib.rs`, "");
  const args = ["vendor", "--quiet", "--versioned-dirs", "vendor"];
  await runTool({ program: "cargo", args, cwd: out, missing });
  return join(out, "vendor", `${name}-${version}`);
}

/** Installs npm packages, such as `name@1.2.3`, into `out`/node_modules. */
export async function npmPackages(names: readonly string[], out: string): Promise<void> {
  await Deno.mkdir(out, { recursive: true });
  await Deno.writeTextFile(`${out}/package.json`, '{"private": true}\n');
  await runTool({
    program: "npm",
    args: ["install", "--no-audit", "--no-fund", "--ignore-scripts", ...names],
    cwd: out,
    missing: "install Node.js with npm",
  });
}

/** The first block of TypeScript in a README: the example its author shows. */
export async function exampleInReadme(folder: string): Promise<string> {
  const text = await Deno.readTextFile(join(folder, "README.md"));
  const block = /^```ts\n(.*?)^```/ms.exec(text)?.[1];
  if (block === undefined) {
    throw new Error(`There is no block of TypeScript in ${folder}/README.md`);
  }
  return block;
}
