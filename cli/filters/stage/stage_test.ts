import assert from "node:assert/strict";
import { readManifest } from "../../../control/market/mod.ts";
import { manifestOf } from "../../../control/market/testing.ts";
import { CAPABILITIES } from "../../../wasm/capabilities.ts";
import { metered, proxyWasmWat } from "../../../wasm/testing/harness.ts";
import { parseCases } from "./case_file.ts";
import { passed, resultsJson, resultsJunit, resultText } from "./report.ts";
import { type Result, runFile } from "./run.ts";
import { bound, type Staged } from "./stage.ts";

const ACTION = "(param $id i32) (param $size i32) (param $end i32) (result i32)";

async function run(body: string, cases: string): Promise<Result[]> {
  const staged: Staged = {
    abi: "proxy-wasm",
    artefact: await metered(proxyWasmWat(body)),
    name: "acme/noop",
    capabilities: Object.keys(CAPABILITIES),
    fuelPerCall: 1_000_000,
    memoryBytes: 16 * 1024 * 1024,
  };
  const file = parseCases("tests/a.yaml", cases);
  return await Array.fromAsync(runFile(staged, readManifest(manifestOf()), file));
}

const TAGGER = `(data (i32.const 256) "x-tagyes")
  (func (export "proxy_on_request_headers") ${ACTION}
    (call $say (i32.const 256) (i32.const 5))
    (call $ok (call $proxy_add_header_map_value (i32.const 0) (i32.const 256) (i32.const 5)
      (i32.const 261) (i32.const 3))) (i32.const 0))`;

Deno.test("a case passes when all it expects is so, and the rest does not matter", async () => {
  const [result] = await run(
    TAGGER,
    `cases:
  - name: all of it
    request: { method: POST, path: /a, headers: { x-b: [one, two] }, body: [ab, cd] }
    response: { status: 201, headers: { x-c: grün }, body: done, trailers: { x-t: end } }
    expect:
      upstream:
        method: POST
        path: { matches: "^/a$" }
        headers: { x-tag: yes!, x-b: [one, two], x-none: null }
        body: abcd
      response:
        status: 201
        headers: { x-c: { contains: rün } }
        body: { contains: don, not: x }
        trailers: { x-t: end }
      logs: [x-tag]
      fuel: { call: 5000, exchange: 9000 }
`.replace("yes!", '"yes"'),
  );
  assert.equal(resultText(result!).split("(")[0], "  ok      all of it ");
});

Deno.test("a case that fails says where, what was wanted, what came, and what the filter did", async () => {
  const [result] = await run(
    TAGGER,
    `cases:
  - name: wrong
    expect:
      upstream: { headers: { x-tag: "no" } }
      response: { status: 404 }
      logs: [nothing like it]
      metrics: { hits: 1 }
      fuel: { call: 1 }
`,
  );
  assert.ok(!passed(result!));
  assert.deepEqual(result!.differences.map((one) => [one.path.join("."), one.wanted, one.got]), [
    ["expect.upstream.headers.x-tag", '"no"', '"yes"'],
    ["expect.response.status", "404", "200"],
    ["expect.logs.0", 'a line with "nothing like it"', "info: x-tag"],
    ["expect.metrics.hits", "1", "no such metric"],
    [
      "expect.fuel.call",
      "at most 1",
      `${result!.outcomes[0]!.callbacks[0]!.fuel} for request headers`,
    ],
  ]);
  const text = resultText(result!);
  assert.match(text, /FAILED {2}wrong\n {10}tests\/a\.yaml:2\n/);
  assert.match(text, /- "no"\n {12}\+ "yes"\n/);
  assert.match(text, /request headers +\d+ fuel\n {14}\+x-tag: yes\n {14}info: x-tag/);
  const { passed: all, cases } = JSON.parse(resultsJson([result!]));
  assert.equal(all, false);
  assert.equal(cases[0].differences[1].path, "expect.response.status");
  assert.match(
    resultsJunit("acme/noop", [result!]),
    /<testsuites tests="1" failures="1"[^]*wanted &quot;no&quot;, got/,
  );
});

Deno.test("a trap fails a case with its report, unless the case is about it", async () => {
  const results = await run(
    `(func $boom unreachable) (func (export "proxy_on_request_headers") ${ACTION} (call $boom) (i32.const 0))`,
    `cases:
  - name: unforeseen
  - name: foreseen
    expect: { upstream: null, trap: unreachable, response: { status: 503, headers: { denim-fault: wasm.trapped } } }
  - name: open
    failMode: open
    expect: { upstream: { path: / }, trap: boom, response: { status: 200 } }
`,
  );
  assert.match(results[0]!.differences[0]!.got, /unreachable/);
  assert.deepEqual(results.map(passed), [false, true, true]);
});

const CALLER = `(data (i32.const 256) "auth/check")
  (data (i32.const 300) "\\04\\00\\00\\00\\07\\00\\00\\00\\03\\00\\00\\00\\05\\00\\00\\00\\06\\00\\00\\00\\0a\\00\\00\\00\\04\\00\\00\\00\\07\\00\\00\\00\\04\\00\\00\\00:method\\00GET\\00:path\\00/check\\00:authority\\00auth\\00:scheme\\00http\\00")
  (global $stream (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") ${ACTION}
    (global.set $stream (local.get $id))
    (call $ok (call $proxy_http_call (i32.const 256) (i32.const 4) (i32.const 300) (i32.const 90)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 200)))
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (call $note (local.get 2))
    (call $ok (call $proxy_set_effective_context (global.get $stream)))
    (call $ok (call $proxy_continue_stream (i32.const 0))))`;

Deno.test("calls of the filter are answered as the case says, by its own clock", async () => {
  const results = await run(
    CALLER,
    `cases:
  - name: answered
    calls: [{ upstream: auth, after: 300ms, answer: { status: 200, headers: { x-a: b } } }]
    expect:
      upstream: { path: / }
      calls: [{ upstream: auth, method: GET, path: /check }]
  - name: not answered in time
    calls: [{ upstream: auth, after: 5s, answer: {} }]
    expect: { upstream: { path: / }, logs: ["0"] }
  - name: refused
    calls: [{ upstream: auth, fault: upstream.refused }]
    expect: { upstream: { path: / }, logs: ["0"], calls: [] }
`,
  );
  assert.deepEqual(results.map((r) => r.error), ["", "", ""]);
  assert.deepEqual(results.map((r) => r.differences.map((d) => `${d.path.join(".")} ${d.got}`)), [
    [],
    [],
    ["expect.calls 1: auth GET /check"],
  ]);
});

Deno.test("a filter that never lets go fails its case in words", async () => {
  const [result] = await run(
    `(func (export "proxy_on_request_headers") ${ACTION} (i32.const 1))`,
    "cases:\n  - name: stuck\n",
  );
  assert.match(
    result!.error,
    /holds the exchange for ever: the request never reached the upstream/,
  );
});

Deno.test("steps go through one instance, ticks come with the case's time", async () => {
  const [result] = await run(
    `(global $ticks (mut i32) (i32.const 0))
     (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
       (call $ok (call $proxy_set_tick_period_milliseconds (i32.const 1000))) (i32.const 1))
     (func (export "proxy_on_tick") (param i32) (global.set $ticks (i32.add (global.get $ticks) (i32.const 1))))
     (func (export "proxy_on_request_headers") ${ACTION} (call $note (global.get $ticks)) (i32.const 0))`,
    `cases:
  - name: ticks
    steps:
      - expect: { logs: ["0"] }
      - after: 3.5s
        expect: { logs: ["3"] }
`,
  );
  assert.deepEqual(result!.differences, []);
  assert.equal(result!.error, "");
});

Deno.test("what the filter kept earlier is there, and what it keeps can be asked for", async () => {
  const [result] = await run(
    `(data (i32.const 256) "keyval")
     (func (export "proxy_on_request_headers") ${ACTION}
       (call $note (call $proxy_get_shared_data (i32.const 256) (i32.const 3) (i32.const 512) (i32.const 516) (i32.const 520)))
       (call $say (i32.load (i32.const 512)) (i32.load (i32.const 516)))
       (call $ok (call $proxy_set_shared_data (i32.const 256) (i32.const 3) (i32.const 259) (i32.const 3) (i32.const 0)))
       (i32.const 0))`,
    `cases:
  - name: kept
    kv: { key: earlier }
    expect: { logs: ["0", earlier], kv: { key: val, other: null } }
`,
  );
  assert.deepEqual(result!.differences, []);
  assert.equal(result!.error, "");
});

Deno.test("A bound filter is granted the names that its manifest asks for", () => {
  const staged = {
    abi: "proxy-wasm",
    artefact: new Uint8Array(),
    name: "acme/noop",
    capabilities: ["headers-read"],
    permissions: { headers: { read: ["x-api-key"] } },
    fuelPerCall: 1,
    memoryBytes: 2,
  } as const;
  const config = bound(staged, "sha256:0", "dev-1", "{}");
  assert.deepEqual(config.permissions, staged.permissions);
  assert.deepEqual(config.capabilities, ["headers-read"]);
  assert.ok(!("permissions" in bound({ ...staged, permissions: undefined as never }, "", "", "")));
});
