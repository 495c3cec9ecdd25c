import assert from "node:assert/strict";
import { DEPARTED_LIMIT, EndpointStats, StatsTable } from "./stats.ts";

Deno.test("EndpointStats believes a slow answer at once and a fast one slowly", () => {
  const stats = new EndpointStats("a");
  stats.finished(0, 10, true);
  stats.finished(1, 500, true);
  assert.equal(stats.latencyMs(1), 500);
  stats.finished(2, 10, true);
  assert.ok(stats.latencyMs(2) > 450);
  for (let ms = 3; ms < 40_000; ms += 10) stats.finished(ms, 10, true);
  assert.ok(stats.latencyMs(40_000) < 20, String(stats.latencyMs(40_000)));
});

Deno.test("EndpointStats lets an old estimate fade, so that a slow endpoint is tried again", () => {
  const stats = new EndpointStats("a");
  stats.finished(0, 1000, true);
  assert.ok(stats.latencyMs(30_000) < 60);
});

Deno.test("EndpointStats makes failing fast look slow", () => {
  const failing = new EndpointStats("a"), working = new EndpointStats("b");
  for (let ms = 0; ms < 100; ms += 5) {
    failing.finished(ms, 0.1, false);
    working.finished(ms, 5, true);
  }
  assert.ok(failing.load(100) > 10 * working.load(100));
  assert.ok(failing.latencyMs(100) <= 1000);
});

Deno.test("EndpointStats weighs load by requests in flight, even when latency is nothing", () => {
  const stats = new EndpointStats("a");
  stats.started(0);
  stats.finished(0, 0, true);
  const idle = stats.load(0);
  for (let i = 0; i < 9; i++) stats.started(0);
  assert.ok(idle > 0);
  assert.ok(Math.abs(stats.load(0) - 10 * idle) < 1e-9);
});

Deno.test("EndpointStats gives a new endpoint one request, and more when it has answered", () => {
  const fresh = new EndpointStats("a"), known = new EndpointStats("b");
  known.finished(0, 20, true);
  assert.ok(fresh.load(0) < known.load(0));
  fresh.started(0);
  assert.ok(fresh.load(0) > known.load(0));
  fresh.finished(0, 5, true);
  assert.ok(fresh.load(0) < known.load(0));
});

Deno.test("EndpointStats counts requests in flight whatever way they end", () => {
  const stats = new EndpointStats("a");
  stats.started(0);
  stats.started(0);
  stats.finished(1, 1, true);
  stats.abandoned(1, 1);
  assert.equal(stats.inFlight, 0);
  stats.abandoned(1, 1);
  assert.equal(stats.inFlight, 0);
});

Deno.test("EndpointStats gets one probe after an ejection, however badly it failed before", () => {
  const ejected = new EndpointStats("a"), working = new EndpointStats("b");
  working.finished(0, 1, true);
  for (let i = 0; i < 20; i++) ejected.started(0);
  for (let i = 0; i < 10; i++) ejected.finished(0, 5, false);
  ejected.eject(100);
  for (let i = 0; i < 10; i++) ejected.finished(50, 5, false); // were under way
  assert.ok(ejected.load(101) < working.load(101));
  ejected.started(101);
  assert.ok(ejected.load(101) > working.load(101));
});

Deno.test("EndpointStats learns from an attempt that was given up that the endpoint is slow", () => {
  const hanging = new EndpointStats("a"), working = new EndpointStats("b");
  working.finished(0, 5, true);
  hanging.started(0);
  hanging.abandoned(1000, 1000);
  assert.equal(hanging.latencyMs(1000), 1000);
  hanging.abandoned(1001, 3);
  assert.ok(hanging.latencyMs(1001) > 990, "a short one does not make it fast");
  assert.ok(hanging.load(1001) > working.load(1001));
});

Deno.test("StatsTable gives the same object for an address over list updates", () => {
  const table = new StatsTable();
  const stats = table.of("10.0.0.1:80");
  stats.ejectedUntilMs = 5000;
  table.retain(["10.0.0.1:80", "10.0.0.2:80"]);
  table.retain(["10.0.0.2:80"]);
  table.retain(["10.0.0.1:80"]);
  assert.equal(table.of("10.0.0.1:80"), stats);
  assert.equal(table.of("10.0.0.1:80").ejected(4999), true);
});

Deno.test("StatsTable remembers only the latest departed addresses", () => {
  const table = new StatsTable();
  for (let i = 0; i < DEPARTED_LIMIT + 50; i++) table.retain([`10.0.0.${i}:80`]);
  assert.equal(table.size, DEPARTED_LIMIT + 1);
  const before = table.size;
  table.of(`10.0.0.${DEPARTED_LIMIT + 48}:80`);
  assert.equal(table.size, before, "the latest departed is still known");
});

Deno.test("StatsTable keeps a departed address that still has requests in flight", () => {
  const table = new StatsTable();
  const busy = table.of("busy:80");
  busy.started(0);
  for (let i = 0; i < DEPARTED_LIMIT + 50; i++) table.retain([`10.0.0.${i}:80`]);
  assert.equal(table.of("busy:80"), busy);
});
