/**
 * The compilers behind `denim filter build` and admission, in a process of their own:
 * one JSON job on standard input, one JSON answer on standard output.
 *
 * A process because (a) its packages (native code among them) never get into the proxy or the control
 * plane, (b) this folder has its own deno.json and lock file, so only who compiles installs them, and
 * (c) a compiler that crashes or hangs on hostile input takes nobody with it.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { QJS_PACKAGE } from "./qjs.ts";
import type {
  Answer,
  AssemblyScriptJob,
  EmbedJob,
  Job,
  TranspileJob,
  TypeScriptJob,
} from "./job.ts";

interface Qjs {
  componentize(options: Record<string, unknown>): Promise<{ component: Uint8Array }>;
}
interface Jco {
  transpileBytes(
    bytes: Uint8Array,
    options: Record<string, unknown>,
  ): Promise<{ files: Record<string, Uint8Array>; imports: string[]; exports: [string, string][] }>;
}
interface WasmTools {
  componentEmbed(options: Record<string, unknown>): Promise<Uint8Array>;
  componentNew(module: Uint8Array, adapters: unknown[]): Promise<Uint8Array>;
}
interface Esbuild {
  build(options: Record<string, unknown>): Promise<{ outputFiles: { text: string }[] }>;
  stop(): Promise<void>;
}
interface Asc {
  main(
    argv: string[],
    options: { stdout: AscStream; stderr: AscStream; readFile?: unknown },
  ): Promise<{ error: Error | null }>;
  createMemoryStream(): AscStream;
}
interface AscStream {
  toString(): string;
}

/** Not a literal, so that a type check of the whole repository does not look for these packages. */
function load<T>(specifier: string): Promise<T> {
  return import(specifier) as Promise<T>;
}

async function run(job: Job): Promise<Answer> {
  switch (job.tool) {
    case "typescript":
      return await typescript(job);
    case "assemblyscript":
      return await assemblyscript(job);
    case "transpile":
      return await transpile(job);
    case "embed":
      return await embed(job);
    case "install":
      return await install();
  }
}

/** Bundles the filter with the SDK and freezes it, already started, into a component. */
async function typescript(job: TypeScriptJob): Promise<Answer> {
  const source = await bundle(job);
  // Only the interfaces the bundle really uses become imports: that is what the filter may touch.
  const used = job.interfaces.filter((name) => source.includes(`"${name}"`));
  const witDir = `${job.out}/wit`;
  await Deno.mkdir(witDir, { recursive: true });
  const imports = used.map((name) => `import ${name.split("/")[1]!.split("@")[0]};`).join(" ");
  const world = `world built { ${imports} export filter; }\n`;
  await Deno.writeTextFile(`${witDir}/filter.wit`, `${job.wit}\n${world}`);
  const qjs = await loadQjs();
  const { component } = await qjs.componentize({
    witPath: witDir,
    world: "built",
    jsSource: source,
    stubWasi: true, // a filter gets the imports above and nothing else
    optSize: true,
    sync: true,
  });
  await Deno.writeFile(`${job.out}/filter.wasm`, component);
  const files = { module: `${job.out}/filter.wasm` };
  return { ok: true, files, uses: used, configSchema: await readSchema(job) };
}

/** The table of the configuration, from the filter's definition: run in a process that may do nothing. */
async function readSchema(job: TypeScriptJob): Promise<unknown> {
  const path = `${job.out}/schema.mjs`;
  const contents = `import definition from ${JSON.stringify(job.entry)};\n` +
    `import { schemaOf } from ${JSON.stringify(job.config)};\n` +
    `console.log("\\n" + JSON.stringify(schemaOf(definition.config ?? {})));\n`;
  await Deno.writeTextFile(path, await bundle(job, { contents, hosted: false }));
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", path],
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stderr: "null",
  }).output();
  // A definition that cannot be read here is still a filter; it only has no schema.
  if (code !== 0) return null;
  return JSON.parse(new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1)!);
}

/** The host's interfaces stay imports; one whose functions are not used is dropped. */
const hostInterfaces = {
  name: "host-interfaces",
  setup(build: {
    onResolve(on: { filter: RegExp }, then: (args: { path: string }) => unknown): void;
  }): void {
    build.onResolve(
      { filter: /^denim:/ },
      ({ path }) => ({ path, external: true, sideEffects: false }),
    );
  },
};

/** Where nothing runs for real, functions that do nothing stand for the host. */
function hostDouble(path: string): typeof hostInterfaces {
  return {
    name: "host-double",
    setup: (build) => build.onResolve({ filter: /^denim:/ }, () => ({ path })),
  };
}

async function bundle(
  job: TypeScriptJob,
  what: { readonly contents: string; readonly hosted: boolean } = {
    contents: `import "denim/globals";\nimport definition from ${JSON.stringify(job.entry)};\n` +
      `import { serve } from "denim/guest";\nexport const filter = serve(definition);\n`,
    hosted: true,
  },
): Promise<string> {
  const esbuild = await load<Esbuild>("esbuild");
  try {
    const result = await esbuild.build({
      stdin: {
        contents: what.contents,
        resolveDir: job.root,
        sourcefile: "entry.js",
      },
      absWorkingDir: job.root,
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      mainFields: ["module", "main"],
      target: "es2022",
      // An engine that runs no jobs by itself: the SDK's promises take the place of its own, and generators
      // that of functions that await.
      supported: { "async-await": false, "for-await": false, "async-generator": false },
      alias: job.alias,
      inject: what.hosted ? job.inject : [],
      plugins: [what.hosted ? hostInterfaces : hostDouble(job.double)],
      logLevel: "silent",
      legalComments: "none",
    });
    return result.outputFiles[0]!.text;
  } finally {
    await esbuild.stop();
  }
}

async function loadQjs(): Promise<Qjs> {
  // This installs it; a native addon itself can only be required.
  await import(`npm:${QJS_PACKAGE}/package.json`, { with: { type: "json" } });
  return createRequire(import.meta.url)(QJS_PACKAGE.replace(/@[^@]*$/, "")) as Qjs;
}

async function embed(job: EmbedJob): Promise<Answer> {
  const tools = await load<WasmTools>("@bytecodealliance/jco-transpile/wasm-tools");
  const binary = await Deno.readFile(job.module);
  const embedded = await tools.componentEmbed({ binary, witSource: job.wit, world: job.world });
  await Deno.writeFile(`${job.out}/component.wasm`, await tools.componentNew(embedded, []));
  return { ok: true, files: { module: `${job.out}/component.wasm` }, uses: [] };
}

/** Loads every compiler once, so that all are installed. */
async function install(): Promise<Answer> {
  const esbuild = await load<Esbuild>("esbuild");
  await esbuild.stop();
  await load<Asc>("assemblyscript/asc");
  await load<Jco>("@bytecodealliance/jco-transpile");
  await loadQjs();
  return { ok: true, files: {}, uses: [] };
}

async function assemblyscript(job: AssemblyScriptJob): Promise<Answer> {
  const asc = await load<Asc>("assemblyscript/asc");
  const stdout = asc.createMemoryStream(), stderr = asc.createMemoryStream();
  // asc joins paths to its base, so they must be relative; it finds the SDK in the node_modules here.
  const base = fileURLToPath(new URL(".", import.meta.url));
  Deno.chdir(base);
  const { error } = await asc.main([
    relative(base, job.entry),
    ...["--outFile", relative(base, `${job.out}/filter.wasm`)],
    ...["--path", "node_modules"],
    ...["--config", "node_modules/@assemblyscript/wasi-shim/asconfig.json"],
    ...["--use", "abort=abort_proc_exit"],
    "--optimize",
  ], { stdout, stderr });
  if (error !== null) return { ok: false, error: stderr.toString().trim() || error.message };
  return { ok: true, files: { module: `${job.out}/filter.wasm` }, uses: [] };
}

/** Turns a component into JavaScript glue and its core modules. */
async function transpile(job: TranspileJob): Promise<Answer> {
  const jco = await load<Jco>("@bytecodealliance/jco-transpile");
  const { files, imports, exports } = await jco.transpileBytes(await Deno.readFile(job.component), {
    name: "filter",
    instantiation: "sync",
    nodejsCompat: false,
    wasiShim: false,
    base64Cutoff: 0,
    emitTypescriptDeclarations: false,
    ...job.suspending === undefined ? {} : {
      asyncMode: "jspi",
      asyncImports: job.suspending.imports,
      asyncExports: job.suspending.exports,
    },
  });
  const written: Record<string, string> = {};
  for (const [name, bytes] of Object.entries(files)) {
    const path = `${job.out}/${name.replaceAll("/", "_")}`;
    await Deno.writeFile(path, new Uint8Array(bytes));
    written[name] = path;
  }
  return { ok: true, files: written, uses: imports, exports: exports.map(([name]) => name) };
}

async function readJob(): Promise<Job> {
  return JSON.parse(await new Response(Deno.stdin.readable).text()) as Job;
}

let answer: Answer;
try {
  answer = await run(await readJob());
} catch (error) {
  answer = { ok: false, error: error instanceof Error ? error.message : String(error) };
}
// Compilers may print; only the last line is the answer.
await Deno.stdout.write(Buffer.from(`\n${JSON.stringify(answer)}\n`));
Deno.exit(0);
