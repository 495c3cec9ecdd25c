/** The factory of wasm filters: what it shares, what it refuses, what it reports. */
import { NO_CALLS } from "../core/calls.ts";
import assert from "node:assert/strict";
import type { Filter, FilterEnv } from "../core/filter.ts";
import { silentLog } from "../core/log.ts";
import { Metrics } from "../core/metrics.ts";
import { Wheel } from "../core/timers.ts";
import { makeWasmFactory, sha256 } from "./filter.ts";
import { WasmReports } from "./reports.ts";
import { FakeClock, FakeExchange, metered, proxyWasmWat } from "./testing/harness.ts";

const BODY =
  `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`;

function environment(name = "default/test", slot = 0): FilterEnv {
  const clock = new FakeClock();
  return {
    name,
    slot,
    backend: "",
    clock,
    wheel: new Wheel(clock, { drive: false }),
    random: () => 0,
    metrics: new Metrics(),
    calls: NO_CALLS,
    log: silentLog,
    keep: (_key, make) => make(),
  };
}

async function prepare(body = BODY) {
  const bytes = await metered(proxyWasmWat(body));
  const digest = await sha256(bytes);
  const reports = new WasmReports();
  let fetched = 0;
  const factory = makeWasmFactory({
    modules: {
      get: () => {
        fetched++;
        return Promise.resolve(bytes);
      },
    },
    reports,
  });
  const config = {
    abi: "proxy-wasm",
    digest,
    module: "tests/a",
    version: "1.0.0",
    config: "",
    fuelPerCall: 1000,
    memoryBytes: 1 << 20,
    failMode: "closed",
    capabilities: [],
    phases: [],
  };
  return { factory, config, reports, bytes, fetched: () => fetched };
}

Deno.test("Filters of one binding share an instance over routes and snapshots; the last one closes it", async () => {
  const { factory, config, reports, fetched } = await prepare();
  const filters: Filter[] = await Promise.all([
    factory(config, environment()),
    factory(config, environment("default/test", 3)),
  ]);
  filters.push(await factory(config, environment()));
  assert.equal(fetched(), 1);
  assert.equal(reports.list().length, 1);
  filters[0]!.onRequestHead!(
    new FakeExchange(filters[0]!),
    new FakeExchange(filters[0]!).request,
    true,
  );
  assert.equal(reports.list()[0]!.calls, 1);
  filters[0]!.close!();
  filters[1]!.close!();
  assert.equal(reports.list().length, 1);
  filters[2]!.close!();
  assert.equal(reports.list().length, 0);
  await factory(config, environment());
  assert.equal(fetched(), 2);
});

Deno.test("Another configuration of the same module is another instance", async () => {
  const { factory, config, reports } = await prepare();
  await factory(config, environment());
  await factory({ ...config, config: "{}" }, environment());
  await factory(config, environment("default/other"));
  assert.equal(reports.list().length, 3);
});

Deno.test("Shared data goes over to the next configuration of the same binding", async () => {
  const { factory, config } = await prepare(`(data (i32.const 256) "k")
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
      (if (i32.eqz (call $proxy_get_shared_data (i32.const 256) (i32.const 1) (i32.const 16)
        (i32.const 20) (i32.const 24))) (then unreachable))
      (call $ok (call $proxy_set_shared_data (i32.const 256) (i32.const 1) (i32.const 256)
        (i32.const 1) (i32.const 0))) (i32.const 0))`);
  const kept = new Map<string, unknown>();
  const env = {
    ...environment(),
    keep<T>(key: string, make: () => T): T {
      if (!kept.has(key)) kept.set(key, make());
      return kept.get(key) as T;
    },
  };
  const granted = { ...config, capabilities: ["shared-data"], fuelPerCall: 100_000 };
  const first = await factory(granted, env);
  const before = new FakeExchange(first);
  before.requestHead();
  assert.equal(before.fault, null);
  const second = await factory({ ...granted, config: "{}" }, env);
  first.close!();
  const after = new FakeExchange(second);
  after.requestHead();
  assert.equal(after.fault!.code, "wasm.trapped", "the key was there");
});

Deno.test("A report has the shape of the protocol's", async () => {
  const { factory, config, reports } = await prepare();
  await factory(config, environment());
  assert.deepEqual(reports.list(), [{
    name: "default/test",
    digest: config.digest,
    state: "running",
    calls: 0,
    fuel: 0,
    us: 0,
    memoryBytes: 65536,
    traps: 0,
    lastTrap: "",
    exchanges: 0,
    routes: [],
  }]);
});

Deno.test("Bytes that do not match their digest are refused", async () => {
  const { factory, config } = await prepare();
  const digest = `sha256:${"0".repeat(64)}`;
  await assert.rejects(
    async () => await factory({ ...config, digest }, environment()),
    /does not match its digest/,
  );
});

Deno.test("A module that is not metered, has no marker or no memory does not come into force", async () => {
  const { compileWat } = await import("./wat.ts");
  const cases: readonly (readonly [string, RegExp])[] = [
    [proxyWasmWat(BODY), /not metered/],
    ["(module)", /proxy_abi_version/],
  ];
  for (const [wat, reason] of cases) {
    const bytes = await compileWat(wat);
    const factory = makeWasmFactory({ modules: { get: () => Promise.resolve(bytes) } });
    const config = { abi: "proxy-wasm", digest: await sha256(bytes) };
    await assert.rejects(async () => await factory(config, environment()), reason);
  }
  const bare = await metered(proxyWasmWat(BODY, { memory: "(memory 1)" }));
  const factory = makeWasmFactory({ modules: { get: () => Promise.resolve(bare) } });
  const config = { abi: "proxy-wasm", digest: await sha256(bare) };
  await assert.rejects(async () => await factory(config, environment()), /exports no memory/);
});

Deno.test("A memory or global import is refused with its name", async () => {
  const bytes = await metered(
    proxyWasmWat(BODY, { imports: `(import "env" "stack" (global i32))` }),
  );
  const factory = makeWasmFactory({ modules: { get: () => Promise.resolve(bytes) } });
  const config = { abi: "proxy-wasm", digest: await sha256(bytes) };
  await assert.rejects(
    async () => await factory(config, environment()),
    /imports the global env\.stack/,
  );
});

const WRONG: Readonly<Record<string, readonly [unknown, RegExp]>> = {
  abi: ["native", /"abi" is "native", want/],
  digest: ["sha256:xyz", /"digest" is "sha256:xyz", want sha256:<64 hex digits>/],
  config: [{}, /"config" is \{\}, want a string/],
  fuelPerCall: [0, /"fuelPerCall" is 0, want a whole number above 0/],
  memoryBytes: [1.5, /"memoryBytes" is 1\.5/],
  failMode: ["ajar", /"failMode" is "ajar", want "open" or "closed"/],
  capabilities: ["all", /"capabilities" is "all", want a list of strings/],
  rootId: [7, /"rootId" is 7, want a string/],
};

for (const [field, [value, message]] of Object.entries(WRONG)) {
  Deno.test(`A wrong ${field} is an error that names it`, async () => {
    const { factory, config } = await prepare();
    await assert.rejects(
      async () => await factory({ ...config, [field]: value }, environment()),
      message,
    );
  });
}

Deno.test("A component is refused by a proxy that cannot run one, and handed on by one that can", async () => {
  const { factory, config, bytes } = await prepare();
  const spec = { ...config, abi: "component" };
  await assert.rejects(async () => await factory(spec, environment()), /cannot run/);
  const filter = {};
  const other = makeWasmFactory({
    modules: { get: () => Promise.resolve(bytes) },
    component: async (given, read) => {
      assert.equal(await given(), bytes);
      assert.equal(read.abi, "component");
      return filter;
    },
  });
  assert.equal(await other(spec, environment()), filter);
});
