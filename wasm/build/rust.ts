/** Rust filter → Proxy-Wasm module, by cargo and whichever Wasm target the compiler has. */
import { dirname, join } from "node:path";
import { CompileError } from "./compile.ts";
import { isOldCargo, vendor } from "./rust_vendored.ts";
import { findTool, runTool } from "./tool.ts";

/** The likeliest first; the second is what the first was called before Rust 1.78. */
const TARGETS = ["wasm32-wasip1", "wasm32-wasi", "wasm32-unknown-unknown"] as const;

const MISSING = "get Rust with rustup (https://rustup.rs), then: rustup target add wasm32-wasip1";
const NO_TARGET =
  `The Rust compiler has no standard library for Wasm; get it with "rustup target add wasm32-wasip1", ` +
  `or on Debian, for Debian's own Rust, with "apt-get install cargo lld libstd-rust-dev-wasm32"`;

interface Rust {
  readonly cargo: string;
  readonly rustc: string;
  /** A cargo that fetches for one that cannot; null where it can. */
  readonly fetcher: string | null;
  readonly version: string;
  readonly target: string;
}

/** `entry`: the crate's Cargo.toml. */
export async function buildRust(
  entry: string,
  out: string,
  cache: string,
): Promise<Uint8Array<ArrayBuffer>> {
  // Dependencies come before what needs them.
  const last = (await buildCrate(dirname(entry), out, cache)).at(-1);
  if (last !== undefined) return await Deno.readFile(last);
  throw new CompileError(
    'The crate makes no module; Cargo.toml needs [lib] with crate-type = ["cdylib"]',
  );
}

/** Paths of the modules that `cargo build` makes of the crate in `dir`, with `extra` arguments. */
export async function buildCrate(
  dir: string,
  out: string,
  cache: string,
  extra: readonly string[] = [],
): Promise<string[]> {
  const rust = await findRust();
  if (rust === null) throw new CompileError(NO_TARGET);
  const sources = join(cache, "crates");
  const { crate, args } = rust.fetcher === null
    ? { crate: dir, args: [] }
    : await vendor(dir, out, sources, rust.fetcher, rust.rustc, MISSING);
  const printed = await runTool({
    program: rust.cargo,
    args: [
      ...["build", "--release", "--target", rust.target, ...args, ...extra],
      "--message-format=json-render-diagnostics",
    ],
    cwd: crate,
    env: { RUSTC: rust.rustc, CARGO_TARGET_DIR: join(cache, "cargo"), ...flags(sources) },
    missing: MISSING,
  });
  return modulesIn(printed);
}

/** What the result depends on beside the sources. */
export async function rustVersion(): Promise<string> {
  const rust = await findRust();
  return rust === null ? "" : `${rust.version} ${rust.target}`;
}

/** CARGO and RUSTC, then the PATH's, then the system's: whichever can compile to Wasm. */
async function findRust(): Promise<Rust | null> {
  const pairs = [
    [Deno.env.get("CARGO") ?? "cargo", Deno.env.get("RUSTC") ?? "rustc"],
    ["/usr/bin/cargo", "/usr/bin/rustc"],
  ] as const;
  let found = false;
  for (const [cargo, rustc] of pairs) {
    const tool = await findTool([rustc]);
    const own = await findTool([cargo]);
    if (tool === null || own === null) continue;
    found = true;
    const fetcher = isOldCargo(own.version) ? await findFetcher() : null;
    for (const target of TARGETS) {
      const folder = await findTool([rustc], ["--print", "target-libdir", "--target", target]);
      if (folder === null || !await hasFiles(folder.version)) continue;
      return { cargo, rustc, fetcher, version: tool.version, target };
    }
  }
  if (!found) throw new CompileError(`"cargo" is not installed: ${MISSING}`);
  return null;
}

/** A cargo on the PATH that can fetch; null when there is none. */
async function findFetcher(): Promise<string | null> {
  const tool = await findTool(["cargo"]);
  return tool === null || isOldCargo(tool.version) ? null : tool.program;
}

async function hasFiles(folder: string): Promise<boolean> {
  try {
    for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".rlib")) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}

/** The same sources give the same bytes wherever they lie; panics end the instance, so nothing unwinds. */
function flags(sources: string): Record<string, string> {
  const home = Deno.env.get("CARGO_HOME") ?? `${Deno.env.get("HOME") ?? ""}/.cargo`;
  const own = Deno.env.get("RUSTFLAGS");
  const places = [[sources, "cargo"], [home, "cargo"]]; // those of the crate itself are relative
  return {
    RUSTFLAGS: [
      ...(own === undefined ? [] : [own]),
      ...places.map(([from, to]) => `--remap-path-prefix=${from}=${to}`),
    ].join(" "),
  };
}

/** The modules among what cargo says it made. */
function modulesIn(printed: string): string[] {
  return printed.split("\n").filter((line) => line.startsWith("{")).flatMap((line) => {
    const { reason, filenames } = JSON.parse(line) as { reason: string; filenames?: string[] };
    if (reason !== "compiler-artifact") return [];
    return filenames?.filter((name) => name.endsWith(".wasm")) ?? [];
  });
}
