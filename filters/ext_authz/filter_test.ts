import assert from "node:assert/strict";
import { BUFFERED } from "../../core/buffered.ts";
import { type CallAnswer, type CallRequest, type Calls, type CallSink } from "../../core/calls.ts";
import { NO_CALLS } from "../../core/calls.ts";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { COLLECT, CONTINUE, DONE, type Filter, PAUSE } from "../../core/filter.ts";
import { createLog } from "../../core/log.ts";
import { FakeContext, FakeEnv } from "../fakes.ts";
import { createExtAuthzFilter } from "./filter.ts";

const CONFIG = {
  provider: "opa",
  policies: [{
    name: "default/ask",
    rules: [{ from: [], to: [[{ key: "path", values: ["/admin*"] }]], when: [] }],
  }],
  place: { trustDomain: "mesh.test", ports: [] },
  backend: "default/authz:80",
  fields: [],
  timeoutMs: 100,
  failOpen: false,
  statusOnError: 403,
  destination: { principal: "spiffe://mesh.test/ns/default/sa/web", service: "default/web" },
  http: { pathPrefix: "", include: [], toUpstream: ["x-user"], toClientOnAllow: ["x-note"] },
};

class FakeCalls implements Calls {
  readonly asked: CallRequest[] = [];
  readonly sinks: CallSink[] = [];
  cancelled = 0;
  /** Given before call() has returned. */
  atOnce: CallAnswer | null = null;

  call(request: CallRequest, sink: CallSink) {
    this.asked.push(request);
    this.sinks.push(sink);
    if (this.atOnce !== null) sink.called(this.atOnce);
    return { cancel: () => void this.cancelled++ };
  }
  talk = NO_CALLS.talk;
}

function answer(status: number, lines: string[] = [], body = ""): CallAnswer {
  const bytes = new TextEncoder().encode(body);
  return { fault: null, status, fields: new Fields(lines), body: bytes, trailers: null };
}

function setUp(over = {}, path = "/admin"): {
  filter: Filter;
  ctx: FakeContext;
  calls: FakeCalls;
  env: FakeEnv;
} {
  const env = new FakeEnv();
  const calls = new FakeCalls();
  env.calls = calls;
  return {
    filter: createExtAuthzFilter({ ...CONFIG, ...over }, env),
    ctx: new FakeContext("GET", path),
    calls,
    env,
  };
}

Deno.test("ext-authz asks about what a policy matches, and about nothing else", () => {
  const { filter, ctx, calls } = setUp({}, "/public");
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), CONTINUE);
  filter.onEnd!(ctx);
  assert.equal(calls.asked.length, 0);
});

Deno.test("ext-authz holds the request until the answer comes, then changes it", () => {
  const { filter, ctx, calls } = setUp();
  ctx.request.fields.append("x-user", "mallory");
  ctx.peer = "spiffe://mesh.test/ns/default/sa/web";
  assert.equal(filter.onRequestHead!(ctx, ctx.request, true), PAUSE);
  assert.equal(calls.asked[0]!.head.fields.get("denim-source-principal"), ctx.peer);
  calls.sinks[0]!.called(answer(200, ["x-user", "a", "x-user", "b", "x-note", "n", "x-z", "z"]));
  assert.equal(ctx.resumed, 1);
  assert.deepEqual(ctx.request.fields.lines, ["x-user", "a", "x-user", "b"]);
  const head = { status: 200, fields: new Fields() };
  filter.onResponseHead!(ctx, head, true);
  assert.deepEqual(head.fields.lines, ["x-note", "n"]);
});

Deno.test("ext-authz goes on, or ends, within its hook when the answer is there at once", () => {
  const yes = setUp();
  yes.calls.atOnce = answer(200);
  assert.equal(yes.filter.onRequestHead!(yes.ctx, yes.ctx.request, true), CONTINUE);
  assert.equal(yes.ctx.resumed, 0);
  const no = setUp();
  no.calls.atOnce = answer(401, ["www-authenticate", "Basic"], "who?");
  assert.equal(no.filter.onRequestHead!(no.ctx, no.ctx.request, true), DONE);
  assert.equal(no.ctx.response?.status, 401);
  assert.equal(no.ctx.refusedBy, "default/ask");
  const down = setUp();
  down.calls.atOnce = { ...answer(0), fault: FAULTS["upstream.connect"] };
  assert.equal(down.filter.onRequestHead!(down.ctx, down.ctx.request, true), DONE);
  assert.deepEqual(down.ctx.failed, ["ext_authz.unavailable"]);
});

Deno.test("ext-authz asks nobody for a client that has left", () => {
  const { filter, ctx, calls } = setUp();
  filter.onRequestHead!(ctx, ctx.request, true);
  filter.onEnd!(ctx);
  assert.equal(calls.cancelled, 1);
});

Deno.test("ext-authz gives back the body it held, and what it counted of it", () => {
  const body = { maxBytes: 6, allowPartial: true, packAsBytes: false };
  const { filter, ctx, calls } = setUp({ body });
  const before = BUFFERED.bytes;
  const chunk = (text: string): Uint8Array => new TextEncoder().encode(text);
  assert.equal(filter.onRequestHead!(ctx, ctx.request, false), COLLECT);
  assert.equal(filter.onRequestData!(ctx, chunk("abcd"), false)?.length, 0);
  assert.equal(BUFFERED.bytes, before + 4);
  const last = chunk("efgh");
  assert.equal(filter.onRequestData!(ctx, last, false), null);
  assert.equal(new TextDecoder().decode(calls.asked[0]!.body), "abcdef");
  assert.equal(filter.onRequestData!(ctx, last, false), null, "there is no answer yet");
  calls.sinks[0]!.called(answer(200));
  const all = filter.onRequestData!(ctx, last, false);
  assert.equal(new TextDecoder().decode(all!), "abcdefgh");
  assert.equal(BUFFERED.bytes, before);
  const more = chunk("ijkl");
  assert.equal(filter.onRequestData!(ctx, more, true), more);
  filter.onEnd!(ctx);
});

Deno.test("ext-authz shows a body that trailers end", () => {
  const body = { maxBytes: 100, allowPartial: false, packAsBytes: false };
  const { filter, ctx, calls } = setUp({ body });
  calls.atOnce = answer(200);
  filter.onRequestHead!(ctx, ctx.request, false);
  filter.onRequestData!(ctx, new TextEncoder().encode("abc"), false);
  const flushed = filter.onRequestData!(ctx, new Uint8Array(0), false);
  assert.equal(new TextDecoder().decode(flushed!), "abc");
  assert.equal(calls.asked.length, 1);
});

Deno.test("ext-authz logs one line a second of a provider that is down", () => {
  const env = new FakeEnv();
  const calls = new FakeCalls();
  const lines: string[] = [];
  const log = createLog((line) => void lines.push(line));
  const filter = createExtAuthzFilter(
    { ...CONFIG, failOpen: true },
    Object.assign(env, { calls, log }),
  );
  calls.atOnce = answer(503);
  for (let n = 0; n < 5; n++) {
    const ctx = new FakeContext("GET", "/admin");
    assert.equal(filter.onRequestHead!(ctx, ctx.request, true), CONTINUE);
  }
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0]!).why, "it answered 503");
  assert.equal(env.metric('denim_ext_authz_total{provider="opa",result="failed_open"}'), 5);
});
