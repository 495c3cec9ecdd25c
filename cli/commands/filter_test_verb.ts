/** `denim filter test`: runs the cases beside a filter through the module a proxy would run. */
import { basename, join } from "node:path";
import { readFlags, runVerb, UsageError } from "../filters/options.ts";
import { CaseError, type CaseFile, readCases } from "../filters/stage/case_file.ts";
import { loadFilter } from "../filters/stage/load.ts";
import {
  passed,
  resultsJson,
  resultsJunit,
  resultText,
  summaryText,
} from "../filters/stage/report.ts";
import { type Result, runFile } from "../filters/stage/run.ts";

/** Exit codes: 0 all passed, 1 a case failed or the filter does not build, 2 the cases cannot be read. */
export async function filterTest(args: readonly string[]): Promise<number> {
  let failed = false;
  const code = await runVerb(async () => {
    const { values, positionals } = readFlags(args, {
      update: { type: "boolean", default: false },
      filter: { type: "string" },
      output: { type: "string", short: "o" },
      junit: { type: "string" },
      "cache-dir": { type: "string", default: ".denim/build" },
    });
    if (values.output !== undefined && values.output !== "json") {
      throw new UsageError(`-o is "${values.output}"; wanted json`);
    }
    const path = positionals[0] ?? ".";
    const json = values.output === "json";
    const { built, staged, dir } = await loadFilter(path, values["cache-dir"] as string);
    const results: Result[] = [];
    for (const file of await casesOf(dir)) {
      if (!json) console.log(file.path);
      const ran: Result[] = [];
      const named = values.filter as string | undefined;
      for await (const result of runFile(staged, built.manifest, file, named)) {
        ran.push(result);
        if (!json) console.log(resultText(result));
      }
      results.push(...ran);
      if (values.update === true) await update(file, ran);
    }
    if (results.length === 0) {
      throw new UsageError(`No case is called "${values.filter}" or has it in its name`);
    }
    console.log(json ? resultsJson(results) : `\n${summaryText(results)}`);
    if (typeof values.junit === "string") {
      await Deno.writeTextFile(values.junit, resultsJunit(built.manifest.name, results));
    }
    failed = !results.every(passed) && values.update !== true;
  });
  return code === 0 && failed ? 1 : code;
}

async function casesOf(dir: string): Promise<CaseFile[]> {
  let files: CaseFile[];
  try {
    files = await readCases(dir);
  } catch (error) {
    if (error instanceof CaseError) throw new UsageError(error.message);
    throw error;
  }
  if (files.length > 0) return files;
  throw new UsageError(
    `There are no cases in "${join(dir, "tests")}"; "denim filter new" makes a first one, ` +
      "docs/filters.md explains them",
  );
}

/** Writes what came of the cases into their expectations; what cannot be written stays a failure to look at. */
async function update(file: CaseFile, results: readonly Result[]): Promise<void> {
  let changed = 0;
  for (const result of results) {
    const index = file.cases.findIndex((test) => test.name === result.name);
    for (const { path, update: value } of result.differences) {
      if (value === undefined) continue;
      file.document.setIn(["cases", index, ...path], value);
      changed++;
    }
    for (const { path, expectation } of result.missing) {
      file.document.setIn(["cases", index, ...path], file.document.createNode(expectation));
      changed++;
    }
  }
  if (changed === 0) return;
  await Deno.writeTextFile(file.path, file.document.toString({ lineWidth: 100 }));
  console.log(
    `  updated ${basename(file.path)}: ${changed} expectation${
      changed === 1 ? "" : "s"
    }; read the difference before you keep it`,
  );
}
