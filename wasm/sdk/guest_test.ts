import assert from "node:assert/strict";
import { text } from "./config.ts";
import { type Context, defineFilter } from "./define.ts";
import { logged, resetHost } from "./double.ts";
import { serve } from "./guest.ts";
import { log } from "./log.ts";

const HEAD = { method: "GET", scheme: "http", authority: "h", path: "/p?q=a%20b", headers: [] };

Deno.test("serve asks for the phases of the hooks that are written", () => {
  const none = serve(defineFilter({ name: "f", version: "1" })).configure("");
  assert.deepEqual(none.phases, []);
  const all = serve(defineFilter({
    name: "f",
    version: "1",
    requestBody: "streamed",
    maxBody: 10,
    onRequestBody() {},
    onResponse() {},
    onEnd() {},
  })).configure("");
  assert.deepEqual(all.phases, ["request-headers", "request-body", "response-headers", "log"]);
  assert.deepEqual([all.requestBody, all.responseBody, all.maxBody], ["streamed", "none", 10]);
});

Deno.test("serve hands edits back as data", () => {
  const guest = serve(defineFilter({
    name: "f",
    version: "1",
    config: { value: text("v") },
    onRequest(request, ctx) {
      request.headers.set("X-A", ctx.config.value);
      request.path = `/${request.query("q")}`;
    },
  }));
  guest.configure("");
  assert.deepEqual(guest.onRequestHeaders(1, HEAD, true), {
    tag: "continue",
    val: { head: [{ tag: "set", val: ["x-a", "v"] }], path: "/a b" },
  });
});

Deno.test("serve turns an exception into a failure with its text", () => {
  const guest = serve(defineFilter({
    name: "f",
    version: "1",
    onRequest() {
      throw new TypeError("no");
    },
  }));
  guest.configure("");
  const verdict = guest.onRequestHeaders(1, HEAD, true);
  assert.equal(verdict.tag, "failed");
  assert.match(String(verdict.val), /^TypeError: no/);
});

Deno.test("serve gives all hooks of an exchange one context, and another exchange another", () => {
  const seen: unknown[] = [];
  const guest = serve(defineFilter({
    name: "f",
    version: "1",
    onRequest(request, ctx) {
      ctx.state.path = request.path;
    },
    onResponse(_response, ctx) {
      seen.push(ctx.state.path);
    },
  }));
  guest.configure("");
  guest.onRequestHeaders(1, { ...HEAD, path: "/1" }, true);
  guest.onRequestHeaders(2, { ...HEAD, path: "/2" }, true);
  guest.onResponseHeaders(2, { status: 200, headers: [] }, true);
  guest.onResponseHeaders(1, { status: 200, headers: [] }, true);
  assert.deepEqual(seen, ["/2", "/1"]);
  guest.onResponseHeaders(1, { status: 200, headers: [] }, true);
  assert.deepEqual(seen, ["/2", "/1", undefined], "after its last phase it was forgotten");
});

Deno.test("serve calls onEnd with what became of the exchange", () => {
  const ends: [Context<unknown>, string][] = [];
  const guest = serve(defineFilter({
    name: "f",
    version: "1",
    onRequest() {},
    onEnd(ctx, outcome) {
      ends.push([ctx, outcome]);
    },
  }));
  guest.configure("");
  guest.onRequestHeaders(7, HEAD, true);
  guest.onEnd(7, "no-response");
  assert.equal(ends[0]![0].request?.path, HEAD.path);
  assert.equal(ends[0]![1], "no-response");
});

Deno.test("log writes values as people read them", () => {
  resetHost();
  log.info("a", 1, { b: [2] }, null);
  log.error(new RangeError("deep"));
  assert.deepEqual(logged[0], { level: 2, message: 'a 1 {"b":[2]} null' });
  assert.match(logged[1]!.message, /^RangeError: deep/);
});
