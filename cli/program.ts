/**
 * The proxy as one file. A sidecar that loads two hundred sources keeps what the loader knows of each of
 * them for ever, some 8 MB, and starts later; so launchers start a bundle of the same sources instead.
 *
 *   sources ──hash──▶ .denim/program/proxy-<hash>.mjs ──there?──▶ used
 *                                       └──no──▶ bundled once, then used
 *
 * Names stay as they are written, and each part says which source it came from: stack traces can be read.
 * Proxies of one file (`--config`) run from the sources: they need npm packages as well.
 */
import type { Plugin } from "esbuild";
import { fileURLToPath } from "node:url";
import { sha256 } from "../proxy/config/files.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** What runs when there is no bundle and none can be made: the same proxy, from its sources. */
export const SOURCES = `${ROOT}cli/main.ts`;
const ENTRY = "cli/proxy_main.ts";
/** A proxy's sources are among these. */
const FOLDERS = ["cli", "control/schema", "core", "filters", "proxy", "wasm"];
const SOURCE = /\.ts$/, NO_SOURCE = /_(?:test|bench)\.ts$/;
/** Of the bundler and how it is told to work; another one makes another file. */
const RECIPE = "1";
/** A bundle that nobody has started anything from for so long is removed. */
const UNUSED_MS = 7 * 24 * 3_600_000;

const made = new Map<string, Promise<string>>();

/** The file to start proxies from: made if need be, or the sources where that cannot be done. */
export function proxyProgram(folder = `${ROOT}.denim/program`): Promise<string> {
  const before = made.get(folder);
  if (before !== undefined) return before;
  const making = findOrMake(folder).catch((problem: unknown) => {
    const reason = problem instanceof Error ? problem.message : String(problem);
    console.error(`Proxies start from their sources, they cannot be bundled: ${reason}`);
    return SOURCES;
  });
  made.set(folder, making);
  return making;
}

async function findOrMake(folder: string): Promise<string> {
  const file = `${folder}/proxy-${await hashOf(await sources())}.mjs`;
  const now = new Date();
  if (await Deno.stat(file).then(() => true, () => false)) {
    // Where it may not be touched, nobody will want to remove it either.
    await Deno.utime(file, now, now).catch(() => {});
    return file;
  }
  await Deno.mkdir(folder, { recursive: true });
  await removeUnused(folder, now.getTime() - UNUSED_MS);
  // Whole or not at all: other launchers may look at the same moment.
  const part = `${file}.${Deno.pid}.part`;
  await Deno.writeTextFile(part, await bundleProxy());
  await Deno.rename(part, file);
  await analyse(file);
  return file;
}

/** The text of the bundle; rejects where a source has a mistake. */
export async function bundleProxy(): Promise<string> {
  const esbuild = await import("esbuild");
  try {
    const { outputFiles } = await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: [ENTRY],
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "esnext",
      external: ["node:*"],
      plugins: [withoutFiles],
      logLevel: "silent",
      legalComments: "none",
    });
    return outputFiles[0]!.text;
  } finally {
    await esbuild.stop();
  }
}

/** Reading configuration files takes packages that a bundle cannot have. */
const withoutFiles: Plugin = {
  name: "without-files",
  setup(build) {
    build.onResolve({ filter: /\/standalone\.ts$/ }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /./, namespace: "absent" }, () => ({
      contents: `export function readStandalone() {
        throw new Error("This program runs under a control plane only; start --config FILE from cli/main.ts");
      }`,
    }));
  },
};

/** Lets the runtime note once what the file imports: else each proxy would parse it for that, and keep the memory. */
export async function analyse(file: string): Promise<void> {
  const args = ["cache", "--quiet", "--no-config", "--no-lock", file];
  await new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).output();
}

async function sources(): Promise<string[]> {
  const found: string[] = ["deno.json"];
  const look = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(`${ROOT}${folder}`)) {
      const path = `${folder}/${name}`;
      if (isDirectory && name !== "node_modules") await look(path);
      else if (SOURCE.test(name) && !NO_SOURCE.test(name)) found.push(path);
    }
  };
  await Promise.all(FOLDERS.map(look));
  return found.sort();
}

async function hashOf(files: readonly string[]): Promise<string> {
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(`${ROOT}${file}`)));
  const all = [RECIPE, ...files.map((file, index) => `${file}\0${texts[index]}`)].join("\0");
  return (await sha256(new TextEncoder().encode(all))).slice(0, 16);
}

async function removeUnused(folder: string, beforeMs: number): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    // Another launcher may take it away or give it its name just now.
    const mtime = await Deno.stat(path).then((stat) => stat.mtime, () => null);
    if (mtime !== null && mtime.getTime() < beforeMs) await Deno.remove(path).catch(() => {});
  }
}
