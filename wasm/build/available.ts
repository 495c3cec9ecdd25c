/** Which languages this machine can build, and what is missing for the others. */
import { CompileError } from "./compile.ts";
import { cVersion } from "./c.ts";
import { goVersion } from "./go.ts";
import { rustVersion } from "./rust.ts";

const PROBES: Readonly<Record<string, () => Promise<string>>> = {
  rust: rustVersion,
  go: () => goVersion("./go.mod"),
  c: () => cVersion("filter.c"),
  "c++": () => cVersion("filter.cc"),
};

/** Null: filters in `language` can be built here; else why not, and how to change that. */
export async function missingTool(language: string): Promise<string | null> {
  try {
    const version = await PROBES[language]?.();
    return version === "" ? `no compiler for ${language} that can make Wasm was found` : null;
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
}
