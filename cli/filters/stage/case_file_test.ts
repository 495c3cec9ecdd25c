import assert from "node:assert/strict";
import { CaseError, parseCases } from "./case_file.ts";

function mistakes(text: string): string[] {
  try {
    parseCases("tests/a.yaml", text);
  } catch (error) {
    if (error instanceof CaseError) return error.message.split("\n");
    throw error;
  }
  return [];
}

Deno.test("parseCases names file, line, field and what was wanted", () => {
  const text = `cases:
  - name: one
    request:
      path: people
      headers: { "bad name": x }
    expect:
      response:
        status: two hundred
  - name: two
    respons: {}
    calls:
      - { upstream: a, fault: call.never }
`;
  assert.deepEqual(mistakes(text), [
    "tests/a.yaml:4: cases.0.request.path is not right: wanted a path that begins with /",
    "tests/a.yaml:5: cases.0.request.headers.bad name is not right: wanted the name of a header",
    "tests/a.yaml:8: cases.0.expect.response.status is not right: wanted a status",
    'tests/a.yaml:12: cases.1.calls.0.fault is not right: wanted the name of a fault, such as "call.timeout"',
    'tests/a.yaml:9: cases.1 has no field "respons"',
  ]);
});

Deno.test("parseCases says where YAML is broken, and what a file must hold", () => {
  assert.match(mistakes("cases:\n  - name: 'a\n")[0]!, /^tests\/a\.yaml:\d: this is not YAML: /);
  assert.deepEqual(mistakes("cases: []"), [
    "tests/a.yaml:1: cases is not right: wanted at least one case",
  ]);
  assert.match(mistakes("- name: a")[0]!, /^tests\/a\.yaml:1: /);
  assert.match(
    mistakes("cases:\n  - request: {}")[0]!,
    /^tests\/a\.yaml:2: cases\.0\.name is missing: wanted text/,
  );
});

Deno.test("parseCases fills in what is left out", () => {
  const { cases, lines } = parseCases(
    "a",
    "cases:\n\n  - name: one\n  - name: two\n    request: { method: POST }\n",
  );
  assert.deepEqual(lines, [3, 4]);
  assert.equal(cases[0]!.request.method, "GET");
  assert.equal(cases[1]!.request.method, "POST");
  assert.equal(cases[0]!.response.status, 200);
  assert.equal(cases[0]!.clock, "2026-01-01T00:00:00Z");
});
