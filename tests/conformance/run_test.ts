/** The table of suites and the reader of reports. */
import assert from "node:assert/strict";
import { readJUnit } from "./junit.ts";
import { SUITES } from "./suites.ts";

Deno.test("readJUnit adds up the suites of a report", () => {
  const xml = `<testsuites name="deno test" tests="5" failures="1" errors="0" time="1">
    <testsuite name="a_test.ts" tests="3" disabled="1" errors="0" failures="1"></testsuite>
    <testsuite name="b_test.ts" tests="2" disabled="0" errors="0" failures="0"></testsuite>
  </testsuites>`;
  assert.deepEqual(readJUnit(xml), { passed: 3, failed: 1, skipped: 1 });
});

Deno.test("readJUnit finds nothing in an empty report", () => {
  assert.deepEqual(readJUnit(""), { passed: 0, failed: 0, skipped: 0 });
});

Deno.test("each conformance suite is named once, and the fast ones together take less than 150 s", () => {
  const names = SUITES.map((suite) => suite.name);
  assert.equal(new Set(names).size, names.length);
  const seconds = SUITES.filter((suite) => suite.fast).reduce((sum, one) => sum + one.seconds, 0);
  assert.ok(seconds < 150, `${seconds} s`);
});
