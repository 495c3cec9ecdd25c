/** Go filter → Proxy-Wasm module, by the Go compiler itself (1.24 or later). */
import { dirname } from "node:path";
import { runTool } from "./tool.ts";

const MISSING = "get Go 1.24 or later from https://go.dev/dl, or set GO to its path";

/** `entry`: the module's go.mod, in the folder of package main. */
export async function buildGo(entry: string, out: string): Promise<Uint8Array<ArrayBuffer>> {
  const module = `${out}/filter.wasm`;
  await runTool({
    program: goProgram(),
    args: [
      // A reactor: the runtime starts in _initialize, and exported functions stay callable.
      ...["build", "-buildmode=c-shared", "-o", module],
      // The same sources give the same bytes wherever they lie. Names stay: traps are told with them.
      ...["-trimpath", "-buildvcs=false", "-ldflags=-w -buildid=", "."],
    ],
    cwd: dirname(entry),
    env: { GOOS: "wasip1", GOARCH: "wasm", GOFLAGS: Deno.env.get("GOFLAGS") ?? "-mod=readonly" },
    missing: MISSING,
  });
  return await Deno.readFile(module);
}

/** What the result depends on beside the sources. */
export async function goVersion(entry: string): Promise<string> {
  const cwd = dirname(entry); // go.mod may ask for another toolchain
  return (await runTool({ program: goProgram(), args: ["version"], cwd, missing: MISSING })).trim();
}

function goProgram(): string {
  return Deno.env.get("GO") ?? "go";
}
