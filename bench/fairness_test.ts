/** What the three measurements of a round say. */
import assert from "node:assert/strict";
import { figuresOf } from "./fairness.ts";
import type { LatencyReport } from "./load_client/schedule.ts";

const small = (p50Us: number, p99Us: number): LatencyReport => ({
  requests: 2000,
  failures: 0,
  p50Us,
  p99Us,
  p999Us: p99Us * 2,
  maxUs: p99Us * 3,
  lateP50Us: 1,
  lateP99Us: 2,
});

Deno.test("figuresOf divides the p99 beside a download by that alone and by that beside one apart", () => {
  const figures = figuresOf(
    small(500, 2000),
    { small: small(900, 5000), download: { bytes: 1.2e9, seconds: 4 } },
    { small: small(800, 4000), download: { bytes: 1e9, seconds: 8 } },
    3,
  );
  assert.deepEqual(figures, {
    aloneP50Us: 500,
    aloneP99Us: 2000,
    besideP50Us: 900,
    besideP99Us: 5000,
    apartP50Us: 800,
    apartP99Us: 4000,
    moved: 2.5,
    movedBySharing: 1.25,
    mbPerSecond: 300,
    apartMbPerSecond: 125,
    othersPercent: 3,
  });
});
