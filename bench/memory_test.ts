/** What counts as little and flat. */
import assert from "node:assert/strict";
import { FLAT_BYTES_PER_MILLION, isWithin, MAX_RSS_BYTES } from "./memory.ts";
import { slope } from "./slope.ts";

const WITHIN = {
  idleBytes: 1,
  afterRequestsBytes: MAX_RSS_BYTES,
  afterConnectionsBytes: MAX_RSS_BYTES,
  peakBytes: 2 * MAX_RSS_BYTES,
  bytesPerMillionRequests: FLAT_BYTES_PER_MILLION,
  seenMb: [],
};

Deno.test("slope fits a line through points that scatter", () => {
  assert.equal(slope([[0, 1], [1, 3], [2, 5]]), 2);
  assert.equal(slope([[0, 0], [0, 9]]), 0);
  assert.equal(slope([]), 0);
  assert.ok(Math.abs(slope([[0, 5], [1, 3], [2, 5], [3, 3]])) < 0.5);
});

Deno.test("isWithin wants memory low after requests and after connections, and flat", () => {
  assert.ok(isWithin(WITHIN));
  assert.ok(!isWithin({ ...WITHIN, afterRequestsBytes: MAX_RSS_BYTES + 1 }));
  assert.ok(!isWithin({ ...WITHIN, afterConnectionsBytes: MAX_RSS_BYTES + 1 }));
  assert.ok(!isWithin({ ...WITHIN, bytesPerMillionRequests: FLAT_BYTES_PER_MILLION + 1 }));
});
