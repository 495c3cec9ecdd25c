/** The ABI's flow: pausing and continuing, local responses, requests of a module's own, contexts and their ends. */
import assert from "node:assert/strict";
import { CONTINUE, DONE, PAUSE } from "../../../core/filter.ts";
import type { FakeExchange } from "../../../wasm/testing/harness.ts";
import { pairsWat } from "../../../wasm/testing/wat_data.ts";
import {
  type AbiCase,
  type AbiRig,
  event,
  int,
  note,
  ok,
  on,
  OUT,
  SAY,
  ticking,
  TO_STREAM,
  words,
} from "./abi_case.ts";

const W = words("auth", "nobody", "one", "two");

/** Every callback that can pause: which stream continues it, and how a test comes to it. */
const PHASES = {
  proxy_on_request_headers: [0, (x: FakeExchange) => x.requestHead()],
  proxy_on_request_body: [0, (x: FakeExchange) => x.requestData("abc", true)],
  proxy_on_request_trailers: [0, (x: FakeExchange) => x.requestTrailers("a", "b")],
  proxy_on_response_headers: [1, (x: FakeExchange) => x.responseHead(true)],
  proxy_on_response_body: [1, (x: FakeExchange) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseData("abc", true);
  }],
  proxy_on_response_trailers: [1, (x: FakeExchange) => {
    x.response = { status: 200, fields: x.request.fields };
    return x.responseTrailers("a", "b");
  }],
} as const;
type Phase = keyof typeof PHASES;
const EVERY = Object.keys(PHASES) as Phase[];

const PAUSING = EVERY.map((phase): AbiCase => ({
  name: `flow: PAUSE in ${phase} holds until proxy_continue_stream`,
  wat: on(phase, "", 1) +
    ticking(TO_STREAM + ok(`(call $proxy_continue_stream ${int(PHASES[phase][0])})`)),
  run: (rig) => {
    const x = rig.exchange();
    const outcome = PHASES[phase][1](x);
    // Null: the body callback holds the flow.
    assert.ok(outcome === PAUSE || outcome === null, `came out as ${outcome}`);
    assert.equal(x.resumes, 0);
    rig.pass(110);
    assert.equal(x.resumes, 1);
    assert.equal(x.fault, null);
  },
}));

const reply = (status: number): string =>
  `(call $proxy_send_local_response ${int(status)} ${W.ref("one")} ${W.ref("two")} ${int(0)} ${
    int(0)
  } ${int(-1)})`;

const REPLIES = EVERY.filter((phase) => !phase.endsWith("trailers")).map((phase): AbiCase => ({
  name: `flow: a local response from ${phase} answers, whatever the callback returns`,
  wat: W.wat + on(phase, ok(reply(418)), 0),
  run: (rig) => {
    const x = rig.exchange();
    const outcome = PHASES[phase][1](x);
    assert.ok(outcome === DONE || outcome === "", `came out as ${outcome}`);
    assert.deepEqual([x.reply!.status, x.reply!.body], [418, "two"]);
  },
}));

const HEADERS = pairsWat([":method", "GET", ":path", "/", ":authority", "a"]);
const BARE = pairsWat([":method", "GET"]);
const NAMELESS = pairsWat([":method", "GET", ":path", "/", ":authority", ""]);
const ask = (name: "auth" | "nobody", pairs: number, size: number): string =>
  `(call $proxy_http_call ${W.ref(name)} ${int(pairs)} ${int(size)} ${int(0)} ${int(0)} ${int(0)} ${
    int(0)
  } ${int(500)} (i32.const 32))`;
const ASK = ask("auth", 3000, HEADERS.size);
const CALL_DATA =
  `${W.wat} (data (i32.const 3000) "${HEADERS.wat}") (data (i32.const 3500) "${BARE.wat}")
  (data (i32.const 3600) "${NAMELESS.wat}")`;
const answered = (code: string): string =>
  event("proxy_on_http_call_response", "i32 i32 i32 i32 i32", code);
const RESUME = TO_STREAM + ok(`(call $proxy_continue_stream ${int(0)})`);

const CALLS: readonly AbiCase[] = [
  {
    name:
      "http_call: the answer comes to the root context, with its body, and may resume the stream",
    wat: CALL_DATA + on("proxy_on_request_headers", ok(ASK), 1) +
      answered(
        note("(local.get 0)") + note("(local.get 2)") + note("(local.get 3)") +
          ok(`(call $proxy_get_buffer_bytes ${int(4)} ${int(0)} ${int(99)} ${OUT})`) + SAY + RESUME,
      ),
    run: (rig) => {
      const x = rig.exchange();
      assert.equal(x.requestHead(), PAUSE);
      rig.calls.made[0]!.answer(200, ["x-a", "b"], "yes");
      assert.equal(x.resumes, 1);
    },
    notes: ["1", "2", "3", "yes"],
  },
  {
    name: "http_call: one that times out is answered without headers",
    wat: CALL_DATA + on("proxy_on_request_headers", ok(ASK), 1) +
      answered(note("(local.get 2)") + note("(local.get 3)") + note("(local.get 4)") + RESUME),
    run: (rig) => {
      const x = rig.exchange();
      x.requestHead();
      rig.calls.made[0]!.fail();
      assert.equal(x.resumes, 1);
    },
    notes: ["0", "0", "0"],
  },
  {
    name: "http_call: an unknown upstream and missing pseudo headers are BAD_ARGUMENT",
    wat: CALL_DATA + on(
      "proxy_on_request_headers",
      note(ask("nobody", 3000, HEADERS.size)) + note(ask("auth", 3500, BARE.size)),
    ),
    run: (rig) => {
      assert.equal(rig.exchange().requestHead(), CONTINUE);
      assert.equal(rig.calls.made.length, 0);
    },
    notes: ["2", "2"],
  },
  {
    name: "http_call: an empty authority is the upstream's own",
    wat: CALL_DATA + on("proxy_on_request_headers", ok(ask("auth", 3600, NAMELESS.size))),
    run: (rig) => {
      rig.exchange().requestHead();
      assert.equal(rig.calls.made[0]!.request.head.authority, "auth.default");
    },
  },
  {
    name: "http_call: a tick may ask",
    wat: CALL_DATA + ticking(ok(ASK)) + answered(note("(local.get 3)")),
    run: (rig) => {
      rig.pass(110);
      rig.calls.made[0]!.answer(200, [], "four");
    },
    notes: ["4"],
  },
  {
    name: "http_call: an answer may ask again, and the numbers of calls differ",
    wat: CALL_DATA +
      on("proxy_on_request_headers", ok(ASK) + note("(i32.load (i32.const 32))"), 1) +
      answered(`(if (i32.eqz (local.get 3))
        (then ${ok(ASK)} ${note("(i32.load (i32.const 32))")})
        (else ${RESUME}))`),
    run: (rig) => {
      const x = rig.exchange();
      x.requestHead();
      rig.calls.made[0]!.answer(204);
      assert.equal(x.resumes, 0);
      rig.calls.made[1]!.answer(200, [], "now");
      assert.equal(x.resumes, 1);
      const [first, second] = rig.notes();
      assert.notEqual(first, second);
    },
  },
];

/** One exchange, from its head to its end. */
function whole(rig: AbiRig): void {
  const x = rig.exchange();
  x.requestHead();
  x.end();
}

const CONTEXTS: readonly AbiCase[] = [
  {
    name: "flow: of two local responses the first one stands",
    wat: W.wat + on("proxy_on_request_headers", note(reply(401)) + note(reply(500))),
    run: (rig) => {
      const x = rig.exchange();
      assert.equal(x.requestHead(), DONE);
      assert.equal(x.reply!.status, 401);
    },
    notes: ["0", "0"],
  },
  {
    name: "contexts: the one of an exchange that is over is no context any more",
    wat: on("proxy_on_request_headers", "") + event(
      "proxy_on_tick",
      "i32",
      note("(call $proxy_set_effective_context (i32.load (i32.const 36)))"),
    ) +
      on(
        "proxy_on_configure",
        ok("(call $proxy_set_tick_period_milliseconds (i32.const 100))"),
        1,
      ) +
      event("proxy_on_log", "i32", ""),
    run: (rig) => {
      whole(rig);
      rig.pass(110);
    },
    notes: ["2"],
  },
  {
    name: "contexts: a number nobody has is BAD_ARGUMENT, and so is a stream call on the root",
    wat: ticking(
      note("(call $proxy_set_effective_context (i32.const 12345))") +
        note(`(call $proxy_continue_stream ${int(0)})`),
    ),
    run: (rig) => rig.pass(110),
    notes: ["2", "2"],
  },
  {
    name: "contexts: numbers are never used again, and the parent is the root",
    wat: event(
      "proxy_on_context_create",
      "i32 i32",
      note("(local.get 0)") + note("(local.get 1)"),
    ) + on("proxy_on_request_headers", "") + event("proxy_on_delete", "i32", ""),
    run: (rig) => {
      for (let i = 0; i < 3; i++) whole(rig);
    },
    notes: ["1", "0", "2", "1", "3", "1", "4", "1"],
  },
  {
    name: "contexts: on_done, then on_log, then on_delete",
    wat: on("proxy_on_request_headers", "") + on("proxy_on_done", note(int(7)), 1) +
      event("proxy_on_log", "i32", note(int(8))) + event("proxy_on_delete", "i32", note(int(9))),
    run: whole,
    notes: ["7", "8", "9"],
  },
  {
    name: "contexts: on_done that says no waits for proxy_done",
    wat: on("proxy_on_request_headers", "") + on("proxy_on_done", note(int(7)), 0) +
      event("proxy_on_log", "i32", note(int(8))) + event("proxy_on_delete", "i32", note(int(9))) +
      ticking(TO_STREAM + ok("(call $proxy_done)") + note(int(6))),
    run: (rig) => {
      whole(rig);
      assert.deepEqual(rig.notes(), ["7"]);
      rig.pass(110);
    },
    notes: ["6", "8", "9"],
  },
];

export const FLOW: readonly AbiCase[] = [...PAUSING, ...REPLIES, ...CALLS, ...CONTEXTS];
