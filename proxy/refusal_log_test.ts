/** A flood of refused connections leaves few lines and a true count. */
import assert from "node:assert/strict";
import { createLog } from "../core/log.ts";
import { MAX_REFUSALS_LOGGED_PER_SECOND, RefusalLog } from "./refusal_log.ts";

Deno.test("RefusalLog writes so many lines a second and says how many it left out", () => {
  const clock = { ms: 500, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  const lines: string[] = [];
  const log = new RefusalLog(createLog((line) => lines.push(line)), clock);
  for (let i = 0; i < MAX_REFUSALS_LOGGED_PER_SECOND + 7; i++) log.write({ reason: "expired" });
  assert.equal(lines.length, MAX_REFUSALS_LOGGED_PER_SECOND);
  clock.ms = 1000;
  log.write({ reason: "expired" });
  log.write({ reason: "expired" });
  const [told, next] = lines.slice(-2).map((line) => JSON.parse(line));
  assert.equal(told.msg, "inbound.refused");
  assert.equal(told.suppressed, 7);
  assert.equal(next.suppressed, undefined);
});
