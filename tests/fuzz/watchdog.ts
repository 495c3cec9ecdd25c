/** A worker that watches a fuzz run from beside it: one input may not take for ever. Kills the process and keeps the input. */
import { randomOfRun } from "./target.ts";
import { keep, TARGETS } from "./targets.ts";

export interface Watched {
  readonly name: string;
  readonly seed: number;
  /** One number: the run under way; −1 and below: kept inputs are replayed, the first is −1. */
  readonly run: SharedArrayBuffer;
}

/** The longest one input may take; a busy machine is slow, but not that slow. */
const STALL_MS = 20_000;

declare const self: { onmessage: ((event: MessageEvent<Watched>) => void) | null };

self.onmessage = async ({ data: { name, seed, run } }): Promise<void> => {
  const target = await TARGETS[name]!();
  await target.prepare?.();
  const counter = new Int32Array(run);
  let last = counter[0]!, since = performance.now();
  setInterval(() => {
    const now = counter[0]!;
    if (now !== last) {
      last = now;
      since = performance.now();
    } else if (performance.now() - since > STALL_MS && now < 0) {
      console.error(`fuzz/${name}: kept input ${-now} hangs again`);
      Deno.kill(Deno.pid, "SIGKILL");
    } else if (performance.now() - since > STALL_MS) {
      const input = target.generate(randomOfRun(seed, now));
      const file = keep(name, input, "hangs");
      console.error(`fuzz/${name}: run ${now} of seed ${seed} hangs; the input is kept as ${file}`);
      Deno.kill(Deno.pid, "SIGKILL");
    }
  }, 500);
};
