/** Runs one compile job in a process of its own; see wasm/toolchain/main.ts for why. */
import { fileURLToPath } from "node:url";
import type { Answer, Job } from "../toolchain/job.ts";

/** First use installs the compilers, which may take long on a slow line. */
const COMPILE_LIMIT_MS = 300_000;
const OUTPUT_LIMIT = 64 * 1024;

/** What a compiler had to say against the source; `message` is its own text. */
export class CompileError extends Error {
  override name = "CompileError";
}

/** The files a job made, by name. Throws {@link CompileError} with the compiler's words. */
export async function compile(job: Job): Promise<Extract<Answer, { ok: true }>> {
  const folder = new URL("../toolchain/", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--config", fileURLToPath(new URL("deno.json", folder))],
      fileURLToPath(new URL("main.ts", folder)),
    ],
    cwd: fileURLToPath(folder),
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), COMPILE_LIMIT_MS);
  try {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(job)));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const answer = lastLine(stdout);
    if (answer === null) {
      const text = new TextDecoder().decode(stderr.slice(-OUTPUT_LIMIT)).trim();
      throw new CompileError(`The ${job.tool} compiler stopped without an answer: ${text}`);
    }
    if (!answer.ok) throw new CompileError(answer.error);
    return answer;
  } finally {
    clearTimeout(timer);
  }
}

function lastLine(stdout: Uint8Array): Answer | null {
  const line = new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return null;
  }
}
