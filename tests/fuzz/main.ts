/** `deno task fuzz [TARGET…] [SECONDS] [SEED]`: replays what was found before, then looks for more. */
import process from "node:process";
import { randomOfInput, randomOfRun, type Target } from "./target.ts";
import { corpus, keep, TARGETS } from "./targets.ts";
import type { Watched } from "./watchdog.ts";

const USAGE = `deno task fuzz [TARGET…] [SECONDS] [SEED]
  TARGET    ${Object.keys(TARGETS).join(", ")}; default: each in turn
  SECONDS   how long to look, for each target; default 60
  SEED      a whole number, to have the same run again
A finding is kept below tests/fuzz/corpus, where every later run tries it first. Exit status: 0 nothing
was found, 1 something was, 2 bad arguments.`;

/** Between two looks at the clock. */
const RUNS_PER_LOOK = 20;
/** Below it shares are chance. */
const ENOUGH_RUNS = 400;

/** Tries what was found before; `counter` tells the watchdog which. */
function replay(name: string, target: Target, counter: Int32Array): number {
  const kept = corpus(name);
  kept.forEach(({ file, input }, i) => {
    counter[0] = -1 - i;
    try {
      target.attempt(input, randomOfInput(input));
    } catch (problem) {
      throw new Error(`corpus/${name}/${file} is a finding again`, { cause: problem });
    }
  });
  return kept.length;
}

/** Looks for more; returns how many inputs it tried. */
function search(
  name: string,
  target: Target,
  seconds: number,
  seed: number,
  counter: Int32Array,
): number {
  const until = performance.now() + seconds * 1000;
  let runs = 0;
  while (runs % RUNS_PER_LOOK !== 0 || performance.now() < until) {
    counter[0] = runs;
    const input = target.generate(randomOfRun(seed, runs));
    try {
      target.attempt(input, randomOfInput(input));
    } catch (problem) {
      const what = problem instanceof Error ? problem.message : String(problem);
      const file = keep(name, input, what);
      const where = `seed ${seed}, run ${runs}; the input is kept as ${file}`;
      throw new Error(`fuzz/${name}: a finding: ${where}`, { cause: problem });
    }
    runs++;
  }
  return runs;
}

async function fuzz(name: string, seconds: number, seed: number): Promise<void> {
  const target = await TARGETS[name]!();
  await target.prepare?.();
  console.log(`fuzz/${name}: ${seconds} s, seed ${seed}`);
  const run = new SharedArrayBuffer(4);
  const counter = new Int32Array(run).fill(-1);
  const watchdog = new Worker(new URL("./watchdog.ts", import.meta.url), { type: "module" });
  watchdog.postMessage({ name, seed, run } satisfies Watched);
  const replayed = replay(name, target, counter);
  const runs = search(name, target, seconds, seed, counter);
  watchdog.terminate();
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  const mib = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  console.log(
    `fuzz/${name}: no finding in ${runs} runs and ${replayed} kept inputs; heap ${mib} MiB`,
  );
  const shallow = runs < ENOUGH_RUNS ? null : target.shallow?.(runs) ?? null;
  if (shallow !== null) throw new Error(`fuzz/${name} proves little: ${shallow}`);
}

async function main(args: readonly string[]): Promise<number> {
  const names = args.filter((arg) => !/^[0-9]+$/.test(arg));
  const [seconds = 60, seed = Math.floor(Math.random() * 2 ** 31)] = args
    .filter((arg) => /^[0-9]+$/.test(arg)).map(Number);
  const unknown = names.find((name) => !Object.hasOwn(TARGETS, name));
  if (unknown !== undefined) {
    console.error(`There is no fuzz target "${unknown}".\n\n${USAGE}`);
    return 2;
  }
  for (const name of names.length > 0 ? names : Object.keys(TARGETS)) {
    try {
      await fuzz(name, seconds, seed);
    } catch (problem) {
      console.error(problem);
      return 1;
    }
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
