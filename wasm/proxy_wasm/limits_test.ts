/** Every limit a binding sets on a Proxy-Wasm filter: within it all works, over it the guest or the exchange is told. */
import assert from "node:assert/strict";
import { NO_CALLS } from "../../core/calls.ts";
import { CONTINUE, DONE } from "../../core/filter.ts";
import { FILTER_LIMITS, filterLimits, type LimitName, WASM_LIMITS } from "../limits.ts";
import { type FilterSetup, setUpWat } from "../testing/harness.ts";

const HEADERS = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)';
const RESPONSE = '(func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)';
const BODY = '(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)';

/** {@link WORK_FUEL} units of fuel, and some more for what is around it. */
const WORK = `(local $i i32) (local.set $i (i32.const 500))
  (loop $l (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))`;

const WORK_FUEL = await (async () => {
  const s = await setUpWat(`${HEADERS} ${WORK} (i32.const 0))`);
  s.exchange().requestHead();
  return s.reports.list()[0]!.fuel;
})();

function over(s: FilterSetup, limit: LimitName): number {
  const found = s.metrics.read("denim_wasm_over_limit_total").find((one) =>
    one.labels["limit"] === limit
  );
  return found?.value ?? 0;
}

/** A call with the status noted in the log when it is not 0. */
const CALLS: Readonly<
  Record<string, readonly [LimitName, LimitName, code: string, response?: string]>
> = {
  logs: ["logsPerCall", "logsPerRequest", `(call $say (i32.const 256) (i32.const 1))`],
  "header changes": [
    "headerChangesPerCall",
    "headerChangesPerRequest",
    `(call $proxy_replace_header_map_value (i32.const 0) (i32.const 256) (i32.const 1)
      (i32.const 256) (i32.const 1)) (if (then (global.set $refused
        (i32.add (global.get $refused) (i32.const 1)))))`,
    `(drop (call $proxy_add_header_map_value (i32.const 2) (i32.const 256) (i32.const 1)
      (i32.const 256) (i32.const 1)))`,
  ],
  properties: [
    "propertiesPerCall",
    "propertiesPerRequest",
    `(call $proxy_set_property (i32.const 256) (i32.const 1) (i32.const 256) (i32.const 1))
      (if (then (global.set $refused (i32.add (global.get $refused) (i32.const 1)))))`,
  ],
  "shared writes": [
    "sharedWritesPerCall",
    "sharedWritesPerRequest",
    `(call $proxy_set_shared_data (i32.const 256) (i32.const 1) (i32.const 256) (i32.const 1)
      (i32.const 0)) (if (then (global.set $refused
        (i32.add (global.get $refused) (i32.const 1)))))`,
  ],
  metrics: [
    "metricsPerCall",
    "metricsPerRequest",
    `(call $proxy_define_metric (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 16))
      (if (then (global.set $refused (i32.add (global.get $refused) (i32.const 1)))))`,
  ],
  "side calls": [
    "sideCallsPerCall",
    "sideCallsPerRequest",
    `(call $proxy_http_call (i32.const 256) (i32.const 1) (i32.const 320) (i32.const 61)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 16))
      (if (then (global.set $refused (i32.add (global.get $refused) (i32.const 1)))))`,
  ],
};

/** `:method GET :path / :authority a` as the ABI encodes it, at 320. */
const PAIRS = pairs([":method", "GET", ":path", "/", ":authority", "a"]);

function pairs(lines: readonly string[]): string {
  const u32 = (n: number) =>
    `\\${[n & 255, n >> 8, 0, 0].map((b) => b.toString(16).padStart(2, "0")).join("\\")}`;
  return u32(lines.length / 2) + lines.map((line) => u32(line.length)).join("") +
    lines.map((line) => `${line}\\00`).join("");
}

for (const [what, [perCall, perRequest, code, later = code]] of Object.entries(CALLS)) {
  Deno.test(`Of ${what}, ${perCall} and ${perRequest} go through and no more`, async () => {
    const s = await setUpWat(
      `(data (i32.const 256) "m") (data (i32.const 320) "${PAIRS}")
       (global $refused (mut i32) (i32.const 0))
       (func $five ${code} ${code} ${code} ${code} ${code})
       ${HEADERS} (call $five) (i32.const 0))
       ${RESPONSE} ${later} ${later} ${later} ${later} ${later} (i32.const 0))`,
      {
        limits: { [perCall]: 4, [perRequest]: 6 },
        upstreams: [{ names: ["m"], backend: "default/m:80", fields: [] }],
        calls: { ...NO_CALLS, call: () => ({ cancel() {} }) },
      },
    );
    const x = s.exchange();
    assert.equal(x.requestHead(), CONTINUE);
    assert.equal(over(s, perCall), 1, "the fifth of the first call");
    assert.equal(over(s, perRequest), 0);
    assert.equal(x.responseHead(true), CONTINUE);
    assert.equal(over(s, perRequest), 2, "the third and the fourth of the second");
    assert.equal(over(s, perCall), 2);
    s.exchange().requestHead();
    assert.equal(over(s, perCall), 3, "another exchange begins anew");
    assert.equal(over(s, perRequest), 2);
    const said = s.logs.filter((line) => line["msg"] === "wasm.over_limit");
    assert.deepEqual(said.map((line) => line["limit"]), [perCall, perRequest], "said once each");
    assert.equal(said[0]!["allowed"], 4);
    if (what === "logs") assert.equal(s.notes().length, 4 + 2 + 4);
  });
}

Deno.test("Requests of a filter's own under way at once are limited by sideCallsInFlight", async () => {
  const code = CALLS["side calls"]![2];
  const s = await setUpWat(
    `(data (i32.const 256) "m") (data (i32.const 320) "${PAIRS}")
     (global $refused (mut i32) (i32.const 0)) ${HEADERS} ${code} ${code} (i32.const 0))`,
    {
      limits: { sideCallsInFlight: 3 },
      upstreams: [{ names: ["m"], backend: "default/m:80", fields: [] }],
      calls: { ...NO_CALLS, call: () => ({ cancel() {} }) },
    },
  );
  s.exchange().requestHead();
  assert.equal(over(s, "sideCallsInFlight"), 0);
  s.exchange().requestHead();
  assert.equal(over(s, "sideCallsInFlight"), 1);
});

Deno.test("Fuel of one exchange is what all its callbacks use together", async () => {
  const s = await setUpWat(
    `${HEADERS} ${WORK} (i32.const 0)) ${RESPONSE} ${WORK} (i32.const 0))`,
    { limits: { fuelPerRequest: Math.round(WORK_FUEL * 1.5) } },
  );
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  assert.equal(x.responseHead(true), DONE);
  assert.equal(x.fault!.code, "wasm.out_of_fuel");
  const [report] = s.reports.list();
  assert.match(report!.lastTrap, /Out of fuel after \d+ units, the last of \d+ for one exchange/);
});

Deno.test("An exchange that has just used its fuel follows the fail mode and the instance lives", async () => {
  const calls = `${HEADERS} ${WORK} (i32.const 0)) ${RESPONSE} (i32.const 0))`;
  for (const failMode of ["open", "closed"] as const) {
    // Exactly nothing is left after the first callback.
    const s = await setUpWat(calls, {
      failMode,
      limits: { fuelPerRequest: WORK_FUEL },
    });
    const x = s.exchange();
    assert.equal(x.requestHead(), CONTINUE);
    assert.equal(x.responseHead(true), failMode === "open" ? CONTINUE : DONE);
    assert.equal(x.fault?.code, failMode === "open" ? undefined : "wasm.out_of_fuel");
    assert.equal(s.reports.list()[0]!.traps, 0);
    assert.equal(over(s, "fuelPerRequest"), 1);
    x.end();
    assert.equal(s.exchange().requestHead(), CONTINUE, "the next one has its own");
  }
});

Deno.test("Body bytes add to the fuel of their exchange", async () => {
  const s = await setUpWat(`${BODY} ${WORK} (i32.const 0))`, {
    limits: { fuelPerRequest: Math.round(WORK_FUEL * 1.3) },
  });
  const x = s.exchange();
  const piece = "x".repeat(100);
  for (let i = 0; i < 50; i++) assert.equal(x.requestData(piece), piece);
  const bare = s.exchange();
  assert.equal(bare.requestData("x"), "x");
  assert.equal(bare.requestData("y"), "", "without bytes there is no more of it");
  assert.equal(bare.fault!.code, "wasm.out_of_fuel");
  assert.equal(WASM_LIMITS.fuelPerBodyByte, 100);
});

for (const failMode of ["open", "closed"] as const) {
  Deno.test(`Over fuelPerSecond new exchanges meet the fail mode (${failMode}) until there is fuel again`, async () => {
    const s = await setUpWat(
      `${HEADERS} ${WORK} (i32.const 0)) ${RESPONSE} ${WORK} (i32.const 0))`,
      {
        failMode,
        limits: { fuelPerSecond: Math.round(WORK_FUEL * 1.5) },
      },
    );
    const first = s.exchange(), second = s.exchange();
    assert.equal(first.requestHead(), CONTINUE);
    assert.equal(second.requestHead(), CONTINUE);
    const late = s.exchange();
    assert.equal(late.requestHead(), failMode === "open" ? CONTINUE : DONE);
    assert.equal(late.fault?.code, failMode === "open" ? undefined : "wasm.throttled");
    assert.equal(first.responseHead(true), CONTINUE, "exchanges that have begun go on");
    for (let i = 0; i < 10; i++) s.exchange().requestHead();
    assert.equal(over(s, "fuelPerSecond"), 11);
    assert.equal(s.logs.filter((line) => line["msg"] === "wasm.over_limit").length, 1);
    s.clock.ms += WASM_LIMITS.overLimitLogMs;
    const calls = s.reports.list()[0]!.calls;
    assert.equal(s.exchange().requestHead(), CONTINUE);
    assert.ok(s.reports.list()[0]!.calls > calls, "the guest was asked again");
    assert.equal(s.reports.list()[0]!.traps, 0);
  });
}

/** Ways to recurse: each must end in a trap of this instance, at any depth the engine's stack allows. */
const RECURSIONS: Readonly<Record<string, string>> = {
  "a small frame": `(func $deep (param i32) (call $deep (local.get 0)))`,
  "a big frame": `(func $deep (param i32) (local ${"i64 ".repeat(400)})
    (local.set 1 (i64.extend_i32_u (local.get 0))) (call $deep (local.get 0))
    (drop (i64.add (local.get 1) (local.get 400))))`,
  "an indirect call": `(type $t (func (param i32))) (table 1 funcref) (elem (i32.const 0) $deep)
    (func $deep (param i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))`,
  "two functions": `(func $deep (param i32) (call $other (local.get 0)))
    (func $other (param i32) (call $deep (local.get 0)) (call $say (i32.const 0) (i32.const 1)))`,
  "host calls all the way down": `(func $deep (param i32)
    (drop (call $proxy_replace_header_map_value (i32.const 0) (i32.const 256) (i32.const 1)
      (i32.const 256) (i32.const 1)))
    (drop (call $proxy_set_tick_period_milliseconds (i32.const 50)))
    (drop (call $proxy_set_shared_data (i32.const 256) (i32.const 1) (i32.const 256) (i32.const 1)
      (i32.const 0)))
    (call $deep (local.get 0)))`,
};

for (const [what, deep] of Object.entries(RECURSIONS)) {
  Deno.test(`Recursion without end by ${what} ends its instance and nothing else`, async () => {
    const s = await setUpWat(
      `(data (i32.const 256) "m") ${deep}
       ${HEADERS} (call $deep (i32.const 0)) (i32.const 0))
       ${RESPONSE} (i32.const 0))`,
      { fuelPerCall: 1_000_000_000, limits: { sharedWritesPerCall: 10_000 } },
    );
    const x = s.exchange();
    const before = [...x.request.fields.lines];
    assert.equal(x.requestHead(), DONE);
    assert.equal(x.fault!.code, "wasm.trapped");
    assert.match(s.reports.list()[0]!.lastTrap, /Stack overflow|Out of fuel/);
    assert.deepEqual(x.request.fields.lines, before, "what the call had changed is taken back");
    assert.equal(s.reports.list()[0]!.traps, 1);
    s.clock.ms += 1000;
    const other = s.exchange();
    assert.equal(other.responseHead(true), CONTINUE, "a new instance serves");
  });
}

Deno.test("A module larger than moduleMiB does not come into force", async () => {
  await assert.rejects(
    setUpWat(`(data (i32.const 0) "${"x".repeat(1024 * 1024)}") ${HEADERS} (i32.const 0))`, {
      limits: { moduleMiB: 1 },
      wat: { memory: '(memory (export "memory") 32)' },
    }),
    /module sha256:[0-9a-f]+ has \d+ bytes; its limit is 1048576 \("moduleMiB": 1\)/,
  );
});

Deno.test("Every limit out of its range is an error that names field, value and range", async () => {
  for (const [name, { min, max }] of Object.entries(FILTER_LIMITS)) {
    for (const wrong of [min - 1, max + 1, 1.5, "1"]) {
      await assert.rejects(
        setUpWat(`${HEADERS} (i32.const 0))`, { limits: { [name]: wrong } as never }),
        {
          message: `"limits.${name}" is ${
            JSON.stringify(wrong)
          }, want a whole number from ${min} to ${max}`,
        },
      );
    }
  }
});

Deno.test("Limits of fuel that nobody set leave room for the calls", () => {
  assert.equal(filterLimits().fuelPerRequest, 100_000_000);
  assert.equal(filterLimits({ fuelPerCall: 1_000_000_000 }).fuelPerRequest, 10_000_000_000);
  assert.equal(filterLimits({ fuelPerCall: 1_000_000_000 }).fuelPerSecond, 100_000_000_000);
  assert.equal(filterLimits({ fuelPerCall: 1000 }).fuelPerSecond, 5_000_000_000);
});
