/** Configurations that a module refuses, or traps over, while another one is serving. */
import assert from "node:assert/strict";
import { NO_CALLS } from "../core/calls.ts";
import type { Filter, FilterEnv } from "../core/filter.ts";
import { silentLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { Wheel } from "../core/timers.ts";
import { makeWasmFactory, sha256 } from "./filter.ts";
import { WasmReports } from "./reports.ts";
import { FakeClock, FakeExchange, metered, proxyWasmWat } from "./testing/harness.ts";

/** Refuses a configuration of two bytes, traps over one of three; says by x-size which one it has. */
const PICKY = `(data (i32.const 256) "x-size") (data (i32.const 264) "0123456789")
  (data (i32.const 280) "two bytes are one too many") (global $size (mut i32) (i32.const 0))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (global.set $size (local.get 1))
    (if (i32.eq (local.get 1) (i32.const 3)) (then unreachable))
    (call $say (i32.const 280) (i32.const 26))
    (i32.ne (local.get 1) (i32.const 2)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $ok (call $proxy_replace_header_map_value (i32.const 0) (i32.const 256) (i32.const 6)
      (i32.add (i32.const 264) (global.get $size)) (i32.const 1)))
    (i32.const 0))`;

async function rig() {
  const bytes = await metered(proxyWasmWat(PICKY));
  const digest = await sha256(bytes);
  const reports = new WasmReports();
  const factory = makeWasmFactory({ modules: { get: () => Promise.resolve(bytes) }, reports });
  const clock = new FakeClock();
  const env: FilterEnv = {
    name: "default/picky",
    slot: 0,
    backend: "",
    clock,
    wheel: new Wheel(clock, { drive: false }),
    random: () => 0,
    metrics: new Metrics(),
    calls: NO_CALLS,
    log: silentLog,
    keep: (_key, make) => make(),
  };
  const apply = async (config: string): Promise<Filter> =>
    await factory({
      abi: "proxy-wasm",
      digest,
      config,
      failMode: "closed",
      capabilities: ["headers-write"],
    }, env);
  return { apply, reports };
}

function size(filter: Filter): string | undefined {
  const x = new FakeExchange(filter);
  x.requestHead();
  return x.request.fields.get("x-size");
}

Deno.test("A configuration that is refused leaves the one before in force, and the report says why", async () => {
  const { apply, reports } = await rig();
  const first = await apply("1");
  const second = await apply("22");
  first.close!(); // its snapshot has gone
  assert.equal(size(second), "1");
  const [report, ...more] = reports.list();
  assert.equal(more.length, 0);
  assert.match(report!.refused!, /refused its configuration: two bytes are one too many/);

  const trapping = await apply("333");
  second.close!();
  assert.equal(size(trapping), "1");
  assert.match(reports.list()[0]!.refused!, /Trap: unreachable/);

  const good = await apply("4444");
  trapping.close!();
  assert.equal(size(good), "4");
  assert.deepEqual(reports.list().map(({ refused }) => refused), [undefined]);
});

Deno.test("Going back to the configuration in force ends the complaint", async () => {
  const { apply, reports } = await rig();
  const first = await apply("1");
  const second = await apply("22");
  assert.notEqual(reports.list()[0]!.refused, undefined);
  const third = await apply("1");
  first.close!();
  second.close!();
  assert.equal(size(third), "1");
  assert.equal(reports.list()[0]!.refused, undefined);
});

Deno.test("What was refused is tried once, not for every route that has it", async () => {
  const { apply, reports } = await rig();
  await apply("1");
  const calls = (): number => reports.list()[0]!.calls;
  const before = calls();
  const refused = await Promise.all([apply("22"), apply("22"), apply("22")]);
  assert.deepEqual(refused.map(size), ["1", "1", "1"]);
  assert.equal(calls() - before, 3, "of the instance that serves");
});

Deno.test("The first configuration of all has to be taken, or the snapshot is refused", async () => {
  const { apply, reports } = await rig();
  await assert.rejects(apply("22"), /did not start: the module refused its configuration/);
  assert.equal(reports.list().length, 0);
});

Deno.test("A snapshot that was compiled in vain does not take the last good one along", async () => {
  const { apply } = await rig();
  await apply("1");
  (await apply("4444")).close!(); // another filter of that snapshot was at fault
  assert.equal(size(await apply("22")), "1");
});
