import assert from "node:assert/strict";
import { turnBegins, TurnClock, turnEnds } from "./turn_clock.ts";

Deno.test("TurnClock stands still within a turn and is the clock below outside of one", () => {
  let now = 0, asked = 0;
  const clock = new TurnClock({
    nowMs: () => 0,
    monotonicMs: () => {
      asked++;
      return ++now;
    },
  });
  assert.deepEqual([clock.monotonicMs(), clock.monotonicMs()], [1, 2]);
  turnBegins();
  assert.deepEqual([clock.monotonicMs(), clock.monotonicMs()], [3, 3]);
  turnEnds();
  assert.equal(clock.monotonicMs(), 4);
  turnBegins();
  assert.deepEqual([clock.monotonicMs(), clock.monotonicMs()], [5, 5]);
  turnEnds();
  assert.equal(asked, 5);
});
