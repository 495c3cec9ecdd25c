import assert from "node:assert/strict";
import { createLog } from "./log.ts";

Deno.test("Log writes one JSON line per call and escapes what could forge another", () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), { nowMs: () => 0 });
  log.with({ node: "a" }).warn("inbound.refused", {
    reason: 'x\n{"level":"info"}\u001b[2J\u009b1m',
  });
  assert.equal(lines.length, 1);
  for (const forged of ["\n", "\u001b", "\u009b"]) assert.ok(!lines[0]!.includes(forged));
  assert.deepEqual(JSON.parse(lines[0]!), {
    time: "1970-01-01T00:00:00.000Z",
    level: "warn",
    msg: "inbound.refused",
    node: "a",
    reason: 'x\n{"level":"info"}\u001b[2J\u009b1m',
  });
});

Deno.test("Log drops what is below its level", () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), { level: "warn" });
  log.debug("a");
  log.info("b");
  log.error("c");
  assert.equal(lines.length, 1);
});
