/** Every way to go wrong in every callback, in both fail modes: the proxy survives, and says what it was. */
import assert from "node:assert/strict";
import { CONTINUE, DONE } from "../../../core/filter.ts";
import type { FakeExchange } from "../../../wasm/testing/harness.ts";
import { type AbiCase, event, int, note, on, OUT, ticking, words } from "./abi_case.ts";

const W = words("x-twice");
const GET = `(call $proxy_get_header_map_value ${int(0)} ${W.ref("x-twice")} ${OUT})`;
const EXIT = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))';

const LOOP = "(loop $l (br $l))";
/** How a guest goes wrong: its code, and what the report says. */
const FAILURES: Readonly<Record<string, readonly [code: string, report: RegExp]>> = {
  "a trap": ["unreachable", /Trap: unreachable/],
  "an endless loop": [LOOP, /Out of fuel/],
  "a memory bomb": [
    `(loop $l (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable)) (br $l))`,
    /Out of memory at its limit/,
  ],
  "a stack bomb": ["(call $deep)", /Stack overflow|Out of fuel/],
  "an exit": ["(call $exit (i32.const 1))", /proc_exit\(1\)/],
};
const ALLOCATOR = (code: string): string =>
  `(func (export "proxy_on_memory_allocate") (param i32) (result i32) ${code} (i32.const 0))`;
const DEEP = "(func $deep (call $deep))";

/** Every callback of a stream, and how a test comes to it. */
const CALLBACKS: Readonly<Record<string, (x: FakeExchange) => unknown>> = {
  proxy_on_request_headers: (x) => x.requestHead(),
  proxy_on_request_body: (x) => x.requestData("abc"),
  proxy_on_request_trailers: (x) => x.requestTrailers("a", "b"),
  proxy_on_response_headers: (x) => x.responseHead(),
  proxy_on_response_body: (x) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseData("abc");
  },
  proxy_on_response_trailers: (x) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseTrailers("a", "b");
  },
};

const STREAM_FAILURES = Object.entries(CALLBACKS).flatMap(([callback, drive]) =>
  Object.entries(FAILURES).flatMap(([what, [code, report]]) =>
    (["closed", "open"] as const).map((failMode): AbiCase => ({
      name: `failures: ${what} in ${callback}, fail mode ${failMode}`,
      wat: DEEP + on(callback as "proxy_on_request_headers", code),
      options: { imports: EXIT },
      settings: { failMode },
      run: (rig) => {
        const x = rig.exchange();
        const outcome = drive(x);
        if (failMode === "closed") {
          assert.ok(outcome === DONE || outcome === "", `came out as ${outcome}`);
          assert.match(x.fault!.code, /^wasm\./);
        } else {
          assert.ok(outcome === CONTINUE || outcome === "abc", `came out as ${outcome}`);
          assert.equal(x.fault, null);
        }
        assert.match(rig.reports.list()[0]!.lastTrap, report);
      },
    }))
  )
);

/** Where a guest runs before it is in force: a failure there means it never is. */
const BEFORE: Readonly<Record<string, (code: string) => string>> = {
  "_initialize": (code) => event("_initialize", "", code),
  "_start": (code) => event("_start", "", code),
  "the start function": (code) => `(func $begin ${code}) (start $begin)`,
  "proxy_on_vm_start": (code) => on("proxy_on_vm_start", code, 1),
  "proxy_on_configure": (code) => on("proxy_on_configure", code, 1),
};

const START_FAILURES = Object.entries(BEFORE).flatMap(([place, guest]) =>
  Object.entries(FAILURES).map(([what, [code, report]]): AbiCase => ({
    name: `failures: ${what} in ${place} keeps the module out of force`,
    wat: DEEP + guest(code),
    options: { imports: EXIT },
    // While the engine runs a start function there is no instance yet whose counters could be read.
    refused: place === "the start function" ? /did not start: / : report,
  }))
);

const ELSEWHERE = Object.entries(FAILURES).flatMap(([what, [code, report]]): AbiCase[] => [
  {
    name: `failures: ${what} in proxy_on_tick ends the instance, and the next request has another`,
    wat: DEEP + ticking(code) + on("proxy_on_request_headers", note(int(5))),
    options: { imports: EXIT },
    run: (rig) => {
      rig.pass(110);
      assert.match(rig.reports.list()[0]!.lastTrap, report);
      assert.equal(rig.exchange().requestHead(), CONTINUE);
    },
    notes: ["5"],
  },
  {
    name: `failures: ${what} in the allocator fails the exchange that asked`,
    wat: DEEP + W.wat + on("proxy_on_request_headers", note(GET)),
    options: { imports: EXIT, allocator: ALLOCATOR(code) },
    run: (rig) => {
      const x = rig.exchange();
      assert.equal(x.requestHead(), DONE);
      assert.match(x.fault!.code, /^wasm\./);
      assert.match(rig.reports.list()[0]!.lastTrap, report);
    },
  },
  {
    name: `failures: ${what} in proxy_on_log harms no exchange`,
    wat: DEEP + on("proxy_on_request_headers", "") + event("proxy_on_log", "i32", code),
    options: { imports: EXIT },
    run: (rig) => {
      const x = rig.exchange();
      assert.equal(x.requestHead(), CONTINUE);
      x.end();
      assert.equal(x.fault, null);
      assert.match(rig.reports.list()[0]!.lastTrap, report);
    },
  },
]);

export const FAILING: readonly AbiCase[] = [
  ...STREAM_FAILURES,
  ...START_FAILURES,
  ...ELSEWHERE,
];
