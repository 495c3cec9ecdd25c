/** Where the time goes on both sidecars under load: stacks sampled by perf, with V8 naming what it compiled. */
import { readCodeMap } from "./code_map.ts";
import { round2 } from "../figures.ts";
import { LOAD_CORE, PROXY_CORE } from "../load.ts";
import { type GcFigures, readGcTrace } from "./gc_trace.ts";
import { cpuSeconds, haveTools } from "../process.ts";
import { type Profile, readSamples, summarise } from "./samples.ts";
import { answering, type Pair, startPair } from "../sidecars.ts";
import { wrk } from "../wrk.ts";

const BODY_BYTES = 1024, CONNECTIONS = [8, 32, 128];
/** Not a divisor of the timers' 1000 Hz, so that samples do not follow them. */
const SAMPLES_PER_SECOND = 1999;
const WARM_UP_SECONDS = 5;

export interface SidecarProfile extends Profile {
  readonly cpuUsPerRequest: number;
  readonly collector: GcFigures;
}

/** Of the caller's sidecar and of the called's. */
export type PairProfile = Readonly<Record<"client" | "server", SidecarProfile>>;

export interface ProfileResult {
  readonly bench: "profile";
  readonly secondsPerRound: number;
  /** By number of client connections. */
  readonly at: Readonly<Record<string, PairProfile>>;
}

export async function profile(seconds: number): Promise<ProfileResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset", "perf"])) Deno.exit(3);
  const folder = await Deno.makeTempDir({ prefix: "denim-bench-" });
  const flags = [
    "--perf-basic-prof",
    `--perf-basic-prof-path=${folder}`,
    "--trace-gc",
    `--logfile=${folder}/v8.log`,
  ];
  Deno.env.set("DENO_V8_FLAGS", flags.join());
  try {
    await using pair = await startPair(answering(BODY_BYTES), { core: PROXY_CORE });
    await load(pair, 32, WARM_UP_SECONDS);
    const at: Record<string, PairProfile> = {};
    for (const connections of CONNECTIONS) {
      console.error(`${connections} connections`);
      at[connections] = await round(pair, connections, seconds, folder);
    }
    return { bench: "profile", secondsPerRound: seconds, at };
  } finally {
    Deno.env.delete("DENO_V8_FLAGS");
    await Deno.remove(folder, { recursive: true });
  }
}

async function round(
  pair: Pair,
  connections: number,
  seconds: number,
  folder: string,
): Promise<PairProfile> {
  const path = `${folder}/perf.data`;
  const logs = [...pair.mesh.proxies.values()].map((proxy) => proxy.spec.logPath!);
  const logged = logs.map((log) => Deno.statSync(log).size);
  const cpu = pair.pids.map(cpuSeconds);
  const loading = load(pair, connections, seconds);
  await run("taskset", [
    ...["-c", `${LOAD_CORE}`, "perf", "record", "-q", "--event=cpu-clock", "--call-graph=fp"],
    ...[`--freq=${SAMPLES_PER_SECOND}`, `--pid=${pair.pids.join()}`, `--output=${path}`],
    ...["--", "sleep", `${seconds - 0.5}`],
  ]);
  const { requests } = await loading;
  const used = pair.pids.map((pid, index) => cpuSeconds(pid) - cpu[index]!);
  const text = await run("perf", ["script", "-F", "comm,pid,ip,sym,dso", "-i", path]);
  const maps = new Map(
    pair.pids.map((pid) => [pid, readCodeMap(Deno.readTextFileSync(`${folder}/perf-${pid}.map`))]),
  );
  const samples = readSamples(text, maps);
  const [client, server] = pair.pids.map((pid, index) => ({
    cpuUsPerRequest: round2(used[index]! * 1e6 / requests),
    collector: readGcTrace(textFrom(logs[index]!, logged[index]!)),
    ...summarise(samples.filter((sample) => sample.pid === pid)),
  })) as [SidecarProfile, SidecarProfile];
  return { client, server };
}

function load(pair: Pair, connections: number, seconds: number): Promise<{ requests: number }> {
  return wrk({
    core: LOAD_CORE,
    url: `${pair.outbound}/`,
    seconds,
    connections,
    headers: ["Host: origin"],
  });
}

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function textFrom(path: string, offset: number): string {
  return new TextDecoder().decode(Deno.readFileSync(path).subarray(offset));
}
