/** Where the time goes on both sidecars under load: stacks sampled by perf, with V8 naming what it compiled. */
import { SOURCES } from "../../cli/program.ts";
import { round2 } from "../figures.ts";
import { LOAD_CORE, PROXY_CORE } from "../load.ts";
import { cpuSeconds, haveTools } from "../process.ts";
import { type Pair, startPair } from "../sidecars.ts";
import { readCodeMap } from "./code_map.ts";
import { type GcFigures, readGcTrace } from "./gc_trace.ts";
import { type Load, type LoadKind, LOADS } from "./loads.ts";
import { type Profile, readSamples, summarise } from "./samples.ts";

/** Not a divisor of the timers' 1000 Hz, so that samples do not follow them. */
const SAMPLES_PER_SECOND = 1999;
const WARM_UP_SECONDS = 5;

export interface SidecarProfile extends Profile {
  /** Per request, or per gigabyte. */
  readonly cpuUsPerUnit: number;
  readonly collector: GcFigures;
}

/** Of the caller's sidecar and of the called's. */
export type PairProfile = Readonly<Record<"client" | "server", SidecarProfile>>;

export interface ProfileResult {
  readonly bench: "profile";
  readonly secondsPerRound: number;
  readonly unit: LoadKind["unit"];
  /** By load. */
  readonly at: Readonly<Record<string, PairProfile>>;
}

export async function profile(
  { seconds, load }: { seconds: number; load: keyof typeof LOADS },
): Promise<ProfileResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset", "perf"])) Deno.exit(3);
  const { unit, origin, loads } = LOADS[load];
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  const flags = [
    "--perf-basic-prof",
    `--perf-basic-prof-path=${folder}`,
    "--trace-gc",
    `--logfile=${folder}/v8.log`,
  ];
  Deno.env.set("DENO_V8_FLAGS", flags.join());
  try {
    await using pair = await startPair(origin, { core: PROXY_CORE, program: SOURCES });
    // For the sidecars, not for what loads them.
    Deno.env.delete("DENO_V8_FLAGS");
    const at: Record<string, PairProfile> = {};
    for (const one of loads) {
      console.error(one.name);
      await one.run(pair, WARM_UP_SECONDS);
      at[one.name] = await round(pair, one, seconds, folder);
    }
    return { bench: "profile", secondsPerRound: seconds, unit, at };
  } finally {
    Deno.env.delete("DENO_V8_FLAGS");
    await Deno.remove(folder, { recursive: true });
  }
}

async function round(
  pair: Pair,
  load: Load,
  seconds: number,
  folder: string,
): Promise<PairProfile> {
  const path = `${folder}/perf.data`;
  const logs = [...pair.mesh.proxies.values()].map((proxy) => proxy.spec.logPath!);
  const logged = logs.map((log) => Deno.statSync(log).size);
  const cpu = pair.pids.map(cpuSeconds);
  const loading = load.run(pair, seconds);
  await run("taskset", [
    ...["-c", `${LOAD_CORE}`, "perf", "record", "-q", "--event=cpu-clock", "--call-graph=fp"],
    ...[`--freq=${SAMPLES_PER_SECOND}`, `--pid=${pair.pids.join()}`, `--output=${path}`],
    ...["--", "sleep", `${seconds - 0.5}`],
  ]);
  const passed = await loading;
  const used = pair.pids.map((pid, index) => cpuSeconds(pid) - cpu[index]!);
  const text = await run("perf", ["script", "-F", "comm,pid,ip,sym,dso", "-i", path]);
  const maps = new Map(
    pair.pids.map((pid) => [pid, readCodeMap(Deno.readTextFileSync(`${folder}/perf-${pid}.map`))]),
  );
  const samples = readSamples(text, maps);
  const [client, server] = pair.pids.map((pid, index) => ({
    cpuUsPerUnit: round2(used[index]! * 1e6 / passed),
    collector: readGcTrace(textFrom(logs[index]!, logged[index]!)),
    ...summarise(samples.filter((sample) => sample.pid === pid)),
  })) as [SidecarProfile, SidecarProfile];
  return { client, server };
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function textFrom(path: string, offset: number): string {
  return new TextDecoder().decode(Deno.readFileSync(path).subarray(offset));
}
