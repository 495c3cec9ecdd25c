/** Traps: in every callback, in both fail modes; what they are called, and how the filter comes back. */
import assert from "node:assert/strict";
import { COLLECT, CONTINUE, DONE } from "../../core/filter.ts";
import { Fields } from "../../core/fields.ts";
import { RESTART, WASM_LIMITS } from "../limits.ts";
import { type FakeExchange, type FilterSetup, setUpWat } from "../testing/harness.ts";

const LOOP = "(loop $l (br $l))";

/** Every stream callback with its parameters and how a test makes it run. */
const CALLBACKS: Readonly<Record<string, readonly [string, (x: FakeExchange) => unknown]>> = {
  proxy_on_context_create: ["i32 i32", (x) => x.requestHead()],
  proxy_on_request_headers: ["i32 i32 i32", (x) => x.requestHead()],
  proxy_on_request_body: ["i32 i32 i32", (x) => x.requestData("abc")],
  proxy_on_request_trailers: ["i32 i32", (x) => x.requestTrailers("a", "b")],
  proxy_on_response_headers: ["i32 i32 i32", (x) => x.responseHead()],
  proxy_on_response_body: ["i32 i32 i32", (x) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseData("abc");
  }],
  proxy_on_response_trailers: ["i32 i32", (x) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseTrailers("a", "b");
  }],
};

function guest(callback: string, params: string, code: string): string {
  const result = callback === "proxy_on_context_create" ? "" : "(result i32)";
  const value = result === "" ? "" : "(i32.const 0)";
  // The root's context is 1: it must come up, or there would be no filter to test.
  const only = callback === "proxy_on_context_create"
    ? "(if (i32.eq (local.get 0) (i32.const 1)) (then return))"
    : "";
  const also = callback === "proxy_on_context_create"
    ? '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))'
    : "";
  return `${also} (func (export "${callback}") (param ${params}) ${result} ${only} ${code} ${value})`;
}

for (const [callback, [params, drive]] of Object.entries(CALLBACKS)) {
  Deno.test(`A trap in ${callback} fails the exchange at once when the fail mode is closed`, async () => {
    const s = await setUpWat(guest(callback, params, "unreachable"));
    const x = s.exchange();
    const outcome = drive(x);
    assert.ok(outcome === DONE || outcome === "", `came out as ${outcome}`);
    assert.equal(x.fault!.code, "wasm.trapped");
    assert.equal(s.reports.list()[0]!.traps, 1);
    assert.match(s.reports.list()[0]!.lastTrap, new RegExp(`Trap: unreachable in ${callback}`));
  });

  Deno.test(`An endless ${callback} is passed over when the fail mode is open`, async () => {
    const s = await setUpWat(guest(callback, params, LOOP), { failMode: "open" });
    const x = s.exchange();
    const outcome = drive(x);
    assert.ok(outcome === CONTINUE || outcome === "abc", `came out as ${outcome}`);
    assert.equal(x.fault, null);
    assert.match(s.reports.list()[0]!.lastTrap, /Out of fuel after 1000000 units/);
    x.end();
  });
}

Deno.test("A trap in on_log or on_delete harms nobody and is counted", async () => {
  for (const callback of ["proxy_on_log", "proxy_on_delete"]) {
    const s = await setUpWat(`(func (export "${callback}") (param i32) unreachable)
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`);
    const x = s.exchange();
    x.requestHead();
    x.end();
    assert.equal(x.fault, null);
    assert.equal(s.reports.list()[0]!.traps, 1, callback);
  }
});

Deno.test("Out of fuel is another fault than a trap", async () => {
  const s = await setUpWat(guest("proxy_on_request_headers", "i32 i32 i32", LOOP));
  const x = s.exchange();
  x.requestHead();
  assert.equal(x.fault!.code, "wasm.out_of_fuel");
});

const KINDS: Readonly<Record<string, readonly [string, RegExp]>> = {
  fuel: [LOOP, /^Out of fuel after/],
  stack: [`(call $deep (i32.const 1))`, /^Stack overflow in deep/],
  memory: [`(drop (i32.load (i32.const -4)))`, /^Bad memory access/],
  trap: [`(drop (i32.div_u (i32.const 1) (i32.const 0)))`, /^Trap: divide by zero/],
  exit: [`(call $exit (i32.const 3))`, /proc_exit\(3\)/],
};

for (const [kind, [code, text]] of Object.entries(KINDS)) {
  Deno.test(`A trap by ${kind} is called so, in the report and in the metrics`, async () => {
    const s = await setUpWat(
      `(func $deep (param i32) (result) (call $deep (i32.add (local.get 0) (i32.const 1))))
       ${guest("proxy_on_request_headers", "i32 i32 i32", code)}`,
      {
        fuelPerCall: kind === "stack" ? 1_000_000_000 : 100_000,
        wat: { imports: `(import "wasi_unstable" "proc_exit" (func $exit (param i32)))` },
      },
    );
    s.exchange().requestHead();
    assert.match(s.reports.list()[0]!.lastTrap, text);
    assert.ok(s.metrics.render().includes(`{filter="default/test",kind="${kind}"} 1`));
  });
}

Deno.test("A memory that is full makes the abort that follows a matter of memory", async () => {
  const s = await setUpWat(
    guest(
      "proxy_on_request_headers",
      "i32 i32 i32",
      `(if (i32.eq (memory.grow (i32.const 15)) (i32.const -1)) (then unreachable))
       (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))`,
    ),
    { memoryBytes: 16 * 65536 },
  );
  s.exchange().requestHead();
  assert.match(s.reports.list()[0]!.lastTrap, /^Out of memory at its limit of 1048576 bytes/);
});

Deno.test("A binding's smaller memory limit ends an instance that grows over it", async () => {
  const s = await setUpWat(
    guest("proxy_on_request_headers", "i32 i32 i32", "(drop (memory.grow (i32.const 4)))"),
    { memoryBytes: 16 * 65536 },
  );
  assert.equal(s.exchange().requestHead(), CONTINUE);
  const small = await setUpWat(
    guest("proxy_on_request_headers", "i32 i32 i32", "(drop (memory.grow (i32.const 4)))"),
    { memoryBytes: 4 * 65536, wat: { memory: '(memory (export "memory") 1 4)' } },
  );
  assert.equal(small.exchange().requestHead(), CONTINUE, "the module's own maximum holds");
});

Deno.test("Changes of a call that traps are taken back", async () => {
  const s = await setUpWat(
    `(data (i32.const 256) "x-one") ${
      guest(
        "proxy_on_request_headers",
        "i32 i32 i32",
        `(call $ok (call $proxy_add_header_map_value (i32.const 0) (i32.const 256) (i32.const 5)
           (i32.const 256) (i32.const 5)))
         (call $ok (call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0)
           (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
         unreachable`,
      )
    }`,
    { failMode: "open" },
  );
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  assert.equal(x.request.fields.has("x-one"), false);
  assert.equal(x.reply, null);
});

Deno.test("A body that was held is passed on when the instance dies and the fail mode is open", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
       (if (i32.gt_u (local.get 1) (i32.const 4)) (then unreachable)) (i32.const 1))`,
    { failMode: "open" },
  );
  const x = s.exchange();
  assert.equal(x.requestData("ab"), "");
  assert.equal(x.requestData("cd"), "");
  assert.equal(x.requestData("ef"), "abcdef");
  assert.equal(x.requestData("gh", true), "gh");
});

Deno.test("A body changed before its instance dies cannot break the length its head has promised", async () => {
  const body = `(data (i32.const 256) "<new>")
    (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
      (if (i32.gt_u (local.get 1) (i32.const 8)) (then unreachable))
      (call $ok (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 256)
        (i32.const 5))) (i32.const 1))`;
  const sent = await setUpWat(body, { failMode: "open" });
  const x = sent.exchange({ fields: new Fields(["content-length", "4"]) });
  x.requestData("ab");
  assert.equal(x.requestData("cd", true), "");
  assert.equal(x.fault!.code, "wasm.body_length");

  const held = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1)) ${body}`,
    { failMode: "open" },
  );
  const y = held.exchange({ fields: new Fields(["content-length", "4"]) });
  assert.equal(y.requestHead(false), COLLECT);
  y.requestData("ab");
  assert.equal(y.requestData("cd", true), "<new>abcd");
  assert.equal(y.fault, null);
  assert.equal(y.request.fields.get("content-length"), "9");
});

/** Traps on requests to /trap only. */
const SOMETIMES = `(data (i32.const 256) ":path")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $ok (call $proxy_get_header_map_value (i32.const 0) (i32.const 256) (i32.const 5)
      (i32.const 16) (i32.const 20)))
    (if (i32.eq (i32.load8_u offset=1 (i32.load (i32.const 16))) (i32.const 0x74)) (then unreachable))
    (i32.const 1))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 0))`;

function trap(s: FilterSetup): FakeExchange {
  const x = s.exchange({ path: "/trap" });
  x.requestHead();
  return x;
}

Deno.test("A new instance serves right after the first trap", async () => {
  const s = await setUpWat(SOMETIMES);
  assert.equal(trap(s).fault!.code, "wasm.trapped");
  const x = s.exchange();
  x.requestHead();
  assert.equal(x.fault, null);
  assert.equal(s.reports.list()[0]!.state, "running");
});

Deno.test("Streams that wait on an instance that dies follow the fail mode", async () => {
  for (const failMode of ["closed", "open"] as const) {
    const s = await setUpWat(SOMETIMES, { failMode });
    const waiting = s.exchange();
    waiting.requestHead();
    trap(s);
    if (failMode === "closed") assert.equal(waiting.fault!.code, "wasm.trapped");
    else assert.equal(waiting.resumes, 1);
    assert.equal(waiting.responseHead(), CONTINUE, "what follows passes untouched");
    waiting.end();
  }
});

Deno.test("A second trap backs off, doubling, and follows the fail mode without a call", async () => {
  const s = await setUpWat(SOMETIMES);
  trap(s);
  trap(s);
  assert.equal(s.reports.list()[0]!.state, "backing-off");
  const { calls } = s.reports.list()[0]!;
  const refused = s.exchange();
  assert.equal(refused.requestHead(), DONE);
  assert.equal(refused.fault!.code, "wasm.backing_off");
  assert.equal(refused.responseHead(), CONTINUE, "its answer is not held up");
  assert.equal(s.reports.list()[0]!.calls, calls);

  s.clock.ms += RESTART.baseMs;
  assert.equal(trap(s).fault!.code, "wasm.trapped");
  s.clock.ms += RESTART.baseMs;
  assert.equal(trap(s).fault!.code, "wasm.backing_off");
  s.clock.ms += RESTART.baseMs;
  assert.equal(trap(s).fault!.code, "wasm.trapped");
});

Deno.test("Many traps in a window trip the filter; it is tried again after a while", async () => {
  const s = await setUpWat(SOMETIMES);
  for (let i = 0; i < RESTART.tripAfter; i++) {
    trap(s);
    s.clock.ms += 8000;
  }
  assert.equal(s.reports.list()[0]!.state, "tripped");
  assert.equal(trap(s).fault!.code, "wasm.tripped");
  s.clock.ms += RESTART.tripMs;
  const x = s.exchange();
  x.requestHead();
  assert.equal(x.fault, null);
  assert.equal(s.reports.list()[0]!.state, "running");
});

Deno.test("A tripped filter that fails open costs the exchange nothing", async () => {
  const s = await setUpWat(SOMETIMES, { failMode: "open" });
  for (let i = 0; i < RESTART.tripAfter; i++) {
    trap(s);
    s.clock.ms += 8000;
  }
  const x = s.exchange();
  assert.equal(x.requestHead(), CONTINUE);
  assert.equal(x.fault, null);
});

Deno.test("A quiet window forgets old traps", async () => {
  const s = await setUpWat(SOMETIMES);
  trap(s);
  s.exchange().requestHead(); // starts the next instance
  s.clock.ms += RESTART.windowMs + 1;
  trap(s);
  assert.equal(s.reports.list()[0]!.state, "running");
});

Deno.test("A trap in a tick kills the instance and its ticks; the next request starts another", async () => {
  const s = await setUpWat(`
    (func (export "proxy_on_configure") (param i32 i32) (result i32)
      (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 50))) (i32.const 1))
    (func (export "proxy_on_tick") (param i32) unreachable)
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`);
  s.clock.ms += 60;
  s.wheel.advance();
  assert.equal(s.reports.list()[0]!.traps, 1);
  assert.equal(s.wheel.armed, 0);
  assert.equal(s.exchange().requestHead(), CONTINUE);
  assert.equal(s.wheel.armed, 1);
});

Deno.test("A call that used much fuel and took far too long is a trap, from the second one on", async () => {
  const count = WASM_LIMITS.heavyFuel / 5;
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local i32)
       (loop $l (br_if $l (i32.lt_u (local.tee 3 (i32.add (local.get 3) (i32.const 1)))
         (i32.const ${count})))) (i32.const 0))`,
    { fuelPerCall: 10 * WASM_LIMITS.heavyFuel },
  );
  const quick = s.exchange();
  assert.equal(quick.requestHead(), CONTINUE);
  s.clock.stepMs = WASM_LIMITS.heavyCallMs + 1;
  const slow = s.exchange();
  slow.requestHead();
  assert.equal(slow.fault!.code, "wasm.trapped");
  assert.match(s.reports.list()[0]!.lastTrap, /^The call took 251 ms in proxy_on_request_headers/);
});

Deno.test("A long time with little fuel is the machine's doing, not the filter's", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`,
  );
  s.clock.stepMs = 10 * WASM_LIMITS.heavyCallMs;
  for (let i = 0; i < 20; i++) assert.equal(s.exchange().requestHead(), CONTINUE);
});

const BAD_STARTS: Readonly<Record<string, readonly [string, RegExp]>> = {
  "a start function that loops": [`(func $s ${LOOP}) (start $s)`, /did not start: .*unreachable/],
  "_initialize that loops": [
    `(func (export "_initialize") ${LOOP})`,
    /Out of fuel .* in _initialize/,
  ],
  "_start that loops": [`(func (export "_start") ${LOOP})`, /Out of fuel .* in _start/],
  "on_vm_start that loops": [
    `(func (export "proxy_on_vm_start") (param i32 i32) (result i32) ${LOOP} (i32.const 1))`,
    /Out of fuel .* in proxy_on_vm_start/,
  ],
  "on_configure that traps": [
    `(func (export "proxy_on_configure") (param i32 i32) (result i32) unreachable)`,
    /Trap: unreachable in proxy_on_configure/,
  ],
  "on_configure that says no": [
    `(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 0))`,
    /refused its configuration$/,
  ],
  "on_configure that says no and why": [
    `(data (i32.const 256) "percent must be under 100")
     (func (export "proxy_on_configure") (param i32 i32) (result i32)
       (call $say (i32.const 256) (i32.const 25)) (i32.const 0))`,
    /refused its configuration: percent must be under 100/,
  ],
  "an allocator that loops while configuration is read": [
    `(func (export "malloc") (param i32) (result i32) ${LOOP} (i32.const 0))
     (func (export "proxy_on_configure") (param i32 i32) (result i32)
       (drop (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 16)
         (i32.const 20))) (i32.const 1))`,
    /Out of fuel/,
  ],
};

for (const [name, [body, reason]] of Object.entries(BAD_STARTS)) {
  Deno.test(`A module with ${name} never comes into force`, async () => {
    await assert.rejects(setUpWat(body, { config: "{}" }), reason);
  });
}

Deno.test("All calls until a module is ready share the fuel of one start", async () => {
  const round = WASM_LIMITS.startFuel / 10;
  const burn = `(local $i i32) (loop $l (br_if $l (i32.lt_u
    (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const ${round}))))`;
  await setUpWat(`(func (export "_initialize") ${burn})`); // seven units a round
  await assert.rejects(
    setUpWat(`(func (export "_initialize") ${burn})
      (func (export "proxy_on_configure") (param i32 i32) (result i32) ${burn} (i32.const 1))`),
    /Out of fuel after \d+ units in proxy_on_configure/,
  );
});

Deno.test("_start that ends by proc_exit(0) is a good start", async () => {
  const s = await setUpWat(
    `(func (export "_start") (call $exit (i32.const 0)))
     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))`,
    { wat: { imports: `(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))` } },
  );
  assert.equal(s.exchange().requestHead(), CONTINUE);
});

Deno.test("A guest that copies the same body over and over runs out of what a call may copy", async () => {
  const s = await setUpWat(
    `(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
       (loop $l (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 1)
         (i32.const 0) (i32.const 1))) (br $l)) (i32.const 0))`,
    { fuelPerCall: 100_000_000 },
  );
  const x = s.exchange();
  x.requestData("x".repeat(100_000));
  assert.equal(x.fault!.code, "wasm.trapped");
  assert.match(s.reports.list()[0]!.lastTrap, /copied more than one call may/);
});
