/** What metering costs programs that do nothing but compute: each metered and not, turn by turn in one process. */
import { FUEL_EXPORT, instrument } from "../../wasm/instrument.ts";
import { WASM_LIMITS } from "../../wasm/limits.ts";
import { round2 } from "../figures.ts";
import type { ComputeName } from "./modules.ts";
import { unmetered } from "./unmetered.ts";

const PROGRAMS = ["sha256", "quicksort", "json", "interpreter"] as const;
type Program = (typeof PROGRAMS)[number];

const TURNS = 80, TURN_MS = 3, WARM_MS = 300, PAGES = 256;
const ENOUGH_FUEL = 1n << 62n;

export interface ComputeCost {
  /** Milliseconds of the same work. */
  readonly unmeteredMs: number;
  readonly meteredMs: number;
  readonly costPercent: number;
}

/** By `language/program`. */
export type ComputeCosts = Readonly<Record<string, ComputeCost>>;

export function meteringCosts(
  modules: ReadonlyMap<ComputeName, Uint8Array<ArrayBuffer>>,
): ComputeCosts {
  const costs: Record<string, ComputeCost> = {};
  for (const [language, bytes] of modules) {
    const metered = instrument(bytes, { maxPages: PAGES, maxTable: WASM_LIMITS.tableElements });
    for (const program of PROGRAMS) {
      costs[`${language}/${program}`] = cost(program, metered, unmetered(metered));
    }
  }
  return costs;
}

/**
 * Whatever else the machine does only ever takes time away, so that the best of the turns says most. Both
 * run in every turn, and who goes first changes.
 */
function cost(program: Program, metered: BufferSource, bare: BufferSource): ComputeCost {
  const runners = [runner(program, bare), runner(program, metered)] as const;
  const results = runners.map((run) => run(2));
  if (results[0] !== results[1]) {
    throw new Error(`${program} metered gives ${results[1]}, without ${results[0]}`);
  }
  for (const run of runners) {
    const until = performance.now() + WARM_MS;
    while (performance.now() < until) run(1);
  }
  const rounds = calibrate(runners[0]);
  const best: [number, number] = [Infinity, Infinity];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const at of turn % 2 === 0 ? [0, 1] as const : [1, 0] as const) {
      const from = performance.now();
      runners[at](rounds);
      best[at] = Math.min(best[at], performance.now() - from);
    }
  }
  return {
    unmeteredMs: round2(best[0]),
    meteredMs: round2(best[1]),
    costPercent: round2((best[1] / best[0] - 1) * 100),
  };
}

type Run = (rounds: number) => number;

function runner(program: Program, bytes: BufferSource): Run {
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, imports(module));
  const fuel = exports[FUEL_EXPORT] as WebAssembly.Global;
  fuel.value = ENOUGH_FUEL;
  const start = exports["_start"] ?? exports["_initialize"];
  if (typeof start === "function") start();
  const run = exports[program] as Run;
  return (rounds) => {
    fuel.value = ENOUGH_FUEL;
    return run(rounds);
  };
}

/** None of the programs asks for anything; what a language's runtime imports for bad times ends the bench. */
function imports(module: WebAssembly.Module): WebAssembly.Imports {
  const found: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (found[from] ??= {})[name] = () => {
      throw new Error(`A program called ${from}.${name}`);
    };
  }
  return found;
}

/** Rounds that take about {@link TURN_MS}: short, so that some turns are not interrupted. */
function calibrate(run: Run): number {
  let best = Infinity;
  for (let turn = 0; turn < 5; turn++) {
    const from = performance.now();
    run(4);
    best = Math.min(best, (performance.now() - from) / 4);
  }
  return Math.max(1, Math.round(TURN_MS / best));
}
