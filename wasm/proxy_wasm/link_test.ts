/** Imports of odd names and odd types: nothing of the host is reached through them. */
import assert from "node:assert/strict";
import { setUpWat } from "../testing/harness.ts";
import { compileWat } from "../wat.ts";
import { inspect } from "../inspect.ts";

/** Import module and name, each of which means something to JavaScript objects or to readers of text. */
const ODD_NAMES: readonly (readonly [string, string])[] = [
  ["__proto__", "denimPolluted"],
  ["constructor", "denimPolluted"],
  ["toString", "call"],
  ["hasOwnProperty", "apply"],
  ["env", "__proto__"],
  ["env", "constructor"],
  ["env", "toString"],
  ["__proto__", "__proto__"],
  ["wasi_snapshot_preview1", "__proto__"],
  ["wasi_snapshot_preview1", "constructor"],
  ["", ""],
  ["\\ef\\bb\\bfenv", "proxy_log"],
  ["env", "\\ef\\bb\\bfproxy_log"],
  ["env", "proxy_log\\00"],
  ["\\e2\\80\\ae", "\\f0\\9f\\92\\a3"],
];

for (const [module, name] of ODD_NAMES) {
  Deno.test(`An import of "${module}" "${name}" is a stub and changes nothing of the host's`, async () => {
    const host = () =>
      [
        ...Object.getOwnPropertyNames(Object.prototype),
        ...Object.getOwnPropertyNames(Object),
        ...Object.getOwnPropertyNames(Function.prototype),
      ].join();
    const before = host(), call = Object.prototype.toString.call;
    const imports = `(import "${module}" "${name}" (func $odd (result i32)))`;
    const s = await setUpWat(
      `(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $note (call $odd)) (i32.const 0))`,
      { wat: { imports } },
    );
    s.exchange().requestHead();
    assert.match(s.notes().join(), /^(10|52)$/, "internal failure, or ENOSYS");
    assert.equal(host(), before);
    assert.equal(Object.prototype.toString.call, call);
  });
}

Deno.test("inspect() keeps a byte order mark in a name, as the engine does", async () => {
  const bytes = await compileWat(`(module (import "\\ef\\bb\\bfenv" "proxy_log" (func)))`);
  assert.deepEqual(inspect(bytes).unknownImports, ["\ufeffenv.proxy_log"]);
});

const WRONG_TYPES: Readonly<Record<string, readonly [string, RegExp]>> = {
  "a status as f64": [
    `(import "env" "proxy_send_local_response"
      (func (param f64 i32 i32 i32 i32 i32 i32 i32) (result i32)))`,
    /imports env\.proxy_send_local_response as \(f64, i32.*; the ABI has \(i32, i32.*-> \(i32\)/,
  ],
  "a status as i64": [
    `(import "env" "proxy_send_local_response"
      (func (param i64 i32 i32 i32 i32 i32 i32 i32) (result i32)))`,
    /as \(i64, i32/,
  ],
  "a metric's value as f64": [
    `(import "env" "proxy_record_metric" (func (param i32 f64) (result i32)))`,
    /as \(i32, f64\) -> \(i32\); the ABI has \(i32, i64\)/,
  ],
  "a reference for a number": [
    `(import "env" "proxy_continue_stream" (func (param externref) (result i32)))`,
    /as \(a reference\)/,
  ],
  "too few parameters": [`(import "env" "proxy_log" (func (param i32)))`, /as \(i32\) -> \(\)/],
  "another result": [
    `(import "env" "proxy_log" (func (param i32 i32 i32) (result i64)))`,
    /-> \(i64\); the ABI has/,
  ],
  "two results": [
    `(import "env" "proxy_done" (func (result i32 i32)))`,
    /-> \(i32, i32\)/,
  ],
  "a WASI call of other types": [
    `(import "wasi_unstable" "proc_exit" (func (param f32)))`,
    /imports wasi_unstable\.proc_exit as \(f32\)/,
  ],
};

for (const [what, [imports, reason]] of Object.entries(WRONG_TYPES)) {
  Deno.test(`A host call imported with ${what} is refused with both types`, async () => {
    await assert.rejects(setUpWat("", { wat: { imports } }), reason);
  });
}

Deno.test("A host call may be imported without its result, as version 0.1.0 wrote some", async () => {
  await setUpWat("", { wat: { imports: `(import "env" "proxy_continue_request" (func))` } });
});
