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
    },
    ...result,
  };
  await Deno.mkdir(HISTORY, { recursive: true });
  const path = new URL(`${name}.jsonl`, HISTORY);
  await Deno.writeTextFile(path, `${JSON.stringify(line)}\n`, { append: true });
  return line;
}

export function cpuModel(cpuinfo: string): string {
  return /^model name\s*:\s*(.+)$/m.exec(cpuinfo)?.[1] ?? "unknown";
}

async function output(command: string, args: string[]): Promise<string> {
  try {
    const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return "";
  }
}
