/** Ten thousand connections on which nothing happens: plain at the caller's sidecar, then mTLS at the called's. */
import { round2 } from "./figures.ts";
import { openAll, plainDial, tlsDial } from "./load_client/connections.ts";
import type { Dial } from "./load_client/connections.ts";
import { PROXY_CORE } from "./load.ts";
import { haproxyPair } from "./peers/haproxy_pair.ts";
import { type RivalPair, startRivalPair } from "./peers/pair.ts";
import { cpuSeconds, haveTools, memoryOf } from "./process.ts";
import { answering, type Pair, startPair } from "./sidecars.ts";

/** Files a process needs besides one for each connection. */
const SPARE_FILES = 500;
/** What the sidecars may use: a connection with mTLS is some 9 KB of objects, nearly all the runtime's own. */
const HEAP_MIB = 160;
/** Before the CPU is looked at: what follows the last connection is over then. */
const SETTLE_MS = 3_000;

export interface IdleFigures {
  /** How many it took. */
  readonly connections: number;
  /** What ended the attempt to get more; null when it took all. */
  readonly stoppedBy: string | null;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly bytesPerConnection: number;
  /** Of one core, while nothing happens. */
  readonly cpuPercent: number;
}

export interface IdleResult {
  readonly bench: "idle";
  readonly connections: number;
  readonly seconds: number;
  readonly plain: Readonly<Record<"denim" | "haproxy", IdleFigures>>;
  readonly mtls: Readonly<Record<"denim" | "haproxy", IdleFigures>>;
  /** Denim took all of them, of both kinds. */
  readonly withinLimit: boolean;
}

export interface IdleOptions {
  readonly connections: number;
  readonly seconds: number;
}

export async function idle(options: IdleOptions): Promise<IdleResult> {
  if (!await haveTools(["haproxy", "taskset", "openssl", "prlimit"])) Deno.exit(3);
  const { connections, seconds } = options;
  await allowFiles(connections + SPARE_FILES);
  await using pair = await startPair(answering(1024), { core: PROXY_CORE, heapMiB: HEAP_MIB });
  const kind = haproxyPair({ between: "HTTP1", maxConnections: connections + SPARE_FILES });
  await using rival = await startRivalPair(kind, PROXY_CORE, pair.originPort);
  const plain = {
    denim: await hold(pair.pids[0]!, plainDial(portOf(pair.outbound), "origin"), options),
    haproxy: await hold(rival.pids[0]!, plainDial(rival.ports.client, "origin"), options),
  };
  const mtls = {
    denim: await hold(pair.pids[1]!, await denimDial(pair), options),
    haproxy: await hold(rival.pids[1]!, await haproxyDial(rival), options),
  };
  const withinLimit = Math.min(plain.denim.connections, mtls.denim.connections) >= connections;
  return { bench: "idle", connections, seconds, plain, mtls, withinLimit };
}

/** Memory of a process before and after it has got the connections, and its CPU time while it has them. */
async function hold(
  pid: number,
  dial: Dial,
  { connections, seconds }: IdleOptions,
): Promise<IdleFigures> {
  const bytesBefore = memoryOf(pid).rssBytes;
  using open = await openAll(dial, connections);
  await sleep(SETTLE_MS);
  const before = cpuSeconds(pid);
  await sleep(seconds * 1000);
  const bytesAfter = memoryOf(pid).rssBytes;
  const figures = {
    connections: open.count,
    stoppedBy: open.stoppedBy,
    bytesBefore,
    bytesAfter,
    bytesPerConnection: Math.round((bytesAfter - bytesBefore) / open.count),
    cpuPercent: round2((cpuSeconds(pid) - before) * 100 / seconds),
  };
  console.error(JSON.stringify(figures));
  return figures;
}

/** As the caller's sidecar, with the identity it keeps on disk. */
async function denimDial(pair: Pair): Promise<Dial> {
  const file = `${pair.folder}/proxies/client/identity.json`;
  const { keyPem, chainPem, bundle } = JSON.parse(await Deno.readTextFile(file)) as {
    keyPem: string;
    chainPem: string;
    bundle: string[];
  };
  const inbound = pair.mesh.local().services[1]!.inbound;
  return tlsDial(portOf(`tcp://${inbound}`), "origin", {
    key: keyPem,
    cert: chainPem,
    caCerts: bundle,
  });
}

async function haproxyDial({ ports, folder }: RivalPair): Promise<Dial> {
  return tlsDial(ports.server, "origin", {
    key: await Deno.readTextFile(`${folder}/client.key`),
    cert: await Deno.readTextFile(`${folder}/client.pem`),
    caCerts: [await Deno.readTextFile(`${folder}/ca.pem`)],
  });
}

/** Raises this process's limit of open files, and by that of all it starts. */
async function allowFiles(count: number): Promise<void> {
  const limits = await Deno.readTextFile("/proc/self/limits");
  const [, soft, hard] = /^Max open files +(\d+) +(\d+)/m.exec(limits) ?? ["", "0", "0"];
  if (Number(soft) >= count) return;
  const args = ["--pid", `${Deno.pid}`, `--nofile=${count}:${Math.max(Number(hard), count)}`];
  const { success } = await new Deno.Command("prlimit", { args, stderr: "null" }).output();
  if (success) return;
  throw new Error(
    `A process may open ${hard} files here, ${count} are needed: raise it (ulimit -Hn ${count}) ` +
      `or measure fewer connections (--connections)`,
  );
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
