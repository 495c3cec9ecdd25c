/** What the examples do that only the Go SDK's repository has, by the expectations of their own tests. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../../core/filter.ts";
import { Fields } from "../../../core/fields.ts";
import { type Example, upstream } from "./rig.ts";

export const GO_NEWER: readonly Example[] = [
  {
    name: "http_body_chunk",
    shows: "a body read chunk by chunk while it is held, and a local response from its middle",
    run: (rig) => {
      const found = rig.exchange({ method: "POST" });
      for (const chunk of ["chunk1...", "chunk2...", "chunk3..."]) {
        assert.equal(found.requestData(chunk), "");
      }
      found.requestData("chunk4 with pattern ...");
      assert.deepEqual([found.reply!.status, found.reply!.body], [
        403,
        "pattern found in chunk: 4",
      ]);
      assert.equal(rig.said().some((line) => line.includes("does not match")), false);
      const other = rig.exchange({ method: "POST" });
      assert.equal(other.requestData("This is a generic payload."), "");
      assert.equal(other.requestData("", true), "This is a generic payload.");
      assert.ok(rig.said().includes("pattern not found"));
    },
  },
  {
    name: "json_validation",
    shows: "a body validated against its configuration",
    settings: { config: '{"requiredKeys": ["my_key"]}' },
    run: (rig) => {
      const text = rig.exchange({ fields: new Fields(["content-type", "text/html"]) });
      assert.equal(text.requestHead(false), DONE);
      assert.deepEqual([text.reply!.status, text.reply!.body], [
        403,
        "content-type must be provided",
      ]);
      const bodies = { "invalid_payload": 403, '{"unknown_key":"v"}': 403, '{"my_key":"v"}': 0 };
      for (const [body, status] of Object.entries(bodies)) {
        const call = rig.exchange({ fields: new Fields(["content-type", "application/json"]) });
        assert.equal(call.requestHead(false), CONTINUE);
        const passed = call.requestData(body, true);
        assert.equal(call.reply?.status ?? 0, status, body);
        if (status === 0) assert.equal(passed, body);
      }
    },
  },
  {
    name: "multiple_dispatches",
    shows: "ten requests of its own under way while the response waits",
    settings: { upstreams: upstream("httpbin") },
    run: (rig) => {
      const call = rig.exchange();
      assert.equal(call.responseHead(true), PAUSE);
      assert.equal(rig.calls.made.length, 10);
      for (const one of rig.calls.made) one.answer(200);
      assert.equal(call.resumes, 1);
      assert.equal(call.response!.fields.get("total-dispatched"), "10");
      for (
        const line of [
          "pending dispatched requests: 9",
          "pending dispatched requests: 1",
          "response resumed after processed 10 dispatched request",
        ]
      ) assert.ok(rig.said().includes(line), line);
    },
  },
  {
    name: "properties",
    shows: "a property of the route that is not there",
    differs: "routes have no metadata: only its first test applies",
    run: (rig) => {
      const call = rig.exchange();
      assert.equal(call.requestHead(), CONTINUE);
      call.end();
      assert.ok(rig.said().includes("no auth header for route"));
      assert.ok(rig.said().some((line) => /^\d+ finished$/.test(line)));
    },
  },
  {
    name: "metrics",
    shows: "a counter for each value of a header",
    run: (rig) => {
      for (let i = 0; i < 3; i++) {
        rig.exchange({ fields: new Fields(["my-custom-header", "foo"]) }).requestHead();
      }
      const counter = /name="custom_header_value_counts_value=foo_reporter=wasmgosdk"[^}]*\} 3$/m;
      assert.match(rig.metrics.render(), counter);
    },
  },
  {
    name: "shared_data",
    shows: "empty shared data set at the start, then counted by compare-and-swap",
    run: (rig) => {
      for (let i = 0; i < 3; i++) assert.equal(rig.exchange().requestHead(), CONTINUE);
      assert.ok(rig.said().includes("shared value: 1"));
      assert.ok(rig.said().includes("shared value: 3"));
    },
  },
];
