/** Metered and not, real programs of real compilers give the same results; where a compiler is missing, its part is skipped. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { buildAssemblyScript } from "../../wasm/build/assemblyscript.ts";
import { missingTool } from "../../wasm/build/available.ts";
import { buildC } from "../../wasm/build/c.ts";
import { buildGo } from "../../wasm/build/go.ts";
import { buildRust } from "../../wasm/build/rust.ts";
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";

const source = (path: string): string =>
  fileURLToPath(new URL(`programs/${path}`, import.meta.url));
const CACHE = fileURLToPath(new URL("../../.denim/build", import.meta.url));

interface Program {
  /** For {@link missingTool}. */
  readonly language: string;
  readonly build: (out: string) => Promise<Uint8Array<ArrayBuffer>>;
  readonly kinds: number;
  readonly size: number;
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  AssemblyScript: {
    language: "as",
    build: (out) => buildAssemblyScript(source("as/programs.ts"), out),
    kinds: 5,
    size: 2000,
  },
  C: { language: "c", build: (out) => buildC(source("c/programs.c"), out), kinds: 5, size: 20_000 },
  Go: { language: "go", build: (out) => buildGo(source("go/go.mod"), out), kinds: 6, size: 400 },
  Rust: {
    language: "rust",
    build: (out) => buildRust(source("rust/Cargo.toml"), out, CACHE),
    kinds: 4,
    size: 1000,
  },
};

interface Running {
  readonly run: (kind: number, size: number) => bigint;
  readonly memory: WebAssembly.Memory;
  readonly fuel: WebAssembly.Global | undefined;
}

/** An instance whose WASI gives nothing away: fixed time, fixed randomness, no output. */
function start(bytes: Uint8Array<ArrayBuffer>): Running {
  const module = new WebAssembly.Module(bytes);
  let memory = new WebAssembly.Memory({ initial: 0 });
  const view = (): DataView => new DataView(memory.buffer);
  const known: Record<string, (...args: number[]) => number> = {
    random_get: (at, size) => (new Uint8Array(memory.buffer, at, size).fill(42), 0),
    clock_time_get: (_id, _precision, at) => (view().setBigUint64(at!, 1_000_000n, true), 0),
    args_sizes_get: (a, b) => (view().setUint32(a!, 0, true), view().setUint32(b!, 0, true), 0),
    environ_sizes_get: (a, b) => (view().setUint32(a!, 0, true), view().setUint32(b!, 0, true), 0),
    fd_write: (_fd, _iovs, _count, at) => (view().setUint32(at!, 0, true), 0),
    fd_prestat_get: () => 8, // no such file: there are no folders
    proc_exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = known[name] ?? (() => 0);
  }
  const { exports } = new WebAssembly.Instance(module, imports);
  memory = exports["memory"] as WebAssembly.Memory;
  const fuel = exports[FUEL_EXPORT] as WebAssembly.Global | undefined;
  if (fuel !== undefined) fuel.value = 1n << 50n;
  const initialize = exports["_initialize"] ?? exports["_start"];
  if (typeof initialize === "function") initialize();
  return { run: exports["run"] as Running["run"], memory, fuel };
}

for (const [name, { language, build, kinds, size }] of Object.entries(PROGRAMS)) {
  Deno.test(`${name} programs compute the same with and without the meter`, async () => {
    const missing = language === "as" ? null : await missingTool(language);
    if (missing !== null) return console.log(`skipped: ${missing}`);
    const out = await Deno.makeTempDir({ prefix: "denim-differential-" });
    try {
      const plain = await build(out);
      const metered = instrument(plain, { maxPages: 1024, maxTable: 100_000 });
      const one = start(plain), other = start(metered);
      const seen = new Set<bigint>();
      for (let kind = 0; kind < kinds; kind++) {
        for (const n of [3, size]) {
          const before = other.fuel!.value as bigint;
          const wanted = one.run(kind, n);
          assert.equal(other.run(kind, n), wanted, `job ${kind} of size ${n}`);
          assert.ok(before - (other.fuel!.value as bigint) > BigInt(n), "it used fuel");
          seen.add(wanted);
        }
        assert.equal(other.memory.buffer.byteLength, one.memory.buffer.byteLength);
      }
      assert.ok(seen.size > kinds, "the jobs compute something");
    } finally {
      await Deno.remove(out, { recursive: true });
    }
  });
}
