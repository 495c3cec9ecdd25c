/** What the examples of the Rust SDK do, by their sources. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../../core/filter.ts";
import { type Example, upstream } from "./rig.ts";

export const RUST: readonly Example[] = [
  {
    name: "hello_world",
    shows: "a root context, ticks, clock and randomness of WASI",
    run: (rig) => {
      assert.ok(rig.said().includes("Hello, World!"));
      rig.pass(4900);
      assert.equal(rig.said().length, 1, "the tick is not due before five seconds");
      rig.pass(200);
      assert.match(rig.said()[1]!, /^It's \d{4}-\d\d-\d\d .* UTC, your lucky number is \d+\.$/);
    },
  },
  {
    name: "http_headers",
    shows: "all headers at once, a local response, on_log",
    run: (rig) => {
      const call = rig.exchange({ path: "/elsewhere" });
      assert.equal(call.requestHead(), CONTINUE);
      call.responseHead(true, 200, ["x-from", "origin"]);
      call.end();
      const said = rig.said().join("\n");
      assert.match(said, /^#(\d+) -> :path: \/elsewhere$/m);
      assert.match(said, /^#\d+ -> user-agent: test$/m);
      assert.match(said, /^#\d+ <- x-from: origin$/m);
      assert.match(said, /^#\d+ completed\.$/m);
      const hello = rig.exchange({ path: "/hello" });
      assert.equal(hello.requestHead(), DONE);
      assert.equal(hello.reply!.status, 200);
      assert.equal(hello.reply!.fields.get("hello"), "World");
      assert.equal(hello.reply!.fields.get("powered-by"), "proxy-wasm");
      assert.equal(hello.reply!.body, "Hello, World!\n");
    },
  },
  {
    name: "http_body",
    shows: "a response body held until it is whole, and replaced",
    run: (rig) => {
      const call = rig.exchange();
      call.responseHead(false, 200, ["content-length", "13"]);
      assert.equal(call.response!.fields.has("content-length"), false);
      assert.equal(call.responseData("a sec"), "");
      assert.equal(call.responseData("ret word"), "");
      assert.equal(call.responseData("", true), "Original message body (13 bytes) redacted.");
      const open = rig.exchange();
      open.responseHead(false, 200, ["content-length", "4"]);
      assert.equal(open.responseData("open", true), "open");
    },
  },
  {
    name: "http_config",
    shows: "its configuration, in every response",
    settings: { config: "from the binding" },
    run: (rig) => {
      const call = rig.exchange();
      call.responseHead(true);
      assert.equal(call.response!.fields.get("custom-header"), "from the binding");
    },
  },
  {
    name: "http_auth_random",
    shows: "a request of its own decides: paused, then resumed or answered",
    settings: { upstreams: upstream("httpbin") },
    run: (rig) => {
      const granted = rig.exchange();
      assert.equal(granted.requestHead(), PAUSE);
      const { request } = rig.calls.made[0]!;
      assert.equal(request.backend, "default/httpbin:80");
      assert.equal(request.timeoutMs, 5000);
      assert.deepEqual([request.head.method, request.head.path, request.head.authority], [
        ...["GET", "/bytes/1", "httpbin.org"],
      ]);
      rig.calls.made[0]!.answerBytes({ body: Uint8Array.of(4) });
      assert.equal(granted.resumes, 1);
      assert.ok(rig.said().includes("Access granted."));
      granted.responseHead(true);
      assert.equal(granted.response!.fields.get("powered-by"), "proxy-wasm");

      const refused = rig.exchange();
      assert.equal(refused.requestHead(), PAUSE);
      rig.calls.made[1]!.answerBytes({ body: Uint8Array.of(5) });
      assert.ok(rig.said().includes("Access forbidden."));
      assert.equal(refused.reply!.status, 403);
      assert.equal(refused.reply!.body, "Access forbidden.\n");
      assert.equal(refused.reply!.fields.get("powered-by"), "proxy-wasm");
    },
  },
];
