/** Builds the published examples of the Proxy-Wasm SDKs, once, into `.denim/sdks/SDK/EXAMPLE.wasm`. */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAssemblyScript } from "../../../wasm/build/assemblyscript.ts";
import { goVersion } from "../../../wasm/build/go.ts";
import { buildCrate, rustVersion } from "../../../wasm/build/rust.ts";
import { runTool } from "../../../wasm/build/tool.ts";
import { corpusFolder } from "../../support/corpora.ts";
import { crate, exampleInReadme, goModule, npmPackages } from "./sources.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
export const BUILT = join(ROOT, ".denim/sdks");
const CACHE = join(ROOT, ".denim/build");

const GO_SDK = "github.com/proxy-wasm/proxy-wasm-go-sdk";
const GO_SDK_VERSION = "v0.0.0-20250212164326-ab4161dcf924";
/** The SDK before it moved. Its modules hold the examples, those of the present one do not. */
const OLD_GO_SDK = "github.com/tetratelabs/proxy-wasm-go-sdk";

export interface Sdk {
  /** Folder below {@link BUILT}, and what the table calls it. */
  readonly name: string;
  readonly language: string;
  /** Which package, and what was done to it. */
  readonly from: string;
  /** Its modules by name. `work`: a folder for this build alone. Throws, with words, when it cannot. */
  build(work: string): Promise<Map<string, string>>;
}

export const SDKS: readonly Sdk[] = [
  { name: "rust", language: "Rust", from: "crate proxy-wasm 0.2.0, its examples", build: rust },
  {
    name: "go",
    language: "Go",
    from: "module proxy-wasm-go-sdk 2025-02; examples of 0.16, import path and main changed",
    build: go,
  },
  {
    name: "go-unmodified",
    language: "Go",
    from: "proxy-wasm-go-sdk's repository, as it is",
    build: goUnmodified,
  },
  {
    name: "as-gcore",
    language: "AssemblyScript 0.28",
    from: "npm @gcoredev/proxy-wasm-sdk-as 1.2.3, its README's example",
    build: assemblyScript,
  },
  {
    name: "as-solo",
    language: "AssemblyScript 0.14",
    from: "npm @solo-io/proxy-runtime 0.1.8, its README's example",
    build: oldAssemblyScript,
  },
  {
    name: "cpp",
    language: "C++",
    from: "module mosn.io/proxy-wasm-go-host 0.2.0, a module it brings built",
    build: prebuilt,
  },
];

/** Why SDKs could not be built, by name; what the tests say about those they skip. */
export const MISSING_FILE = join(BUILT, "missing.json");

/** Builds what is not built yet. Gives, for every SDK that cannot be built here, why. */
export async function buildAll(): Promise<Readonly<Record<string, string>>> {
  const missing: Record<string, string> = {};
  await Promise.all(SDKS.map(async (sdk) => {
    try {
      await buildOnce(sdk);
    } catch (error) {
      missing[sdk.name] = error instanceof Error ? error.message : String(error);
    }
  }));
  await Deno.mkdir(BUILT, { recursive: true });
  await Deno.writeTextFile(MISSING_FILE, JSON.stringify(missing));
  return missing;
}

/** A folder is whole, or not there; one of another version is built anew. */
async function buildOnce(sdk: Sdk): Promise<void> {
  const target = join(BUILT, sdk.name), stamp = join(target, "from.txt");
  if (await Deno.readTextFile(stamp).catch(() => "") === sdk.from) return;
  const work = await Deno.makeTempDir({ prefix: "denim-sdk-" });
  try {
    const modules = await sdk.build(work);
    await Deno.remove(target, { recursive: true }).catch(() => {});
    await Deno.mkdir(target, { recursive: true });
    for (const [name, path] of modules) {
      await Deno.writeFile(join(target, `${name}.wasm`), await Deno.readFile(path));
    }
    await Deno.writeTextFile(stamp, sdk.from);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function rust(work: string): Promise<Map<string, string>> {
  if (await rustVersion() === "") throw new Error("no Rust compiler here has a Wasm target");
  const published = await crate("proxy-wasm", "0.2.0", join(work, "fetched"));
  // A copy: cargo does not build in a folder that it has vendored.
  const dir = join(work, "crate");
  await copyTree(published, dir);
  await Deno.remove(join(dir, ".cargo-checksum.json")).catch(() => {});
  const made = await buildCrate(dir, join(work, "out"), CACHE, ["--examples"]);
  return byName(made.filter((path) => path.includes("/examples/")));
}

async function go(work: string): Promise<Map<string, string>> {
  await goVersion(join(work, "go.mod"));
  const published = join(await goModule(OLD_GO_SDK, "v0.16.0"), "examples");
  await Deno.writeTextFile(
    join(work, "go.mod"),
    `module examples\n\ngo 1.24\n\nrequire ${GO_SDK} ${GO_SDK_VERSION}\n`,
  );
  const names: string[] = [];
  for (const path of await mainsBelow(published)) {
    const name = path.slice(published.length + 1, -"/main.go".length);
    const text = await Deno.readTextFile(path);
    await Deno.mkdir(join(work, name), { recursive: true });
    await Deno.writeTextFile(
      join(work, name, "main.go"),
      // Where TinyGo's _start called main, the Go compiler's _initialize calls init.
      text.replaceAll(OLD_GO_SDK, GO_SDK).replace(
        "func main() {",
        "func main() {}\n\nfunc init() {",
      ),
    );
    names.push(name);
  }
  return await goBuildEach(work, names, "-mod=mod");
}

async function goUnmodified(work: string): Promise<Map<string, string>> {
  const corpus = corpusFolder("proxy-wasm-go-sdk");
  if (corpus === null) {
    throw new Error("its examples are in no registry: put the repository into ../shared/corpora");
  }
  await goVersion(join(work, "go.mod"));
  await copyTree(corpus, join(work, "sdk"));
  const examples = join(work, "sdk/examples");
  const modules = new Map<string, string>();
  for (const path of await mainsBelow(examples)) {
    const name = path.slice(examples.length + 1, -"/main.go".length);
    const out = join(work, `${name.replaceAll("/", "_")}.wasm`);
    await goBuild(join(examples, name), out, "-mod=mod");
    modules.set(name.replaceAll("/", "_"), out);
  }
  return modules;
}

async function goBuildEach(
  work: string,
  names: readonly string[],
  flags: string,
): Promise<Map<string, string>> {
  const modules = new Map<string, string>();
  for (const name of names) {
    const out = join(work, `${name.replaceAll("/", "_")}.wasm`);
    await goBuild(work, out, flags, `./${name}`);
    modules.set(name.replaceAll("/", "_"), out);
  }
  return modules;
}

async function goBuild(cwd: string, out: string, flags: string, what = "."): Promise<void> {
  await runTool({
    program: "go",
    args: ["build", "-buildmode=c-shared", "-ldflags=-w", "-o", out, what],
    cwd,
    env: { GOOS: "wasip1", GOARCH: "wasm", GOFLAGS: flags },
    missing: "get Go 1.24 or later from https://go.dev/dl",
  });
}

async function assemblyScript(work: string): Promise<Map<string, string>> {
  // The compiler's own folder has the SDK; its first use installs both.
  const folder = join(ROOT, "wasm/toolchain/node_modules/@gcoredev/proxy-wasm-sdk-as");
  const entry = join(work, "assembly/index.ts");
  await Deno.mkdir(join(work, "assembly"));
  if (!await isFolder(folder)) {
    await Deno.writeTextFile(entry, "");
    await buildAssemblyScript(entry, work);
  }
  await Deno.writeTextFile(entry, await exampleInReadme(folder));
  await Deno.writeFile(join(work, "built.wasm"), await buildAssemblyScript(entry, work));
  return new Map([["add_header", join(work, "built.wasm")]]);
}

async function oldAssemblyScript(work: string): Promise<Map<string, string>> {
  await npmPackages(["@solo-io/proxy-runtime@0.1.8", "assemblyscript@0.14.9"], work);
  const folder = join(work, "node_modules/@solo-io/proxy-runtime");
  await Deno.mkdir(join(work, "assembly"));
  await Deno.writeTextFile(join(work, "assembly/index.ts"), await exampleInReadme(folder));
  await runTool({
    program: "node",
    args: [
      ...["node_modules/assemblyscript/bin/asc", "assembly/index.ts", "-b", "add_header.wasm"],
      ...["--use", "abort=abort_proc_exit", "--optimize"],
    ],
    cwd: work,
    missing: "install Node.js",
  });
  return new Map([["add_header", join(work, "add_header.wasm")]]);
}

async function prebuilt(): Promise<Map<string, string>> {
  const folder = await goModule("mosn.io/proxy-wasm-go-host", "v0.2.0");
  return new Map([["http", join(folder, "example/data/http.wasm")]]);
}

function byName(paths: readonly string[]): Map<string, string> {
  return new Map(paths.map((path) => [basename(path, ".wasm"), path]));
}

async function mainsBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await mainsBelow(path));
    else if (name === "main.go") found.push(path);
  }
  return found.sort();
}

/** Copies what may be a read-only cache so that it can be built in. */
async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else if (isFile) await Deno.writeFile(join(to, name), await Deno.readFile(join(from, name)));
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => null))?.isDirectory ?? false;
}
