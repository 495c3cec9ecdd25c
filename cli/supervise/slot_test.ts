import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { Counter, Gauge } from "../../core/metrics.ts";
import { restartWaitMs, Slot, STEADY_MS } from "./slot.ts";
import { FakeWorker } from "./testing.ts";

/** A slot with its time and processes in the test's hands. */
function rig() {
  const started: FakeWorker[] = [];
  const waits: number[] = [];
  const clock = { now: 0, nowMs: () => 0, monotonicMs: () => clock.now };
  const crashes = new Counter(), handOvers = new Counter(), up = new Gauge();
  let due: (() => void) | null = null;
  const slot = new Slot({
    start: () => {
      const worker = new FakeWorker(started.length + 1);
      started.push(worker);
      return worker;
    },
    clock,
    log: silentLog,
    crashes,
    handOvers,
    up,
    later: (ms, then) => {
      waits.push(ms);
      due = then;
      return () => due = null;
    },
  });
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  return { slot, started, waits, clock, crashes, handOvers, up, settle, fire: () => due?.() };
}

async function serving(under: ReturnType<typeof rig>): Promise<void> {
  const ready = under.slot.start();
  under.started[0]!.serve();
  await ready;
}

Deno.test("Slot restarts a crashed worker at once, and crashes in a row later and later", async () => {
  const under = rig();
  await serving(under);
  under.started[0]!.end(1);
  await under.settle();
  assert.equal(under.started.length, 2);
  assert.equal(under.crashes.value, 1);
  assert.equal(under.up.value, 0);
  under.started[1]!.end(1); // before it served
  await under.settle();
  assert.deepEqual(under.waits, [100]);
  assert.equal(under.started.length, 2);
  under.fire();
  under.started[2]!.end(1);
  await under.settle();
  assert.deepEqual(under.waits, [100, 200]);
  assert.equal(under.crashes.value, 3);
});

Deno.test("Slot begins its back-off anew after a worker that was steady", async () => {
  const under = rig();
  await serving(under);
  for (const worker of [0, 1]) {
    under.started[worker]!.serve();
    await under.settle();
    under.clock.now += STEADY_MS;
    under.started[worker]!.end(1);
    await under.settle();
  }
  assert.equal(under.started.length, 3);
  assert.deepEqual(under.waits, []);
});

Deno.test("Slot keeps the old worker when the new one does not serve", async () => {
  const under = rig();
  await serving(under);
  const replacing = under.slot.replace();
  under.started[1]!.end(1);
  await assert.rejects(replacing);
  assert.equal(under.slot.ready?.pid, 1);
  assert.deepEqual(under.started[0]!.signals, []);
  assert.equal(under.crashes.value, 0);
});

Deno.test("Slot drains the old worker once the new one serves, which is no crash", async () => {
  const under = rig();
  await serving(under);
  const replacing = under.slot.replace();
  assert.deepEqual(under.started[0]!.signals, []);
  under.started[1]!.serve();
  assert.equal((await replacing).pid, 2);
  await under.settle();
  assert.deepEqual(under.started[0]!.signals, ["SIGTERM"]);
  assert.equal(under.handOvers.value, 1);
  assert.equal(under.crashes.value, 0);
  await under.slot.stop();
  assert.deepEqual(under.started[1]!.signals, ["SIGTERM"]);
});

Deno.test("Slot waits at most five seconds, however often a worker failed", () => {
  assert.deepEqual([1, 2, 3, 7, 50].map(restartWaitMs), [0, 100, 200, 3200, 5000]);
});
