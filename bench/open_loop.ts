/** The open-loop load client, in a process of its own on the load core. */
import type { OpenLoopOptions } from "./load_client/open_loop.ts";
import type { LatencyReport } from "./load_client/schedule.ts";
import { LOAD_CORE, type Target } from "./load.ts";

const CLIENT = new URL("./load_client/open_loop.ts", import.meta.url).pathname;

export type OpenLoad = Omit<OpenLoopOptions, "port" | "host">;

/** `first` is from {@link realTime}. Throws when a request gets no answer 200. */
export async function openLoop(
  target: Target,
  load: OpenLoad,
  first: readonly string[],
): Promise<LatencyReport> {
  const { hostname, port } = new URL(target.url);
  const options: OpenLoopOptions = { ...load, port: Number(port), host: target.host ?? hostname };
  const deno = [Deno.execPath(), "run", "--no-check", "-A", CLIENT, JSON.stringify(options)];
  const { success, stdout } = await new Deno.Command("taskset", {
    args: ["-c", `${LOAD_CORE}`, ...first, ...deno],
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The load client failed");
  const report = JSON.parse(new TextDecoder().decode(stdout)) as LatencyReport;
  if (report.failures > 0) {
    const all = load.perSecond * (load.seconds + load.warmUpSeconds);
    throw new Error(`${report.failures} of ${all} requests to ${target.url} got no answer 200`);
  }
  return report;
}

/** Where it is allowed, the client runs at real-time priority: its clock must not wait for other programs. */
export async function realTime(): Promise<readonly string[]> {
  const prefix = ["chrt", "--fifo", "10"];
  try {
    const { success } = await new Deno.Command(prefix[0]!, {
      args: [...prefix.slice(1), "true"],
      stderr: "null",
    }).output();
    return success ? prefix : [];
  } catch {
    return [];
  }
}
