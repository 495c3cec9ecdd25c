/** What the examples of the Go SDK do, by the expectations of their own tests. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../../core/filter.ts";
import { Fields } from "../../../core/fields.ts";
import { type Example, type Rig, upstream } from "./rig.ts";

/** What becomes of a body of the example http_body under one operation. */
function bodyAfter(rig: Rig, operation: string): string | null {
  const fields = new Fields(["content-length", "15", "buffer-operation", operation]);
  const call = rig.exchange({ method: "POST", fields });
  assert.equal(call.requestHead(false), CONTINUE);
  assert.deepEqual(call.request.fields.lines, ["buffer-operation", operation]);
  assert.equal(call.requestData("[original "), "");
  return call.requestData("body]", true);
}

export const GO: readonly Example[] = [
  {
    name: "helloworld",
    shows: "a plugin context, ticks, the clock",
    run: (rig) => {
      assert.ok(rig.said().includes("OnPluginStart from Go!"));
      rig.pass(1100);
      assert.ok(rig.said().includes("OnTick called"));
      assert.ok(rig.said().some((line) => line.startsWith(`It's ${rig.clock.nowMs()}`)));
    },
  },
  {
    name: "http_headers",
    shows: "headers read, replaced and listed; done",
    run: (rig) => {
      const call = rig.exchange({ fields: new Fields(["key1", "value1", "key2", "value2"]) });
      assert.equal(call.requestHead(), CONTINUE);
      assert.equal(call.request.fields.get("test"), "best");
      call.responseHead(true, 200, ["key3", "value3"]);
      call.end();
      for (
        const line of [
          "request header --> key1: value1",
          "request header --> key2: value2",
          "response header <-- key3: value3",
        ]
      ) assert.ok(rig.said().includes(line), line);
      assert.ok(rig.said().some((line) => /^\d+ finished$/.test(line)));
    },
  },
  {
    name: "http_body",
    shows: "request bodies appended to, prepended to and replaced",
    run: (rig) => {
      assert.equal(bodyAfter(rig, "append"), "[original body][this is appended body]");
      assert.equal(bodyAfter(rig, "prepend"), "[this is prepended body][original body]");
      assert.equal(bodyAfter(rig, "replace"), "[this is replaced body]");
      assert.ok(rig.said().includes("original request body: [original body]"));
      const none = rig.exchange();
      assert.equal(none.requestHead(), DONE);
      assert.deepEqual([none.reply!.status, none.reply!.body], [400, "content must be provided"]);
    },
  },
  {
    name: "http_body",
    shows: "a request body sent back as the response",
    settings: { config: "echo" },
    run: (rig) => {
      const call = rig.exchange({ method: "POST" });
      call.requestHead(false);
      assert.equal(call.requestData("frame1..."), "");
      assert.equal(call.requestData("frame2..."), "");
      call.requestData("", true);
      assert.deepEqual([call.reply!.status, call.reply!.body], [200, "frame1...frame2..."]);
    },
  },
  {
    name: "http_auth_random",
    shows: "a request of its own decides: paused, then resumed or answered",
    settings: { upstreams: upstream("httpbin") },
    run: (rig) => {
      const granted = rig.exchange({ fields: new Fields(["key", "value"]) });
      assert.equal(granted.requestHead(), PAUSE);
      assert.equal(rig.calls.made[0]!.request.backend, "default/httpbin:80");
      assert.ok(rig.said().includes("http call dispatched to httpbin"));
      assert.ok(rig.said().includes("request header: key: value"));
      const body = (id: string): string => `{"uuid": "${id}-1c67-4199-835b-cbefcd4a63d4"}`;
      rig.calls.made[0]!.answer(200, ["content-type", "application/json"], body("7b10a67a"));
      assert.equal(granted.resumes, 1);
      assert.equal(granted.reply, null);
      assert.ok(rig.said().includes("access granted"));

      const refused = rig.exchange();
      assert.equal(refused.requestHead(), PAUSE);
      rig.calls.made[1]!.answer(200, [], body("aaaaaaaa"));
      assert.deepEqual([refused.reply!.status, refused.reply!.body], [403, "access forbidden"]);
      assert.equal(refused.reply!.fields.get("powered-by"), "proxy-wasm-go-sdk!!");
      assert.ok(rig.said().includes("access forbidden"));
    },
  },
  {
    name: "http_routing",
    shows: "randomness of WASI picks the authority",
    run: (rig) => {
      const seen = new Set<string>();
      for (let i = 0; i < 64; i++) {
        const call = rig.exchange({ authority: "my-host.com" });
        assert.equal(call.requestHead(), CONTINUE);
        seen.add(call.request.authority);
      }
      assert.deepEqual([...seen].sort(), ["my-host.com", "my-host.com-canary"]);
    },
  },
  {
    name: "vm_plugin_configuration",
    shows: "the plugin's configuration",
    differs: "a VM has no configuration, and the module logs that",
    settings: { config: "plugin_configuration" },
    run: (rig) => {
      assert.ok(rig.said().includes("vm config: "), rig.said().join("\n"));
      assert.ok(rig.said().includes("plugin config: plugin_configuration"));
    },
  },
  {
    name: "dispatch_call_on_tick",
    shows: "requests of the plugin's own, at intervals",
    settings: { upstreams: upstream("web_service") },
    run: (rig) => {
      for (let i = 1; i < 10; i++) {
        rig.pass(110);
        assert.equal(rig.calls.made.length, i);
        const call = rig.calls.made[i - 1]!;
        assert.match(call.request.head.path, /^\/(?:ok|fail)$/);
        call.answer(200, ["x-ok", "yes"], "", ["x-last", "1"]);
        assert.ok(rig.said().includes(`called ${i} for contextID=1`));
      }
      assert.ok(rig.said().includes("response header for the dispatched call: x-ok: yes"));
      assert.ok(rig.said().includes("response trailer for the dispatched call: x-last: 1"));
    },
  },
  {
    name: "postpone_requests",
    shows: "streams held, and let go on by a tick",
    run: (rig) => {
      const calls = [rig.exchange(), rig.exchange()];
      for (const call of calls) assert.equal(call.requestHead(), PAUSE);
      rig.pass(1100);
      assert.deepEqual(calls.map((call) => call.resumes), [1, 1]);
      assert.ok(rig.said().some((line) => /^postpone request with contextID=\d+$/.test(line)));
      assert.ok(rig.said().some((line) => /^resume request with contextID=\d+$/.test(line)));
    },
  },
  {
    name: "shared_queue_receiver",
    shows: "a queue, filled by another binding with another module",
    settings: {
      ...{ name: "default/receiver", vmId: "receiver", config: "http_request_headers" },
      kept: new Map<string, unknown>(),
    },
    run: async (rig, another) => {
      assert.ok(rig.said().some((line) => /^queue "http_request_headers" registered/.test(line)));
      const { kept } = GO.find(({ name }) => name === "shared_queue_receiver")!.settings!;
      const sender = await another("shared_queue_sender", {
        ...{ name: "default/sender", vmId: "sender", config: "http", kept: kept! },
      });
      sender.exchange({ fields: new Fields(["key", "value"]) }).requestHead();
      const sent = '{"key": "key","value": "value"}';
      assert.ok(sender.said().includes(`enqueued data: ${sent}`));
      await Promise.resolve();
      assert.ok(
        rig.said().some((line) => line.includes(`dequeued data`) && line.endsWith(sent)),
        rig.said().join("\n"),
      );
    },
  },
  {
    name: "foreign_call_on_tick",
    shows: "a foreign function, at intervals",
    differs: "Envoy's compress is not there, and the plugin is told so",
    run: (rig) => {
      for (let i = 1; i < 4; i++) {
        rig.pass(20);
        assert.ok(
          rig.said().includes(`foreign function (compress) called: ${i}, result: `),
          rig.said().join("\n"),
        );
        assert.ok(rig.said().some((line) => /compress\) failed: .*not found/i.test(line)));
      }
    },
  },
  {
    name: "network",
    shows: "a TCP connection, its bytes both ways, its end; a counter",
    settings: { network: true },
    run: (rig) => {
      const call = rig.exchange({ method: "CONNECT", upgrade: "connect" });
      assert.equal(call.requestHead(false), CONTINUE);
      assert.equal(call.tunnelUp("this is downstream data"), "this is downstream data");
      call.facts = { ...call.facts, endpoint: "1.1.1.1:80" };
      assert.equal(call.tunnelDown("this is upstream data"), "this is upstream data");
      call.end();
      const said = rig.said();
      assert.ok(said.includes("new connection!"));
      assert.ok(said.some((line) => line.endsWith("received >>>>>>\nthis is downstream data")));
      assert.ok(said.includes("remote address: 1.1.1.1:80"), said.join("|"));
      assert.ok(said.some((line) => line.endsWith("received <<<<<<\nthis is upstream data")));
      assert.ok(said.includes("downstream connection close!"));
      assert.ok(said.includes("connection complete!"));
      assert.match(rig.metrics.render(), /name="proxy_wasm_go.connection_counter"[^}]*\} 1$/m);
    },
  },
];

/** Examples that came out otherwise later. */
export const GO_OLDER: readonly Example[] = [
  {
    name: "metrics",
    shows: "a counter",
    run: (rig) => {
      for (let i = 0; i < 3; i++) assert.equal(rig.exchange().requestHead(), CONTINUE);
      assert.ok(rig.said().includes("incremented"));
      assert.ok(rig.said().includes("previous value of proxy_wasm_go.request_counter: 2"));
      assert.match(rig.metrics.render(), /name="proxy_wasm_go.request_counter"[^}]*\} 3$/m);
    },
  },
  {
    name: "shared_data",
    shows: "shared data set at the start, then counted by compare-and-swap",
    run: (rig) => {
      for (let i = 0; i < 3; i++) assert.equal(rig.exchange().requestHead(), CONTINUE);
      assert.ok(rig.said().includes("shared value: 10000001"));
      assert.ok(rig.said().includes("shared value: 10000003"));
    },
  },
];
