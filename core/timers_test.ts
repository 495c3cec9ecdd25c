import assert from "node:assert/strict";
import { Expires, Wheel } from "./timers.ts";

class Probe extends Expires {
  fired = 0;
  readonly #then: () => void;
  constructor(then: () => void = () => {}) {
    super();
    this.#then = then;
  }
  expired(): void {
    this.fired++;
    this.#then();
  }
}

function rig(): { wheel: Wheel; pass: (ms: number) => void } {
  let now = 1000;
  const wheel = new Wheel({ nowMs: () => now, monotonicMs: () => now }, { drive: false });
  return {
    wheel,
    pass(ms) {
      now += ms;
      wheel.advance();
    },
  };
}

Deno.test("Wheel expires an entry after its time and not before", () => {
  for (const ms of [1, 9, 10, 11, 995, 5119, 5120, 5121, 12_345]) {
    const { wheel, pass } = rig();
    const probe = new Probe();
    wheel.arm(probe, ms);
    pass(ms - 1);
    assert.equal(probe.fired, 0, `${ms} ms: early`);
    pass(1 + 2 * wheel.tickMs);
    assert.equal(probe.fired, 1, `${ms} ms: late`);
    assert.equal(wheel.armed, 0);
  }
});

Deno.test("Wheel forgets a disarmed entry and moves one that is armed again", () => {
  const { wheel, pass } = rig();
  const gone = new Probe(), moved = new Probe();
  wheel.arm(gone, 50);
  wheel.arm(moved, 50);
  wheel.disarm(gone);
  wheel.disarm(gone);
  wheel.arm(moved, 200);
  pass(100);
  assert.deepEqual([gone.fired, moved.fired], [0, 0]);
  pass(150);
  assert.deepEqual([gone.fired, moved.fired], [0, 1]);
});

Deno.test("Wheel lets an expiry disarm and re-arm its neighbours of the same slot", () => {
  const { wheel, pass } = rig();
  const disarmed = new Probe(), rearmed = new Probe();
  const first = new Probe(() => {
    wheel.disarm(disarmed);
    wheel.arm(rearmed, 500);
  });
  wheel.arm(disarmed, 50);
  wheel.arm(rearmed, 50);
  wheel.arm(first, 50); // last armed is swept first
  pass(70);
  assert.deepEqual([first.fired, disarmed.fired, rearmed.fired], [1, 0, 0]);
  pass(600);
  assert.deepEqual([disarmed.fired, rearmed.fired], [0, 1]);
});

Deno.test("Wheel keeps time across an idle gap", () => {
  const { wheel, pass } = rig();
  pass(60_000);
  const probe = new Probe();
  wheel.arm(probe, 100);
  pass(90);
  assert.equal(probe.fired, 0);
  pass(30);
  assert.equal(probe.fired, 1);
});
