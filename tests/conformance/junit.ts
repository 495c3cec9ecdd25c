/** Counts of a JUnit report, as `deno test --junit-path` writes it. */

export interface JUnitCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Reads the totals of the report's suites; a report without any counts as nothing. */
export function readJUnit(xml: string): JUnitCounts {
  let tests = 0, failed = 0, skipped = 0;
  for (const [element] of xml.matchAll(/<testsuite\s[^>]*>/g)) {
    tests += number(element, "tests");
    failed += number(element, "failures") + number(element, "errors");
    skipped += number(element, "disabled") + number(element, "skipped");
  }
  return { passed: tests - failed - skipped, failed, skipped };
}

function number(element: string, name: string): number {
  return Number(new RegExp(`\\s${name}="(\\d+)"`).exec(element)?.[1] ?? 0);
}
