/** Full mTLS handshakes at a sidecar's inbound port, beside haproxy that demands client certificates. */
import {
  alternate,
  compare,
  type Comparison,
  type Figures,
  round2,
  type Watched,
} from "./figures.ts";
import type { RoundOptions } from "./hop.ts";
import { LOAD_CORE, PROXY_CORE } from "./load.ts";
import { watchOthers } from "./others.ts";
import { HAPROXY_PAIR } from "./peers/haproxy_pair.ts";
import { type RivalPair, startRivalPair } from "./peers/pair.ts";
import { buildGo, cpuSeconds, haveTools } from "./process.ts";
import { answering, type Pair, startPair } from "./sidecars.ts";

const CLIENT = new URL("./handshake_client/", import.meta.url).pathname;
/** Small: the request after each handshake is there to show that the client was let in. */
const BODY_BYTES = 16, WORKERS = 16;

export interface HandshakeFigures extends Figures, Watched {
  /** Of the process that is called; the request after each handshake is in it. */
  readonly cpuUsPerHandshake: number;
  readonly handshakesPerSecond: number;
  /** From the connection to the end of the answer. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface HandshakeResult extends Comparison<HandshakeFigures> {
  readonly bench: "handshake";
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly workers: number;
}

/** Who is called, and what the client shows. */
interface Target {
  readonly pid: number;
  readonly address: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export async function handshake({ rounds, seconds }: RoundOptions): Promise<HandshakeResult> {
  if (!await haveTools(["haproxy", "taskset", "openssl", "go"])) Deno.exit(3);
  await using pair = await startPair(answering(BODY_BYTES), { core: PROXY_CORE });
  await using rival = await startRivalPair(HAPROXY_PAIR, PROXY_CORE, pair.originPort);
  const client = `${pair.folder}/handshake-client`;
  await buildGo(CLIENT, client);
  const targets: Readonly<Record<string, Target>> = {
    denim: await denimTarget(pair),
    haproxy: haproxyTarget(rival),
  };
  for (const target of Object.values(targets)) await round(client, target, 2);
  const each = await alternate(
    rounds,
    Object.keys(targets),
    (name) => round(client, targets[name]!, seconds),
  );
  const head = { bench: "handshake", rounds, secondsPerRound: seconds, workers: WORKERS } as const;
  return { ...head, ...compare(each) };
}

async function round(client: string, target: Target, seconds: number): Promise<HandshakeFigures> {
  const { pid, address, cert, key, ca } = target;
  const before = cpuSeconds(pid), others = watchOthers();
  const { success, stdout } = await new Deno.Command("taskset", {
    args: [
      ...["-c", `${LOAD_CORE}`, client, "-address", address, "-cert", cert, "-key", key, "-ca", ca],
      ...["-workers", `${WORKERS}`, "-seconds", `${seconds}`],
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error("The client of handshakes ended with an error");
  const report = JSON.parse(new TextDecoder().decode(stdout)) as {
    readonly handshakes: number;
    readonly failures: number;
    readonly seconds: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly said: string;
  };
  if (report.failures > 0) throw new Error(`Handshakes with ${address} failed: ${report.said}`);
  return {
    cpuUsPerHandshake: round2((cpuSeconds(pid) - before) * 1e6 / report.handshakes),
    handshakesPerSecond: Math.round(report.handshakes / report.seconds),
    p50Ms: round2(report.p50Ms),
    p99Ms: round2(report.p99Ms),
    othersPercent: others(),
  };
}

/** The called's sidecar, by a client with the identity that the caller's keeps on disk. */
async function denimTarget(pair: Pair): Promise<Target> {
  const { keyPem, chainPem, bundle } = JSON.parse(
    await Deno.readTextFile(`${pair.folder}/proxies/client/identity.json`),
  ) as { keyPem: string; chainPem: string; bundle: string[] };
  const file = async (name: string, text: string): Promise<string> => {
    await Deno.writeTextFile(`${pair.folder}/${name}`, text, { mode: 0o600 });
    return `${pair.folder}/${name}`;
  };
  return {
    pid: pair.pids[1]!,
    address: pair.mesh.local().services[1]!.inbound,
    cert: await file("shown.pem", chainPem),
    key: await file("shown.key", keyPem),
    ca: await file("roots.pem", bundle.join("")),
  };
}

function haproxyTarget({ pids, ports, folder }: RivalPair): Target {
  return {
    pid: pids[1]!,
    address: `127.0.0.1:${ports.server}`,
    cert: `${folder}/client.pem`,
    key: `${folder}/client.key`,
    ca: `${folder}/ca.pem`,
  };
}
