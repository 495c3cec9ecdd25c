/**
 * A compiler with a Wasm target may come with a cargo too old for today's registry (Debian's do), while
 * a newer cargo without the target is on the PATH. Then the newer one fetches and the older one builds:
 * from a copy, because its lock file has to be written in the older form.
 */
import { join } from "node:path";
import { runTool } from "./tool.ts";

/** The first cargo that reads the registry as it is served. */
const SPARSE_MINOR = 70;
/** Lock files of version 4 came with cargo 1.78. */
const NEW_LOCK = /^version = 4$/m;

export interface Vendored {
  /** Folder of the copy. */
  readonly crate: string;
  /** For cargo: sources are here, the network is not to be asked. */
  readonly args: readonly string[];
}

/** Whether `cargo --version` is of one that cannot fetch by itself. */
export function isOldCargo(version: string): boolean {
  const minor = /^cargo 1\.(\d+)\./.exec(version)?.[1];
  return minor !== undefined && Number(minor) < SPARSE_MINOR;
}

/** `newer` fetches what the crate in `dir` needs, for `rustc`, into `sources`; the copy goes below `out`. */
export async function vendor(
  dir: string,
  out: string,
  sources: string,
  newer: string,
  rustc: string,
  missing: string,
): Promise<Vendored> {
  const crate = join(out, "crate");
  await copy(dir, crate);
  await Deno.mkdir(sources, { recursive: true });
  // Builds share the sources, so that the paths, and with them what is compiled already, stay the same.
  using busy = await Deno.open(`${sources}.lock`, { write: true, create: true });
  await busy.lock(true);
  await runTool({
    program: newer,
    args: ["vendor", "--quiet", "--versioned-dirs", "--no-delete", sources],
    cwd: crate,
    // Without a lock file: the newest versions this compiler understands.
    env: { RUSTC: rustc, CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS: "fallback" },
    missing,
  });
  const lock = join(crate, "Cargo.lock");
  const text = await Deno.readTextFile(lock);
  await Deno.writeTextFile(lock, text.replace(NEW_LOCK, "version = 3"));
  return {
    crate,
    args: [
      ...["--offline", "--config", `source.crates-io.replace-with="vendored"`],
      ...["--config", `source.vendored.directory=${JSON.stringify(sources)}`],
    ],
  };
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isFile) await Deno.copyFile(join(from, name), join(to, name));
    else if (isDirectory && name !== "target" && !name.startsWith(".")) {
      await copy(join(from, name), join(to, name));
    }
  }
}
