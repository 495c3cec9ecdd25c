import assert from "node:assert/strict";
import { BUSY, HEAD, IDLE, type Phase } from "../core/stream.ts";
import { type Patience, Watch } from "./patience.ts";

const LIMITS = {
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  bodyMinRate: 100,
  idleTimeoutMs: 120_000,
  stallTimeoutMs: 300_000,
};

/** Looks once a second while `perSecond` bytes come in; the second at which it is not to stay, or -1. */
function lasts(
  seconds: number,
  phase: Phase,
  perSecond: number,
  more: { awaitsBody?: boolean; tunnels?: boolean; outPerSecond?: number } = {},
): [number, Patience] {
  const codec = { phase, awaitsBody: more.awaitsBody ?? false };
  const it = { activity: 0, received: 0, lastActiveMs: 0, codec };
  const startMs = 77_000; // clocks do not start with connections
  it.lastActiveMs = startMs;
  const watch = new Watch(startMs);
  for (let second = 1; second <= seconds; second++) {
    it.received += perSecond;
    it.activity += perSecond + (more.outPerSecond ?? 0);
    const patience = watch.look(it, LIMITS, startMs + second * 1000, more.tunnels ?? false);
    if (patience !== "stay") return [second, patience];
  }
  return [-1, "stay"];
}

Deno.test("Watch cuts a head off after its timeout, though bytes keep coming", () => {
  assert.deepEqual(lasts(60, HEAD, 5), [11, "cut"]);
});

Deno.test("Watch drains a connection that rests too long", () => {
  assert.deepEqual(lasts(300, IDLE, 0), [122, "drain"]);
});

Deno.test("Watch cuts a body that stops, and one below the least rate", () => {
  assert.deepEqual(lasts(100, BUSY, 0, { awaitsBody: true }), [30, "cut"]);
  assert.deepEqual(lasts(100, BUSY, 99, { awaitsBody: true })[1], "cut");
  assert.deepEqual(lasts(100, BUSY, 101, { awaitsBody: true }), [-1, "stay"]);
});

Deno.test("Watch has patience with a body that we hold back, and with an answer we owe", () => {
  assert.deepEqual(lasts(290, BUSY, 0), [-1, "stay"]);
  assert.deepEqual(lasts(400, BUSY, 0), [302, "cut"]);
  assert.deepEqual(lasts(400, BUSY, 0, { outPerSecond: 1 }), [-1, "stay"]);
});

Deno.test("Watch leaves tunnels to their own timeout", () => {
  assert.deepEqual(lasts(1000, BUSY, 0, { tunnels: true }), [-1, "stay"]);
});
