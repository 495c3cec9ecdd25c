/** Builds a filter's folder into what is pushed: by language, and only when something changed. */
import { basename, dirname, extname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAssemblyScript } from "../../wasm/build/assemblyscript.ts";
import { CompileError } from "../../wasm/build/compile.ts";
import { buildC, cVersion } from "../../wasm/build/c.ts";
import { buildGo, goVersion } from "../../wasm/build/go.ts";
import { buildRust, rustVersion } from "../../wasm/build/rust.ts";
import { buildTypeScript } from "../../wasm/build/typescript.ts";
import { sha256 } from "../../wasm/filter.ts";
import { binaryKind } from "../../wasm/parse.ts";
import { compileWat, isWat } from "../../wasm/wat.ts";
import { type Manifest, readManifest } from "./manifest.ts";

export const MANIFEST_FILE = "denim.filter.yaml";

/** Files that take part in a build; a folder with more is not a filter's. */
const SOURCES_LIMIT = 500;
/** Never part of what is built. */
const NOT_SOURCES = /(?:_test\.ts|\.md|^binding\.yaml|^denim\.filter\.yaml)$/;
const NOT_FOLDERS: ReadonlySet<string> = new Set([
  ...["node_modules", ".denim", ".git"],
  ...["target", "tests"],
]);

/** What names a folder's language where its manifest does not; the first that is there. */
const SOURCES = [
  ...["filter.ts", "assembly/index.ts", "filter.wat", "Cargo.toml", "go.mod"],
  ...["filter.c", "filter.cc", "filter.cpp", "filter.wasm"],
] as const;

/** Why a folder is not a filter that can be built; the message says what to do. */
export class BuildError extends Error {
  override name = "BuildError";
}

export interface BuiltFilter {
  readonly manifest: Manifest;
  readonly manifestText: string;
  /** What is pushed: WAT as text, everything else as WebAssembly. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The file it was built from. */
  readonly source: string;
  readonly cached: boolean;
}

export interface BuildOptions {
  /** Folder for results by the digest of everything that goes into them; default `.denim/build`. */
  readonly cacheDir?: string;
}

/** How one language is built. */
interface Builder {
  /** `out`: a folder for this build alone; `cache`: one that stays. */
  build(entry: string, out: string, cache: string): Promise<Uint8Array<ArrayBuffer>>;
  /** The compiler's version, where it is not one of ours. */
  version?(entry: string): Promise<string>;
}

const TYPESCRIPT: Builder = { build: buildTypeScript };
const ASSEMBLYSCRIPT: Builder = { build: buildAssemblyScript };
const RUST: Builder = { build: buildRust, version: rustVersion };
const GO: Builder = { build: buildGo, version: goVersion };
const C: Builder = { build: buildC, version: cVersion };

const BUILDERS: Readonly<Record<string, Builder>> = {
  ".ts": TYPESCRIPT,
  ".mts": TYPESCRIPT,
  ".js": TYPESCRIPT,
  ".mjs": TYPESCRIPT,
  "Cargo.toml": RUST,
  "go.mod": GO,
  ".c": C,
  ".cc": C,
  ".cpp": C,
  ".cxx": C,
};

/** `path`: the filter's folder, or its manifest. */
export async function buildFilter(path: string, options: BuildOptions = {}): Promise<BuiltFilter> {
  const manifestPath = await findManifest(resolve(path));
  const dir = dirname(manifestPath);
  const manifestText = await Deno.readTextFile(manifestPath);
  const manifest = readManifest(manifestText);
  const source = await findSource(dir, manifest);
  const builder = builderOf(source, manifest);
  if (builder === null) {
    const bytes = await Deno.readFile(source);
    await checkReady(bytes, source);
    return { manifest, manifestText, bytes, source, cached: false };
  }
  const cacheDir = resolve(options.cacheDir ?? ".denim/build");
  const version = await attempt(source, dir, () => builder.version?.(source) ?? "");
  const target = join(cacheDir, `${await keyOf(dir, source, version)}.wasm`);
  const known = await readIfThere(target);
  if (known !== null) return { manifest, manifestText, bytes: known, source, cached: true };
  const bytes = await runBuild(builder, source, dir, cacheDir);
  await Deno.mkdir(cacheDir, { recursive: true });
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  await Deno.writeFile(temporary, bytes);
  await Deno.rename(temporary, target);
  return { manifest, manifestText, bytes, source, cached: false };
}

async function findManifest(path: string): Promise<string> {
  try {
    const { isDirectory } = await Deno.stat(path);
    if (!isDirectory && basename(path) === MANIFEST_FILE) return path;
    const beside = join(isDirectory ? path : dirname(path), MANIFEST_FILE);
    if ((await Deno.stat(beside)).isFile) return beside;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new BuildError(
    `No ${MANIFEST_FILE} in "${path}"; make a filter with "denim filter new NAME" or name its folder`,
  );
}

async function findSource(dir: string, manifest: Manifest): Promise<string> {
  const candidates = manifest.source === undefined ? SOURCES : [manifest.source];
  for (const candidate of candidates) {
    const path = resolve(dir, candidate);
    const inside = relative(dir, path);
    if (inside.startsWith("..") || isAbsolute(inside)) {
      throw new BuildError(`source is "${candidate}", which is outside the filter's folder`);
    }
    if ((await Deno.stat(path).catch(() => null))?.isFile) return await projectOf(dir, path);
  }
  throw new BuildError(`There is no ${candidates.join(" or ")} in "${dir}"`);
}

/** Rust and Go are built by their project file, whichever of their sources the manifest names. */
async function projectOf(dir: string, source: string): Promise<string> {
  const file = { ".rs": "Cargo.toml", ".go": "go.mod" }[extname(source)];
  if (file === undefined) return source;
  const path = join(dir, file);
  if ((await Deno.stat(path).catch(() => null))?.isFile) return path;
  throw new BuildError(`"${basename(source)}" needs a ${file}, and there is none in "${dir}"`);
}

/** Null: nothing to compile. */
function builderOf(source: string, manifest: Manifest): Builder | null {
  const extension = extname(source);
  if (extension === ".wat" || extension === ".wasm") return null;
  const isAssemblyScript = manifest.language === "assemblyscript" ||
    (manifest.language === undefined && source.endsWith("assembly/index.ts"));
  if (isAssemblyScript) return ASSEMBLYSCRIPT;
  const builder = BUILDERS[basename(source)] ?? BUILDERS[extension];
  if (builder !== undefined) return builder;
  throw new BuildError(
    `"${source}" ends in "${extension}"; wanted .ts, .js, .wat, .rs, .go, .c, .cc, or a .wasm ` +
      "built by its own tools",
  );
}

async function runBuild(
  builder: Builder,
  source: string,
  dir: string,
  cache: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempDir({ prefix: "denim-build-" });
  try {
    return await attempt(source, dir, () => builder.build(source, out, cache));
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

/** What compilers have against a source, said with its name. */
async function attempt<T>(source: string, dir: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    throw new BuildError(`${relative(dir, source)} does not compile:\n${error.message}`);
  }
}

/** WAT is assembled once here too, so that its author hears of mistakes before anything is sent. */
async function checkReady(bytes: Uint8Array, source: string): Promise<void> {
  if (isWat(bytes)) {
    await compileWat(new TextDecoder().decode(bytes), basename(source)).catch((error: Error) => {
      throw new BuildError(`${basename(source)} does not assemble:\n${error.message}`);
    });
  } else if (binaryKind(bytes) === null) {
    throw new BuildError(`"${source}" is neither WebAssembly nor WebAssembly text`);
  }
}

/** Over the filter's files, the SDK and the versions of the compilers: anything else cannot change the result. */
async function keyOf(dir: string, source: string, version: string): Promise<string> {
  const parts: string[] = [relative(dir, source), version];
  await addFiles(dir, dir, parts);
  for (const folder of ["sdk", "wit", "toolchain"]) {
    const path = fileURLToPath(new URL(`../../wasm/${folder}`, import.meta.url));
    await addFiles(path, path, parts);
  }
  const digest = await sha256(new TextEncoder().encode(parts.join("\n")));
  return digest.slice("sha256:".length);
}

async function addFiles(root: string, dir: string, parts: string[]): Promise<void> {
  const entries = (await Array.fromAsync(Deno.readDir(dir)))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory) {
      if (!NOT_FOLDERS.has(entry.name)) await addFiles(root, path, parts);
      continue;
    }
    // The lock file of the compilers may gain another platform's entries; their versions stand elsewhere.
    if (!entry.isFile || NOT_SOURCES.test(entry.name) || entry.name === "deno.lock") continue;
    if (parts.length > SOURCES_LIMIT) {
      throw new BuildError(
        `"${root}" holds more than ${SOURCES_LIMIT} files; is it a filter's folder?`,
      );
    }
    parts.push(`${relative(root, path)} ${await sha256(await Deno.readFile(path))}`);
  }
}

async function readIfThere(path: string): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
