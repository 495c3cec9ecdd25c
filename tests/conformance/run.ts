/** `deno task conformance [NAME…]`: runs conformance suites and prints a table of what they cover. */
import { parseArgs } from "node:util";
import { corpusFolder } from "../support/corpora.ts";
import { type JUnitCounts, readJUnit } from "./junit.ts";
import { type Need, type Suite, SUITES } from "./suites.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const USAGE = `deno task conformance [NAME…] [--all] [--list] [--json]
  no NAME   every suite marked fast
  --all     every suite
  --list    names, what each proves and needs, and how long it takes; runs nothing
  --json    the result as one JSON line, last
Exit status: 0 all that ran passed, 1 something failed, 2 bad arguments. A suite that is named and
cannot run counts as failed; among many it is skipped, and the table says why.`;

/** What became of one suite. `skipped` beside counts: tests that the suite itself left out. */
interface Result extends JUnitCounts {
  readonly name: string;
  readonly seconds: number;
  /** Why it did not run; null: it ran. */
  readonly missing: string | null;
  /** What the suite's tests said about themselves. */
  readonly notes: readonly string[];
}

/** Why a suite cannot run here, in words that say what to do; null when it can. */
async function missing(suite: Suite): Promise<string | null> {
  const paths = await existing(suite.paths);
  if (paths.length === 0) return `not in this checkout: ${suite.paths.join(", ")}`;
  for (const need of suite.needs) {
    const why = await lacks(need);
    if (why !== null) return why;
  }
  return suite.prepare === undefined ? null : await prepared(suite.prepare);
}

/** Runs a suite's own preparation; what it says when it cannot be done. */
async function prepared(script: string): Promise<string | null> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", script],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  return success ? null : new TextDecoder().decode(stderr).trim();
}

async function lacks(need: Need): Promise<string | null> {
  if (need.kind === "corpus") {
    if (corpusFolder(need.name) !== null) return null;
    return `the corpus "${need.name}" is not beside the checkout (../shared/corpora/${need.name})`;
  }
  if (await onPath(need.name)) return null;
  return `no "${need.name}" on the PATH: ${need.get}`;
}

/** On the PATH, or where `go install` puts it. */
async function onPath(command: string): Promise<boolean> {
  const go = `${Deno.env.get("GOPATH") ?? `${Deno.env.get("HOME")}/go`}/bin`;
  for (const folder of [...(Deno.env.get("PATH") ?? "").split(":"), go]) {
    if (await exists(`${folder}/${command}`)) return true;
  }
  return false;
}

async function existing(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) if (await exists(ROOT + path)) found.push(path);
  return found;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

async function run(suite: Suite): Promise<Result> {
  const report = await Deno.makeTempFile({ prefix: "denim-conformance-", suffix: ".xml" });
  try {
    const startedMs = performance.now();
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", `--junit-path=${report}`, ...await existing(suite.paths)],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    const counts = readJUnit(await Deno.readTextFile(report));
    if (!success) console.log(`${text}\n${new TextDecoder().decode(stderr)}`);
    // A run that failed without a failed test did not even begin: a type error, say.
    const failed = success ? counts.failed : Math.max(1, counts.failed);
    const seconds = (performance.now() - startedMs) / 1000;
    return { ...counts, failed, name: suite.name, seconds, missing: null, notes: notesIn(text) };
  } finally {
    await Deno.remove(report);
  }
}

/** Lines in which tests say what they compared, or skipped and why. */
function notesIn(text: string): string[] {
  return text.split("\n").filter((line) =>
    /^(skipped|compared|covered|differs)\b|skipped: /.test(line)
  );
}

function list(): void {
  for (const suite of SUITES) {
    const needs = suite.needs.map((need) =>
      need.kind === "command" ? need.name : `../shared/corpora/${need.name}`
    );
    console.log(`${suite.name.padEnd(14)}${suite.proves}`);
    const when = suite.fast ? "run by default" : "run by name or with --all";
    console.log(
      `${"".padEnd(14)}needs ${needs.join(", ") || "nothing"}; about ${suite.seconds} s; ${when}`,
    );
  }
}

function table(results: readonly Result[]): void {
  console.log(`\n${"suite".padEnd(14)}  passed  failed  skipped  seconds`);
  for (const one of results) {
    const cells = one.missing === null
      ? [one.passed, one.failed, one.skipped].map((n, i) => String(n).padStart([6, 6, 7][i]!)).join(
        "  ",
      ) + `  ${one.seconds.toFixed(1).padStart(7)}`
      : `did not run: ${one.missing}`;
    console.log(`${one.name.padEnd(14)}  ${cells}`);
    for (const note of one.notes) console.log(`${"".padEnd(16)}${note}`);
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  if (values.list) {
    list();
    return 0;
  }
  for (const name of positionals) {
    if (SUITES.some((suite) => suite.name === name)) continue;
    const names = SUITES.map((suite) => suite.name).join(", ");
    console.error(`There is no conformance suite "${name}". Choose among: ${names}\n\n${USAGE}`);
    return 2;
  }
  const named = positionals.length > 0;
  const chosen = SUITES.filter((suite) =>
    named ? positionals.includes(suite.name) : values.all || suite.fast
  );
  const results: Result[] = [];
  for (const suite of chosen) {
    const why = await missing(suite);
    const { name } = suite;
    if (why === null) {
      console.log(`${name}: ${suite.proves} (about ${suite.seconds} s)`);
      results.push(await run(suite));
    } else {
      const failed = named ? 1 : 0;
      results.push({ name, passed: 0, failed, skipped: 0, seconds: 0, missing: why, notes: [] });
    }
  }
  table(results);
  if (values.json) console.log(JSON.stringify(results));
  return results.some((one) => one.failed > 0) ? 1 : 0;
}

Deno.exit(await main());
