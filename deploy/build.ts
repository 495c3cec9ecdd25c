/**
 * Builds the container image: stages a context (the running Deno, the sources, their packages) and hands it
 * to buildah, podman or docker.
 *
 *   deno run -A deploy/build.ts --base debian:bookworm-slim --tag denim [--tool buildah]
 */
import { parseArgs } from "node:util";
import { bundleProxy } from "../cli/program.ts";
import { installCompilers } from "../wasm/build/compile.ts";

const ROOT = new URL("../", import.meta.url).pathname;
/** What goes into the image; tests, examples and benches stay out. */
const SOURCES = ["core", "proxy", "control", "filters", "wasm", "cli", "deploy"];
const FILES = ["deno.json", "deno.lock", "LICENSE", "README.md"];
/** Beside code, but not for a container. */
const LEFT_OUT = /_(?:test|bench)\.tsx?$/;

/** Fills `context` with `deno` and `denim/`. */
export async function stage(context: string): Promise<void> {
  // Admitting a component takes a compiler; the image has no network to get one from.
  await installCompilers();
  const target = `${context}/denim`;
  await Deno.mkdir(target, { recursive: true });
  await Deno.copyFile(Deno.execPath(), `${context}/deno`);
  await Deno.chmod(`${context}/deno`, 0o755);
  for (const file of FILES) {
    await Deno.copyFile(`${ROOT}${file}`, `${target}/${file}`).catch((problem) => {
      if (!(problem instanceof Deno.errors.NotFound)) throw problem;
    });
  }
  // cp -a keeps the relative symbolic links of node_modules.
  for (const folder of [...SOURCES, "node_modules"]) {
    await run("cp", ["-a", `${ROOT}${folder}`, `${target}/${folder}`]);
  }
  await removeTests(target);
  // What proxies are started from.
  await Deno.mkdir(`${target}/program`);
  await Deno.writeTextFile(`${target}/program/proxy.mjs`, await bundleProxy());
}

async function removeTests(folder: string): Promise<void> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory && entry.name !== "node_modules") await removeTests(path);
    else if (entry.isFile && LEFT_OUT.test(entry.name)) await Deno.remove(path);
  }
}

export interface BuildOptions {
  readonly base: string;
  readonly tag: string;
  /** The program and what stands before its verb, e.g. `["buildah", "--root", DIR]`. */
  readonly tool: readonly string[];
}

export async function build(options: BuildOptions): Promise<void> {
  const context = await Deno.makeTempDir({ prefix: "denim-image-" });
  try {
    await stage(context);
    const [program, ...before] = options.tool as [string, ...string[]];
    await run(program, [
      ...before,
      "build",
      ...program === "buildah" ? ["--isolation", "chroot"] : [],
      "--build-arg",
      `BASE=${options.base}`,
      "--tag",
      options.tag,
      "--file",
      `${ROOT}deploy/Containerfile`,
      context,
    ]);
  } finally {
    await Deno.remove(context, { recursive: true });
  }
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { success, code } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${program} ${args[0] ?? ""} ended with code ${code}`);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      base: { type: "string", default: "docker.io/library/debian:bookworm-slim" },
      tag: { type: "string", default: "denim" },
      tool: { type: "string", default: "buildah" },
    },
  });
  await build({ base: values.base, tag: values.tag, tool: [values.tool] });
}
