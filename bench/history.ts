/** What was measured when, on what: one JSON line per run in bench/history. */

const HISTORY = new URL("./history/", import.meta.url);

/** Appends `result` with date, commit and machine to `bench/history/<name>.jsonl`. */
export async function record(name: string, result: object): Promise<object> {
  const line = {
    date: new Date().toISOString(),
    commit: await output("git", ["describe", "--always", "--dirty"]),
    host: {
      cpu: cpuModel(await Deno.readTextFile("/proc/cpuinfo")),
      cores: navigator.hardwareConcurrency,
      kernel: Deno.osRelease(),
    },
    versions: {
      deno: Deno.version.deno,
      haproxy: /version (\S+)/.exec(await output("haproxy", ["-v"]))?.[1] ?? "",
      nginx: /nginx\/(\S+)/.exec(await output("nginx", ["-v"]))?.[1] ?? "",
      envoy: /\/(\d+\.\d+\.\d+)\//.exec(await output("envoy", ["--version"]))?.[1] ?? "",
    },
    ...result,
  };
  await Deno.mkdir(HISTORY, { recursive: true });
  const path = new URL(`${name}.jsonl`, HISTORY);
  await Deno.writeTextFile(path, `${JSON.stringify(line)}\n`, { append: true });
  return line;
}

/** Every line kept of one bench, the oldest first. */
export async function kept<R>(name: string): Promise<R[]> {
  try {
    const text = await Deno.readTextFile(new URL(`${name}.jsonl`, HISTORY));
    return text.trim().split("\n").map((line) => JSON.parse(line) as R);
  } catch (problem) {
    if (problem instanceof Deno.errors.NotFound) return [];
    throw problem;
  }
}

export function cpuModel(cpuinfo: string): string {
  return /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1] ?? "unknown";
}

/** What a program says; some say their version on standard error. */
async function output(command: string, args: string[]): Promise<string> {
  try {
    const { stdout, stderr } = await new Deno.Command(command, { args }).output();
    return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr).trim();
  } catch {
    return "";
  }
}
