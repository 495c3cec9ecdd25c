/** Once an exchange is over no filter hears of it again, but for onEnd (CVE-2026-26311: decode after reset). */
import assert from "node:assert/strict";
import { FAULTS } from "../core/fault.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  PAUSE,
  REQUEST,
  RESPONSE,
} from "../core/filter.ts";
import { Fields } from "../core/fields.ts";
import { bytes, request, response, rig } from "./testing.ts";

/** Notes every hook that is called. */
function spy(calls: string[]): Filter {
  const note = (what: string) => (): typeof CONTINUE => (calls.push(what), CONTINUE);
  const noteData = (what: string) => (_c: FilterContext, data: Uint8Array): Uint8Array => {
    calls.push(what);
    return data;
  };
  return {
    onRequestHead: note("request head"),
    onRequestData: noteData("request data"),
    onRequestTrailers: note("request trailers"),
    onAttempt: note("attempt"),
    onOutcome: note("outcome"),
    onResponseHead: note("response head"),
    onResponseData: noteData("response data"),
    onResponseTrailers: note("response trailers"),
  };
}

const GONE = FAULTS["downstream.gone"];

Deno.test("A request that was reset while a filter held it goes to no later filter", () => {
  const calls: string[] = [];
  let held: FilterContext | null = null;
  const pause: Filter = { onRequestHead: (c) => (held = c, PAUSE) };
  const { x, tries } = rig([pause, spy(calls)]);
  x.head(request("POST"), false);
  x.data(bytes("a"), false);
  x.abort(GONE);
  held!.resume(REQUEST);
  x.data(bytes("b"), false);
  x.trailers(new Fields());
  assert.deepEqual(calls, []);
  assert.equal(tries.length, 0);
});

Deno.test("A filter that ends the exchange and says CONTINUE is the last one called", () => {
  const calls: string[] = [];
  const end: Filter = { onRequestHead: (c) => (c.fail(FAULTS["filter.threw"]), CONTINUE) };
  const { x, down, tries } = rig([end, spy(calls)]);
  x.head(request(), true);
  assert.deepEqual(calls.filter((call) => call.startsWith("request")), []);
  assert.equal(tries.length, 0);
  assert.match(down.log[0]!, /^head 500/);
});

Deno.test("A response that comes after the reset goes to no filter and to no client", () => {
  const calls: string[] = [];
  const { x, down, tries } = rig([spy(calls)]);
  x.head(request(), true);
  x.abort(GONE);
  calls.length = 0;
  const { into } = tries[0]!;
  into.info(response(103));
  into.head(response(200), false);
  into.data(bytes("late"), false);
  into.trailers(new Fields());
  assert.deepEqual(calls, []);
  assert.deepEqual(down.log, []);
});

Deno.test("A response that was reset while a filter held it goes to no later filter", () => {
  const calls: string[] = [];
  let held: FilterContext | null = null;
  const pause: Filter = { onResponseHead: (c) => (held = c, PAUSE) };
  // Responses run through the filters in reverse order.
  const { x, down, tries } = rig([spy(calls), pause]);
  x.head(request(), true);
  tries[0]!.into.head(response(200), false);
  tries[0]!.into.data(bytes("a"), true);
  calls.length = 0;
  x.abort(GONE);
  held!.resume(RESPONSE);
  assert.deepEqual(calls, []);
  assert.deepEqual(down.log.filter((line) => line.startsWith("head")), []);
});
