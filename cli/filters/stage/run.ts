/** Runs cases one by one, each on a stage of its own. */
import type { Manifest } from "../../../control/market/mod.ts";
import { type Case, durationMs, type Expectation } from "./case.ts";
import type { CaseFile } from "./case_file.ts";
import { compare, type Difference, expectationOf } from "./compare.ts";
import { type Outcome, Stage, type Staged } from "./stage.ts";

export interface Result {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly ms: number;
  /** What could not even be tried; "" when it could. */
  readonly error: string;
  readonly differences: readonly Difference[];
  readonly outcomes: readonly Outcome[];
  readonly fuel: number;
  /** Where `--update` writes a whole expectation: there is none. */
  readonly missing: readonly {
    readonly path: readonly (string | number)[];
    readonly expectation: Expectation;
  }[];
}

/** Those of a file whose names hold `named`. */
export async function* runFile(
  staged: Staged,
  manifest: Manifest,
  { path: file, cases, lines }: CaseFile,
  named = "",
): AsyncGenerator<Result> {
  for (const [i, test] of cases.entries()) {
    if (test.name.includes(named)) {
      yield await runCase(staged, manifest, test, { file, line: lines[i]! });
    }
  }
}

/** `at`: where the case stands. */
async function runCase(
  staged: Staged,
  manifest: Manifest,
  test: Case,
  at: { readonly file: string; readonly line: number },
): Promise<Result> {
  const from = performance.now();
  const outcomes: Outcome[] = [], differences: Difference[] = [];
  const missing: { path: (string | number)[]; expectation: Expectation }[] = [];
  let error = "";
  try {
    using stage = await Stage.open(staged, manifest, test);
    if (test.refuses !== undefined) {
      differences.push({
        path: ["refuses"],
        wanted: `the configuration is refused: "${test.refuses}"`,
        got: "it is taken",
      });
    }
    const steps = test.steps ?? [{ ...test, after: "0ms" }];
    for (const [i, step] of steps.entries()) {
      const prefix = test.steps === undefined ? [] : ["steps", i];
      stage.advance(durationMs(step.after));
      const outcome = await stage.run(step.request, step.response);
      outcomes.push(outcome);
      for (const one of compare(step.expect, outcome, stage)) {
        differences.push({ ...one, path: [...prefix, "expect", ...one.path] });
      }
      if (step.expect === undefined) {
        missing.push({ path: [...prefix, "expect"], expectation: expectationOf(outcome) });
      }
    }
  } catch (thrown) {
    error = thrown instanceof Error ? thrown.message : String(thrown);
    if (test.refuses !== undefined && error.includes(test.refuses)) error = "";
  }
  const fuel = outcomes.reduce((sum, one) => sum + one.fuel, 0);
  return {
    name: test.name,
    ...at,
    ms: performance.now() - from,
    error,
    differences,
    outcomes,
    fuel,
    missing,
  };
}
