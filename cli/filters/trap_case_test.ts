import assert from "node:assert/strict";
import type { TrapReport } from "../../wasm/trap_report.ts";
import { parseCases } from "./stage/case_file.ts";
import { trapCase } from "./trap_case.ts";

const TRAP: TrapReport = {
  id: "m1-2",
  filter: "default/tag",
  digest: `sha256:${"a".repeat(64)}`,
  atMs: Date.UTC(2026, 0, 2),
  kind: "trap",
  text: "Trap: unreachable in inner < proxy_on_request_headers",
  entry: "proxy_on_request_headers",
  fuelUsed: 100,
  fuelLimit: 1000,
  memoryBytes: 65536,
  hostCalls: ['proxy_log(2, "a") = 0'],
  route: "default/r/0",
  backend: "default/app:80",
  revision: "v1",
  input: {
    method: "POST",
    scheme: "http",
    authority: "app.example",
    path: "/a?b=c",
    headers: ["x-a", "1", "x-a", "2", "cookie", "[redacted]"],
    peer: "spiffe://mesh.local/ns/default/sa/web",
    body: { text: "hello", bytes: 5 },
    response: { status: 201, headers: ["x-b", "3"], body: { base64: "//4=", bytes: 2 } },
  },
};

Deno.test("A trap becomes a case that denim filter test reads", () => {
  const text = trapCase(TRAP, '{"header":"x-tag"}');
  const { cases } = parseCases("trap.yaml", text);
  const [one] = cases;
  assert.equal(one!.name, "trap in proxy_on_request_headers (m1-2)");
  assert.deepEqual(one!.config, { header: "x-tag" });
  assert.equal(one!.clock, "2026-01-02T00:00:00.000Z");
  assert.deepEqual(one!.request.headers, { "x-a": ["1", "2"], cookie: "[redacted]" });
  assert.equal(one!.request.method, "POST");
  assert.equal(one!.request.body, "hello");
  assert.equal(one!.response.status, 201);
  assert.deepEqual(one!.response.body, { base64: "//4=" });
  assert.equal(one!.expect!.trap, "Trap");
  assert.ok(text.includes("# Trap: unreachable in inner"));
});

Deno.test("A trap outside of exchanges is a case of its own", () => {
  const { cases } = parseCases("trap.yaml", trapCase({ ...TRAP, input: null }, ""));
  assert.equal(cases[0]!.request.path, "/");
});
