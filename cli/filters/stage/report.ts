/** What came of the cases: for people, for programs (JSON) and for CI (JUnit XML). */
import type { Callback } from "./observe.ts";
import type { Difference } from "./compare.ts";
import type { Result } from "./run.ts";
import type { LogLine, Outcome } from "./stage.ts";

export function passed(result: Result): boolean {
  return result.error === "" && result.differences.length === 0;
}

/** A line for a case that passed; for another one what differs, and what the filter did. */
export function resultText(result: Result): string {
  const { name, file, line, fuel, ms } = result;
  if (passed(result)) return `  ok      ${name} (${fuel} fuel, ${Math.round(ms)} ms)`;
  const lines = [`  FAILED  ${name}`, `          ${file}:${line}`];
  if (result.error !== "") lines.push(`          ${result.error}`);
  for (const one of result.differences) {
    lines.push(...differenceLines(one).map((text) => `          ${text}`));
  }
  const done = result.outcomes.flatMap(outcomeLines);
  if (done.length > 0) {
    lines.push(
      "          what the filter did:",
      ...done.map((text) => `            ${text}`),
    );
  }
  return lines.join("\n");
}

export function summaryText(results: readonly Result[]): string {
  const good = results.filter(passed).length;
  return `${good} passed, ${results.length - good} failed`;
}

export function resultsJson(results: readonly Result[]): string {
  const cases = results.map((result) => ({
    name: result.name,
    file: result.file,
    line: result.line,
    passed: passed(result),
    ms: Math.round(result.ms * 100) / 100,
    fuel: result.fuel,
    ...(result.error === "" ? {} : { error: result.error }),
    differences: result.differences.map(({ path, wanted, got }) => ({
      path: path.join("."),
      wanted,
      got,
    })),
  }));
  return JSON.stringify({ passed: results.every(passed), cases }, null, 2);
}

export function resultsJunit(suite: string, results: readonly Result[]): string {
  const failures = results.filter((result) => !passed(result)).length;
  const cases = results.map((result) => {
    const head =
      `    <testcase name="${xml(result.name)}" classname="${xml(result.file)}" file="${
        xml(result.file)
      }" ` +
      `line="${result.line}" time="${(result.ms / 1000).toFixed(3)}"`;
    if (passed(result)) return `${head}/>`;
    return `${head}>\n      <failure message="${xml(reason(result))}">${
      xml(resultText(result))
    }</failure>\n    </testcase>`;
  });
  const counts = `tests="${results.length}" failures="${failures}" errors="0"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${counts}>\n  <testsuite name="${
    xml(suite)
  }" ${counts}>\n` +
    `${cases.join("\n")}\n  </testsuite>\n</testsuites>\n`;
}

/** `request headers   812 fuel  +x-a: b`, then what it logged. */
export function callbackLines(callback: Callback, logs: readonly LogLine[]): string[] {
  const { hook, fuel, verdict, diff } = callback;
  const head = `${hook.padEnd(17)} ${String(fuel).padStart(8)} fuel${
    verdict === "" ? "" : `  ${verdict}`
  }`;
  return [
    head,
    ...diff.map((line) => `  ${line}`),
    ...logs.map((line) => `  ${line.level}: ${line.text}`),
  ];
}

function outcomeLines(outcome: Outcome): string[] {
  const first = outcome.callbacks[0]?.logs[0] ?? 0;
  return outcome.callbacks.flatMap((callback) =>
    callbackLines(callback, outcome.logs.slice(callback.logs[0] - first, callback.logs[1] - first))
  );
}

function differenceLines({ path, wanted, got }: Difference): string[] {
  return [path.join("."), `  - ${wanted}`, ...got.split("\n").map((line) => `  + ${line}`)];
}

function reason(result: Result): string {
  if (result.error !== "") return result.error;
  const { path, wanted, got } = result.differences[0]!;
  return `${path.join(".")}: wanted ${wanted}, got ${got}`;
}

function xml(text: string): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f]/g, "�");
  return plain.replace(
    /[<>&"]/g,
    (char) => ({ "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;" }[char]!),
  );
}
