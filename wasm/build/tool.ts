/** Compilers that are not ours: found on the PATH, run in the filter's folder, quoted when they complain. */
import { CompileError } from "./compile.ts";

/** A first build fetches and compiles dependencies. */
const TOOL_LIMIT_MS = 600_000;
/** Of what a compiler says, the beginning: the first mistake is the one to look at. */
const SAID_LIMIT = 16 * 1024;

export interface ToolRun {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How one gets the program, said when it is not there. */
  readonly missing: string;
}

/** What it printed on standard output. Throws {@link CompileError} with its own words, or with how to get it. */
export async function runTool(run: ToolRun): Promise<string> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(run.program, {
      args: [...run.args],
      cwd: run.cwd,
      env: { NO_COLOR: "1", ...run.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CompileError(`"${run.program}" is not installed: ${run.missing}`);
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), TOOL_LIMIT_MS);
  try {
    const { success, code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    if (success) return text.decode(stdout);
    const said = text.decode(stderr).trim() || text.decode(stdout).trim();
    throw new CompileError(
      said === "" ? `"${run.program}" ended with code ${code}` : said.slice(0, SAID_LIMIT),
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The first of these programs that is there; null for none. */
export async function findTool(
  programs: readonly string[],
  args: readonly string[] = ["--version"],
): Promise<{ readonly program: string; readonly version: string } | null> {
  for (const program of programs) {
    try {
      const { success, stdout } = await new Deno.Command(program, {
        args: [...args],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).output();
      if (success) return { program, version: new TextDecoder().decode(stdout).trim() };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return null;
}
