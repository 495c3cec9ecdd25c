/** Programs under measurement: pinned to a core, their CPU time and memory read from /proc. */

/** Kernel clock ticks per second in /proc/PID/stat; 100 on every Linux Deno runs on. */
const TICKS_PER_SECOND = 100;

export interface Pinned extends AsyncDisposable {
  readonly pid: number;
  readonly process: Deno.ChildProcess;
}

/** Starts `command` on one core. `taskset` replaces itself by it, so the pid is the program's own. */
export function startPinned(
  core: number,
  command: readonly string[],
  options: { stdout?: "piped" | "null"; env?: Record<string, string> } = {},
): Pinned {
  const process = new Deno.Command("taskset", {
    args: ["-c", String(core), ...command],
    stdin: "null",
    stdout: options.stdout ?? "null",
    stderr: "inherit",
    ...(options.env === undefined ? {} : { env: options.env }),
  }).spawn();
  return {
    pid: process.pid,
    process,
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        process.kill("SIGTERM");
      } catch {
        // It ended by itself.
      }
      const hard = setTimeout(() => {
        try {
          process.kill("SIGKILL");
        } catch {
          // It ended in the meantime.
        }
      }, 3_000);
      await process.status;
      clearTimeout(hard);
    },
  };
}

/** Moves a running process, with all its threads, to one core. */
export async function pin(pid: number, core: number): Promise<void> {
  const args = ["-a", "-c", "-p", String(core), String(pid)];
  const { success } = await new Deno.Command("taskset", { args, stdout: "null" }).output();
  if (!success) throw new Error(`taskset could not move process ${pid} to core ${core}`);
}

/** User and system time of a process with all its threads. */
export function cpuSeconds(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces; fields are counted after it. utime and stime are 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory now and at its highest, in bytes. */
export function memoryOf(pid: number): { rssBytes: number; peakBytes: number } {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? "NaN");
  return { rssBytes: kilobytes("VmRSS") * 1024, peakBytes: kilobytes("VmHWM") * 1024 };
}

/** Ports nobody listens on at the moment, all different. */
export function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
  );
  const ports = listeners.map((listener) => listener.addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}

/** Resolves when something accepts connections on the port. */
export async function untilListening(port: number, withinMs = 10_000): Promise<void> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      if (performance.now() > giveUpAt) throw new Error(`Nothing listens on port ${port}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Whether a program is on PATH. */
export async function isThere(name: string): Promise<boolean> {
  const { success } = await new Deno.Command("sh", {
    args: ["-c", `command -v ${name}`],
    stdout: "null",
  }).output();
  return success;
}

/** True when every program is on PATH; the missing ones are named on standard error. */
export async function haveTools(names: readonly string[]): Promise<boolean> {
  const missing: string[] = [];
  for (const name of names) if (!await isThere(name)) missing.push(name);
  if (missing.length === 0) return true;
  console.error(
    `Install ${missing.join(", ")} to run this bench (Debian: packages of the same names)`,
  );
  return false;
}

/** Builds the Go program in `folder` as `path`. */
export async function buildGo(folder: string, path: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("go", {
    args: ["build", "-o", path, "."],
    cwd: folder,
  }).output();
  if (!success) throw new Error(`go build failed: ${new TextDecoder().decode(stderr)}`);
}
