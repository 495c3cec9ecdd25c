import assert from "node:assert/strict";
import { Counter } from "../../core/metrics.ts";
import { Cost } from "./host.ts";

function rig(): { cost: Cost; us: Counter } {
  const us = new Counter();
  return { cost: new Cost({ calls: new Counter(), fuel: new Counter(), us }), us };
}

Deno.test("Cost adds timed calls as measured and counts the others like them", () => {
  const { cost, us } = rig();
  cost.add(100, 4);
  cost.add(100, 2);
  for (let i = 0; i < 10; i++) cost.add(100, -1);
  assert.equal(cost.us, 36);
  assert.equal(us.value, 36);
  assert.deepEqual([cost.calls, cost.fuel], [12, 1200]);
});

Deno.test("Cost does not turn a long call that was not timed into seconds", () => {
  const { cost } = rig();
  cost.add(40, 200); // cold: all of it overhead
  cost.add(1_000_000, -1);
  assert.ok(cost.us < 3000, `${cost.us} µs`);
});
