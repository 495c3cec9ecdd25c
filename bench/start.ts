/** Time from the start of a sidecar's process to its ready line, with its identity and last snapshot on disk. */
import { median } from "./figures.ts";
import { haveTools } from "./process.ts";
import { answering, startPair } from "./sidecars.ts";

export const MAX_READY_MS = 150;

export interface StartResult {
  readonly bench: "start";
  readonly starts: number;
  /** With the control plane there. */
  readonly medianMs: number;
  readonly maxMs: number;
  /** The same while the control plane is away. */
  readonly aloneMedianMs: number;
  readonly limitMs: number;
  readonly withinLimit: boolean;
}

export async function start(starts: number): Promise<StartResult> {
  if (!await haveTools(["haproxy", "taskset"])) Deno.exit(3);
  await using pair = await startPair(answering(1024));
  const sidecar = pair.mesh.proxies.get("origin")!;
  const once = async (): Promise<number> => {
    await sidecar.stop();
    const startedMs = performance.now();
    await sidecar.start();
    return performance.now() - startedMs;
  };
  const times: number[] = [], alone: number[] = [];
  for (let n = 0; n < starts; n++) times.push(await once());
  await pair.mesh.control.stop();
  for (let n = 0; n < starts; n++) alone.push(await once());
  const medianMs = Math.round(median(times));
  return {
    bench: "start",
    starts,
    medianMs,
    maxMs: Math.round(Math.max(...times)),
    aloneMedianMs: Math.round(median(alone)),
    limitMs: MAX_READY_MS,
    withinLimit: medianMs <= MAX_READY_MS,
  };
}
