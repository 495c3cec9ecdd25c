/** Runs one compile job in a process of its own; see wasm/toolchain/main.ts for why. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Answer, Job } from "../toolchain/job.ts";
import { QJS_PACKAGE } from "../toolchain/qjs.ts";

/** First use installs the compilers, which may take long on a slow line. */
const COMPILE_LIMIT_MS = 300_000;
const OUTPUT_LIMIT = 64 * 1024;

/** What a compiler had to say against the source; `message` is its own text. */
export class CompileError extends Error {
  override name = "CompileError";
}

/** The files a job made, by name. Throws {@link CompileError} with the compiler's words. */
export async function compile(job: Job): Promise<Extract<Answer, { ok: true }>> {
  const folder = fileURLToPath(new URL("../toolchain", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--quiet", "--config", join(folder, "deno.json")],
      // Installed once, they are used as they are: an image is read-only and may have no network.
      ...await isInstalled(folder)
        ? ["--node-modules-dir=manual", "--cached-only", "--no-lock"]
        : [],
      join(folder, "main.ts"),
    ],
    cwd: folder,
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
      throw new CompileError(
        `The ${job.tool} compiler stopped without an answer. Its first use installs it with npm; ` +
          `is the registry reachable? It said: ${text}`,
      );
    }
    if (!answer.ok) throw new CompileError(answer.error);
    return answer;
  } finally {
    clearTimeout(timer);
  }
}

/** Installs all compilers, so that later jobs need no network: for images. */
export async function installCompilers(): Promise<void> {
  await compile({ tool: "install" });
}

/** Whether every compiler is there in the version deno.json pins. */
async function isInstalled(folder: string): Promise<boolean> {
  const { imports } = JSON.parse(await Deno.readTextFile(join(folder, "deno.json"))) as {
    imports: Record<string, string>;
  };
  const names = Object.values(imports).map((specifier) =>
    specifier.replace(/^npm:/, "").replace(/^(@?[^@]+@[^/]+).*$/, "$1").replace("/", "+")
  );
  const found = await Promise.all([...names, QJS_PACKAGE.replace("/", "+")].map(async (name) => {
    try {
      return (await Deno.stat(join(folder, "node_modules/.deno", name))).isDirectory;
    } catch {
      return false;
    }
  }));
  return found.every((there) => there);
}

function lastLine(stdout: Uint8Array): Answer | null {
  const line = new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) ?? "";
  try {
    return JSON.parse(line) as Answer;
  } catch {
    return null;
  }
}
