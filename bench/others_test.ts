/** Whose CPU time was it: read from /proc as the kernel prints it. */
import assert from "node:assert/strict";
import { busyTicks, parseStat, ticksBelow } from "./others.ts";

Deno.test("busyTicks counts all but idle and waiting", () => {
  assert.equal(busyTicks("cpu  100 20 3 9999 739 7 920 26 0 0\ncpu0 1 1 1 1 1 0 1 1 0 0\n"), 1076);
});

Deno.test("parseStat reads a process whose name has spaces and parentheses", () => {
  const stat = "10769 (V8 (x) w) S 12 10769 10769 0 -1 4194304 1 2 3 4 100 20 7 3 20 0 8 0 900";
  assert.deepEqual(parseStat(stat), { pid: 10769, parent: 12, ticks: 130 });
});

Deno.test("ticksBelow adds up a process and its descendants, and nobody else", () => {
  const all = [
    { pid: 1, parent: 0, ticks: 1000 },
    { pid: 10, parent: 1, ticks: 1 },
    { pid: 11, parent: 10, ticks: 2 },
    { pid: 12, parent: 11, ticks: 4 },
    { pid: 20, parent: 1, ticks: 500 },
  ];
  assert.equal(ticksBelow(10, all), 7);
  assert.equal(ticksBelow(99, all), 0);
});
