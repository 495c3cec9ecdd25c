import assert from "node:assert/strict";
import { COLLECT, DONE } from "../../core/filter.ts";
import { bundleComponent } from "../build/component.ts";
import { compile } from "../build/compile.ts";
import { explain } from "../explain.ts";
import { inspect } from "../inspect.ts";
import { FakeExchange } from "../testing/harness.ts";
import { startProbe } from "../testing/probe.ts";
import { compileWat } from "../wat.ts";
import { worldProblem } from "../worlds.ts";

/** As much of the standard's package as the handler below uses. */
const WIT = `package test:handler;
world handler { import wasi:http/types@0.2.0; export wasi:http/incoming-handler@0.2.0; }
package wasi:io@0.2.0 {
  interface error { resource error { to-debug-string: func() -> string; } }
  interface streams {
    use error.{error};
    variant stream-error { last-operation-failed(error), closed }
    resource output-stream {
      blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
    }
  }
}
package wasi:http@0.2.0 {
  interface types {
    use wasi:io/streams@0.2.0.{output-stream};
    variant error-code { internal-error(option<string>) }
    resource fields { constructor(); }
    resource incoming-request { path-with-query: func() -> option<string>; }
    resource response-outparam {
      set: static func(param: response-outparam, response: result<outgoing-response, error-code>);
    }
    resource outgoing-response {
      constructor(headers: fields);
      set-status-code: func(status-code: u16) -> result;
      body: func() -> result<outgoing-body>;
    }
    resource outgoing-body {
      write: func() -> result<output-stream>;
      finish: static func(this: outgoing-body, trailers: option<fields>) -> result<_, error-code>;
    }
  }
  interface incoming-handler {
    use types.{incoming-request, response-outparam};
    handle: func(request: incoming-request, response-out: response-outparam);
  }
}`;

const TYPES = "wasi:http/types@0.2.0", STREAMS = "wasi:io/streams@0.2.0";

/** Answers 203 with the path it was asked for; loops for ever when that has 4 chars. */
const HANDLER = `(module
  (import "${TYPES}" "[constructor]fields" (func $fields (result i32)))
  (import "${TYPES}" "[constructor]outgoing-response" (func $response (param i32) (result i32)))
  (import "${TYPES}" "[method]outgoing-response.set-status-code"
    (func $status (param i32 i32) (result i32)))
  (import "${TYPES}" "[method]outgoing-response.body" (func $body (param i32 i32)))
  (import "${TYPES}" "[method]outgoing-body.write" (func $write (param i32 i32)))
  (import "${TYPES}" "[static]outgoing-body.finish" (func $finish (param i32 i32 i32 i32)))
  (import "${TYPES}" "[static]response-outparam.set" (func $set (param i32 i32 i32 i32 i32 i32)))
  (import "${TYPES}" "[method]incoming-request.path-with-query" (func $path (param i32 i32)))
  (import "${TYPES}" "[resource-drop]incoming-request" (func $drop_request (param i32)))
  (import "${STREAMS}" "[method]output-stream.blocking-write-and-flush"
    (func $flush (param i32 i32 i32 i32)))
  (import "${STREAMS}" "[resource-drop]output-stream" (func $drop (param i32)))
  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 4096))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (global.get $heap)
    (global.set $heap (i32.add (global.get $heap)
      (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8)))))
  (func (export "wasi:http/incoming-handler@0.2.0#handle") (param $request i32) (param $out i32)
    (local $response i32) (local $body i32) (local $stream i32)
    (global.set $heap (i32.const 4096))
    (call $path (local.get $request) (i32.const 16))
    (call $drop_request (local.get $request))
    (if (i32.eq (i32.load (i32.const 24)) (i32.const 4)) (then (loop (br 0))))
    (local.set $response (call $response (call $fields)))
    (drop (call $status (local.get $response) (i32.const 203)))
    (call $body (local.get $response) (i32.const 32))
    (local.set $body (i32.load (i32.const 36)))
    (call $set (local.get $out) (i32.const 0) (local.get $response)
      (i32.const 0) (i32.const 0) (i32.const 0))
    (call $write (local.get $body) (i32.const 32))
    (local.set $stream (i32.load (i32.const 36)))
    (call $flush (local.get $stream) (i32.load (i32.const 20)) (i32.load (i32.const 24))
      (i32.const 48))
    (call $drop (local.get $stream))
    (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))))`;

async function component(): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempDir({ prefix: "denim-handler-" });
  try {
    const module = `${out}/core.wasm`;
    await Deno.writeFile(module, await compileWat(HANDLER));
    const made = await compile({ tool: "embed", module, wit: WIT, world: "handler", out });
    return await Deno.readFile(made.files.module!);
  } finally {
    await Deno.remove(out, { recursive: true });
  }
}

Deno.test("a wasi:http handler answers requests, within the same sandbox", async () => {
  const bytes = await component();
  const { abi, capabilities } = inspect(bytes);
  assert.equal(abi, "wasi:http/incoming-handler@0.2.0");
  assert.deepEqual(capabilities, ["headers-read", "body-read", "local-reply"]);
  assert.deepEqual(explain(bytes).problems, []);
  const { bundle } = await bundleComponent(bytes, { memoryBytes: 1024 * 1024 });
  const { filter, plugin, clock } = await startProbe({ bundle });
  const ask = (path: string) => new FakeExchange(filter, { path });
  const call = ask("/who?a=1");
  assert.equal(call.requestHead(), DONE);
  assert.deepEqual([call.reply?.status, call.reply?.body], [203, "/who?a=1"]);
  const posted = ask("/post");
  assert.equal(posted.requestHead(false), COLLECT);
  assert.equal(posted.requestData("body", true), "");
  assert.equal(posted.reply?.body, "/post");
  const looping = ask("/for");
  assert.equal(looping.requestHead(), DONE);
  assert.equal(looping.fault?.code, "wasm.out_of_fuel");
  assert.equal(plugin.traps, 1);
  for (let i = 0; i < 500; i++) {
    const next = ask(`/next/${i}`);
    next.requestHead();
    assert.equal(next.reply?.body, `/next/${i}`);
    next.end();
    clock.ms += 100;
  }
});

Deno.test("components of other worlds are refused with what they are and what would do", () => {
  const filter = "denim:filter/filter@0.1.0", handler = "wasi:http/incoming-handler@0.2.3";
  const cases = [
    [["denim:filter/host@0.1.0", "denim:filter/types@0.1.0"], [filter], null],
    [["wasi:http/types@0.2.3", "wasi:io/streams@0.2.3"], [handler], null],
    [["wasi:http/handler@0.3.0"], ["wasi:http/handler@0.3.0"], /wasi:http 0\.3 .* asynchronous/],
    [["wasi:http/outgoing-handler@0.2.3"], [handler], /a handler makes no requests here/],
    [["wasi:filesystem/types@0.2.3"], [handler], /imports wasi:filesystem\/types; a handler may/],
    [["denim:filter/kv@0.2.0"], [filter], /denim:filter\/kv@0\.2\.0, a version this host/],
    [[], ["wasi:cli/run@0.2.0"], /does not export denim:filter\/filter@0\.1\.0 or wasi:http/],
  ] as const;
  for (const [imports, exports, problem] of cases) {
    const said = worldProblem(imports, exports);
    if (problem === null) assert.equal(said, null);
    else assert.match(said ?? "", problem);
  }
});
