/** How long the control plane is busy with a large module before proxies may have it. */
import { median } from "../figures.ts";

const CHILD = new URL("./admit.ts", import.meta.url).pathname;
const STARTS = 3;

/** Milliseconds of one admission, step by step. */
export interface AdmissionMs {
  /** Read, checked, metered, and the metered one checked again. */
  readonly instrument: number;
  /** Compiled and started as a proxy would. */
  readonly start: number;
  /** The reference trace through it. */
  readonly trace: number;
  /** All of it, digests included. */
  readonly total: number;
}

export interface Admission {
  readonly moduleBytes: number;
  /** The first admission of a process, whose code the engine has not compiled yet; medians over processes. */
  readonly first: AdmissionMs;
  /** Those after it. */
  readonly warm: AdmissionMs;
}

/** Of the module at `path`, in processes of their own. */
export async function admission(path: string): Promise<Admission> {
  const runs: AdmissionMs[][] = [];
  for (let start = 0; start < STARTS; start++) {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", CHILD, path],
      stdout: "piped",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error("The process that admits modules ended with an error");
    runs.push(JSON.parse(new TextDecoder().decode(stdout)) as AdmissionMs[]);
  }
  return {
    moduleBytes: (await Deno.stat(path)).size,
    first: medians(runs.map((run) => run[0]!)),
    warm: medians(runs.flatMap((run) => run.slice(1))),
  };
}

function medians(all: readonly AdmissionMs[]): AdmissionMs {
  const of = (step: keyof AdmissionMs): number => Math.round(median(all.map((one) => one[step])));
  return {
    instrument: of("instrument"),
    start: of("start"),
    trace: of("trace"),
    total: of("total"),
  };
}
