import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../core/filter.ts";
import { RESTART } from "../limits.ts";
import { MEMORY_BYTES, probeBundle, startProbe } from "../testing/probe.ts";
import { createComponentFilter, loadComponent } from "./mod.ts";

Deno.test("an endless loop runs out of fuel and fails closed", async () => {
  const { exchange, plugin, logs } = await startProbe();
  const call = exchange("spin");
  assert.equal(call.requestHead(), DONE);
  assert.equal(call.fault?.code, "wasm.out_of_fuel");
  assert.equal(plugin.traps, 1);
  assert.match(plugin.lastTrap, /Out of fuel after 50000000 units/);
  assert.ok(logs.some((line) => line.msg === "wasm.trap"));
});

Deno.test("an endless loop is skipped when the filter fails open, body and all", async () => {
  const { exchange } = await startProbe({ failOpen: true });
  const call = exchange("spin");
  assert.equal(call.requestHead(false), CONTINUE);
  assert.equal(call.requestData("up:a", false), "up:a");
  assert.equal(call.requestData("b", true), "b");
  assert.equal(call.responseHead(true), CONTINUE);
  assert.equal(call.response!.fields.has("x-path"), false);
  call.end();
  assert.equal(call.fault, null);
});

Deno.test("memory stops growing at the cap", async () => {
  const { exchange, plugin } = await startProbe();
  const call = exchange("grow");
  assert.equal(call.requestHead(), DONE);
  assert.match(call.fault!.code, /^wasm\./);
  assert.ok(plugin.memoryBytes <= 2 * MEMORY_BYTES, `${plugin.memoryBytes} bytes`);
});

Deno.test("work a filter lets the host do is limited as well", async () => {
  const { exchange, plugin } = await startProbe({
    limits: { fuelPerCall: 20_000_000_000, memoryBytes: MEMORY_BYTES },
  });
  const call = exchange("flood");
  assert.equal(call.requestHead(), DONE);
  assert.match(plugin.lastTrap, /Host calls copied more than 67108864 bytes in one call/);
});

Deno.test("deep recursion ends in an error, not in the proxy", async () => {
  const { exchange } = await startProbe();
  const call = exchange("recurse");
  assert.equal(call.requestHead(), DONE);
  assert.notEqual(call.fault, null);
  const next = exchange();
  assert.equal(next.requestHead(), CONTINUE);
});

Deno.test("an exception follows the fail mode and leaves the instance alone", async () => {
  const closed = await startProbe();
  const call = closed.exchange("throw");
  assert.equal(call.requestHead(), DONE);
  assert.equal(call.fault?.code, "wasm.trapped");
  assert.equal(closed.plugin.traps, 0);
  assert.match(closed.plugin.lastTrap, /thrown on purpose/);
  const open = await startProbe({ failOpen: true });
  const passed = open.exchange("throw");
  assert.equal(passed.requestHead(), CONTINUE);
  const body = open.exchange();
  body.requestHead(false);
  assert.equal(body.requestData("stop", true), "stop", "the body that made it throw passes");
});

Deno.test("a trap takes one instance down; exchanges on the other go on", async () => {
  const { exchange, plugin } = await startProbe();
  const survivor = exchange();
  survivor.requestHead(); // first instance
  const victim = exchange();
  victim.requestHead(); // second
  exchange().requestHead();
  exchange("spin").requestHead(); // second
  assert.equal(survivor.responseHead(true), CONTINUE);
  assert.equal(survivor.response!.fields.get("x-path"), "/a?b=c");
  assert.equal(victim.responseHead(true), DONE);
  assert.equal(victim.fault?.status, 503);
  assert.equal(plugin.traps, 1, "the victim's loss is no second trap");
});

Deno.test("traps lead to back-off, then to a trip, then to a new try", async () => {
  const { exchange, plugin, clock } = await startProbe();
  for (let i = 0; i < 50 && plugin.state !== "tripped"; i++) {
    exchange("spin").requestHead();
    clock.ms += 5000;
  }
  assert.equal(plugin.state, "tripped");
  assert.equal(plugin.traps, RESTART.tripAfter);
  // Instances that have not trapped still serve; they go too.
  const { calls } = plugin.cost;
  const refused = exchange();
  refused.requestHead();
  if (plugin.cost.calls === calls) assert.equal(refused.fault?.code, "wasm.tripped");
  clock.ms += RESTART.tripMs + 1;
  const served = exchange();
  assert.equal(served.requestHead(), CONTINUE);
});

Deno.test("a configuration the filter refuses is refused in its words", async () => {
  const refusals = [
    ['{"size": 11}', /config\.size is 11; wanted a number from 0 to 10/],
    ['{"mode": "c"}', /config\.mode is "c"; wanted one of "a", "b"/],
    ['{"names": ["x", 1]}', /config\.names is \["x",1\]; wanted a list of text/],
    ['{"rates": {"a": "b"}}', /wanted names, each with a number/],
    ['{"wrod": "x"}', /config\.wrod is not known; it may have word, size/],
    ["{", /The configuration is not JSON/],
    ["[]", /The configuration is not an object/],
    ['{"refuse": true}', /refused by start\(\)/],
  ] as const;
  for (const [config, reason] of refusals) {
    await assert.rejects(startProbe({ config }), { message: reason }, config);
  }
});

Deno.test("what the binding does not grant does nothing and is logged once", async () => {
  const { exchange, logs } = await startProbe({ capabilities: new Set(["headers-read"]) });
  const edited = exchange("edit");
  assert.equal(edited.requestHead(), CONTINUE);
  assert.equal(edited.request.path, "/a?b=c");
  assert.equal(edited.request.fields.has("x-set"), false);
  const answered = exchange("respond");
  assert.equal(answered.requestHead(), CONTINUE);
  assert.equal(answered.reply, null);
  const kept = exchange("kv");
  assert.equal(kept.requestHead(), CONTINUE);
  exchange("kv").requestHead();
  const denied = logs.filter((line) => line.msg === "wasm.denied").map((line) => line.call);
  assert.deepEqual(denied.sort(), ["edit headers", "kv.get", "kv.incr", "kv.set", "respond"]);
});

Deno.test("key-values are shared by all instances", async () => {
  const { exchange } = await startProbe();
  const counts: (string | undefined)[] = [];
  for (let i = 0; i < 4; i++) {
    const call = exchange("kv");
    call.requestHead();
    counts.push(call.request.fields.get("x-count"));
    assert.equal(call.request.fields.get("x-set"), "true");
    // Header values are latin-1: one char per byte.
    assert.equal(call.request.fields.get("x-get"), "grün");
  }
  assert.deepEqual(counts, ["1", "2", "3", "4"]);
});

Deno.test("metrics show with the filter's name", async () => {
  const { exchange, metrics } = await startProbe();
  exchange("metrics").requestHead();
  exchange("metrics").requestHead();
  const text = metrics.render();
  assert.match(
    text,
    /denim_wasm_custom_total\{filter="default\/probe",name="probed\{kind=x\}"\} 4/,
  );
  assert.match(text, /denim_wasm_custom\{filter="default\/probe",name="level"\} 7/);
});

Deno.test("a filter that floods the log is cut off", async () => {
  const { exchange, logs } = await startProbe();
  exchange("log").requestHead();
  const lines = logs.filter((line) => line.msg === "wasm.log");
  assert.equal(lines.length, 64);
  assert.equal(lines[0]!.text, 'line 0 {"a":1}');
});

Deno.test("calls, fuel and time are counted", async () => {
  const { exchange, plugin, metrics } = await startProbe();
  const before = plugin.cost.fuel;
  exchange().requestHead();
  assert.ok(plugin.cost.fuel > before);
  assert.match(metrics.render(), /denim_wasm_calls_total\{filter="default\/probe"\} 2/);
});

Deno.test("loadComponent starts a bundle and rejects one that was tampered with", async () => {
  const { plugin, clock, metrics } = await startProbe();
  const options = { ...plugin.options, clock, metrics };
  const bundle = await probeBundle();
  const loaded = await loadComponent(bundle, options);
  assert.notEqual(createComponentFilter(loaded, 0, () => {}).onRequestHead, undefined);
  await assert.rejects(loadComponent(bundle.slice(0, -1), options), /ends too early/);
  const longer = new Uint8Array(bundle.length + 1);
  longer.set(bundle);
  await assert.rejects(loadComponent(longer, options), /bytes follow its last module/);
  await assert.rejects(loadComponent(new Uint8Array(20), options), /does not begin like one/);
  const newer = bundle.slice();
  newer[4] = 9;
  await assert.rejects(loadComponent(newer, options), /its version is 9, this proxy reads up to 2/);
});
