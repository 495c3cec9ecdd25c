/** `denim proxy --supervise`: reads how many workers with which rights, and runs them until told to stop. */
import { dirname } from "node:path";
import { type Args, type CommandSpec, UsageError } from "../args.ts";
import { descriptorFlags } from "../limits.ts";
import { writeReadyFile } from "../ready_file.ts";
import { EXIT, untilStopped } from "../verb.ts";
import { systemClock } from "../../core/clock.ts";
import { stderrLog } from "../../core/log.ts";
import { PROXY_HEAP_MIB, type ProxyFiles, proxyFlags } from "../../proxy/launch.ts";
import { type Bind, type ProxyOptions, upstreamListener } from "../../proxy/options.ts";
import { Supervisor } from "./supervisor.ts";

export const MAX_WORKERS = 64;
const MAX_MEMORY_MIB = 16_384, MIN_MEMORY_MIB = 16;
/** The supervisor's own, or different for each worker. */
const NOT_HANDED_ON = [
  "supervise",
  "workers",
  "worker-memory",
  "admin",
  "ready-file",
  "reuse-port",
];

/** The exit code. Needs the right to run Deno, beside those of a proxy; its workers get fewer. */
export async function supervise(
  args: Args,
  spec: CommandSpec,
  options: ProxyOptions,
): Promise<number> {
  const stopped = untilStopped();
  const starting = Supervisor.start({
    workers: wholeNumber(args, "workers", 1, MAX_WORKERS, 1),
    listeners: listenersOf(options),
    admin: options.admin,
    workerArgs: workerArgs(args, spec, options),
    clock: systemClock,
    log: stderrLog(options.logLevel, { part: "supervisor" }),
  });
  const supervisor = await starting;
  const handOver = (): void => void supervisor.handOver();
  Deno.addSignalListener("SIGHUP", handOver);
  const line = JSON.stringify(supervisor.ready());
  await writeReadyFile(options.readyFile, line);
  console.log(line);
  await stopped;
  Deno.removeSignalListener("SIGHUP", handOver);
  await supervisor.stop();
  return EXIT.ok;
}

/** Listeners whose place the command line knows. */
function listenersOf(options: ProxyOptions): ReadonlyMap<string, Bind> {
  if (options.mode !== "sidecar") return new Map();
  return new Map([
    ["inbound", options.inbound],
    ["outbound", options.outbound],
    ...options.upstreams.map(({ authority, bind }): [string, Bind] => [
      upstreamListener(authority),
      bind,
    ]),
  ]);
}

/** The command line of one worker: the same proxy, with the rights it needs and no more. */
export function workerArgs(args: Args, spec: CommandSpec, options: ProxyOptions): string[] {
  const memory = wholeNumber(args, "worker-memory", MIN_MEMORY_MIB, MAX_MEMORY_MIB, PROXY_HEAP_MIB);
  const own: string[] = [];
  for (const [name, flag] of Object.entries(spec.flags)) {
    if (NOT_HANDED_ON.includes(name) || !args.on(name)) continue;
    if (flag.value === undefined) own.push(`--${name}`);
    else for (const value of args.all(name)) own.push(`--${name}`, value);
  }
  return [
    "run",
    ...proxyFlags(filesOf(options), memory),
    // The program it is itself: sources, or the bundle of program.ts.
    Deno.mainModule,
    "proxy",
    ...(options.descriptors === undefined ? descriptorFlags() : []),
    ...own,
    "--admin",
    "unix" in options.admin ? `unix:${options.admin.unix}` : "127.0.0.1:0",
    "--reuse-port",
  ];
}

function filesOf(options: ProxyOptions): ProxyFiles {
  const { admin } = options;
  const socket = "unix" in admin ? [dirname(admin.unix)] : [];
  if (options.mode === "standalone") return { read: "all", write: socket };
  const { state, trustBundleFile, joinToken } = options;
  const read = [state, trustBundleFile, ...socket];
  if (joinToken !== null && "file" in joinToken) read.push(joinToken.file);
  // The kubelet swaps the folder behind a link beside the file.
  if (joinToken !== null && "jwtFile" in joinToken) read.push(dirname(joinToken.jwtFile));
  return { read, write: [state, ...socket] };
}

function wholeNumber(
  args: Args,
  name: string,
  least: number,
  most: number,
  fallback: number,
): number {
  const text = args.find(name) ?? String(fallback);
  const value = Number(text);
  if (/^\d{1,6}$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`--${name} is "${text}"; wanted a whole number from ${least} to ${most}`);
}
