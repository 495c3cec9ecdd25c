/** Shows in the proxy's host that a filter that never returns is stopped, and that the marketplace warns of it. */
import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../../core/filter.ts";
import { admitExample, hostExample } from "../support.ts";

const example = admitExample("loop-forever");

Deno.test("loop-forever is admitted with a warning that says what will happen", async () => {
  const { listing } = await example;
  assert.ok(listing.measured.traps > 0);
  assert.match(listing.warnings.join(), /Out of fuel after 1000000 units/);
});

Deno.test("loop-forever fails its request when it must fail closed", async () => {
  const { exchange, report } = await hostExample(await example, { config: "" });
  const call = exchange();
  const from = performance.now();
  assert.equal(call.requestHead(), DONE);
  assert.ok(performance.now() - from < 500, "a million units of fuel take milliseconds");
  assert.equal(call.fault?.code, "wasm.out_of_fuel");
  assert.equal(call.fault?.status, 503);
  assert.match(report().lastTrap, /Out of fuel/);
});

Deno.test("loop-forever lets its request pass when it may fail open", async () => {
  const { exchange } = await hostExample(await example, { config: "", failMode: "open" });
  const call = exchange();
  assert.equal(call.requestHead(), CONTINUE);
  assert.equal(call.fault, null);
});

Deno.test("loop-forever is given up after a few traps, so that it costs nothing more", async () => {
  const { exchange, report } = await hostExample(await example, { config: "" });
  for (let i = 0; i < 20; i++) exchange().requestHead();
  const { traps, state, calls } = report();
  assert.notEqual(state, "running");
  assert.ok(traps < 10, `${traps} traps`);
  for (let i = 0; i < 20; i++) exchange().requestHead();
  assert.equal(report().calls, calls);
});

Deno.test("loop-forever, configured, loops only where it is asked to", async () => {
  const { exchange } = await hostExample(await example, { config: "picky" });
  assert.equal(exchange().requestHead(), CONTINUE);
  assert.equal(exchange("x-loop", "1").requestHead(), DONE);
});
