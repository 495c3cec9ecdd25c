/** One long body through the pair, down and up: throughput, and CPU time of both sidecars per gigabyte. */
import {
  alternate,
  compare,
  type Comparison,
  type Figures,
  round2,
  type Watched,
} from "./figures.ts";
import { cpuOf, LOAD_CORE, type Target } from "./load.ts";
import { watchOthers } from "./others.ts";
import { startPairs } from "./pairs.ts";
import { haveTools, startPinned } from "./process.ts";
import type { StartOrigin } from "./sidecars.ts";

const CLIENT_FOLDER = new URL("./load_client/", import.meta.url).pathname;
const GB = 1e9;

export interface StreamFigures extends Figures, Watched {
  readonly mbPerSecond: number;
  readonly cpuSecondsPerGb: number;
}

export interface StreamResult {
  readonly bench: "stream";
  readonly rounds: number;
  readonly bytes: number;
  readonly at: Readonly<Record<"down" | "up", Comparison<StreamFigures>>>;
}

export async function stream(
  { rounds, bytes }: { rounds: number; bytes: number },
): Promise<StreamResult> {
  if (!await haveTools(["haproxy", "taskset", "openssl"])) Deno.exit(3);
  await using pairs = await startPairs(streamOrigin(bytes));
  const { targets } = pairs;
  const measure = async (direction: "down" | "up"): Promise<Comparison<StreamFigures>> => {
    console.error(direction);
    for (const target of Object.values(targets)) await transfer(target, direction, bytes);
    return compare(
      await alternate(
        rounds,
        Object.keys(targets),
        (name) => transfer(targets[name]!, direction, bytes),
      ),
    );
  };
  return {
    bench: "stream",
    rounds,
    bytes,
    at: { down: await measure("down"), up: await measure("up") },
  };
}

/** Sends so many bytes to whoever asks, and takes what is sent to it, on the load core. */
export function streamOrigin(bytes: number): StartOrigin {
  return (port) =>
    Promise.resolve(startPinned(LOAD_CORE, program("stream_origin", [`${port}`, `${bytes}`])));
}

async function transfer(
  target: Target,
  direction: "down" | "up",
  bytes: number,
): Promise<StreamFigures> {
  const before = cpuOf(target), others = watchOthers();
  const seconds = await transferOnce(target, direction, bytes);
  return {
    mbPerSecond: Math.round(bytes / 1e6 / seconds),
    cpuSecondsPerGb: round2((cpuOf(target) - before) * GB / bytes),
    othersPercent: others(),
  };
}

/** The seconds it took. Throws when not all of it arrived. */
export async function transferOnce(
  target: Target,
  direction: "down" | "up",
  bytes: number,
): Promise<number> {
  const { hostname, port } = new URL(target.url);
  const args = [port, target.host ?? hostname, direction, `${bytes}`];
  const [command, ...rest] = ["taskset", "-c", `${LOAD_CORE}`, ...program("transfer", args)];
  const { success, stdout } = await new Deno.Command(command!, { args: rest, stderr: "inherit" })
    .output();
  if (!success) throw new Error(`The transfer through ${target.url} failed`);
  return (JSON.parse(new TextDecoder().decode(stdout)) as { seconds: number }).seconds;
}

/** How to start one of bench/load_client. */
export function program(name: string, args: readonly string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--no-check", `${CLIENT_FOLDER}${name}.ts`, ...args];
}
