/** Workloads: kept while their connection is briefly gone, forgotten when they leave or stay away. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import type { Workload } from "../snapshot/mod.ts";
import { MemoryStore } from "../store/memory.ts";
import { LOST_GRACE_MS, RESTART_GRACE_MS, Workloads } from "./workloads.ts";

class Time {
  ms = 1_000_000;
  nowMs = (): number => this.ms;
  monotonicMs = (): number => this.ms;
}

const WEB: Workload = {
  namespace: "default",
  service: "web",
  inbound: "127.0.0.1:1",
  labels: {},
  identity: "spiffe://mesh.local/ns/default/sa/web",
  healthy: true,
};

Deno.test("Workloads keeps one whose connection was lost until its grace is over", async () => {
  const clock = new Time();
  const workloads = await Workloads.open(new MemoryStore(), { clock, log: silentLog });
  workloads.register("w", WEB);
  workloads.lost("w");
  clock.ms += LOST_GRACE_MS - 1;
  workloads.sweep();
  assert.equal(workloads.all()[0]?.connected, false);
  workloads.register("w", WEB);
  clock.ms += LOST_GRACE_MS * 2;
  workloads.sweep();
  assert.equal(workloads.all()[0]?.connected, true, "it came back");
  workloads.lost("w");
  clock.ms += LOST_GRACE_MS;
  workloads.sweep();
  assert.deepEqual(workloads.all(), []);
});

Deno.test("Workloads forgets at once one that leaves", async () => {
  const store = new MemoryStore();
  const workloads = await Workloads.open(store, { clock: new Time(), log: silentLog });
  workloads.register("w", WEB);
  workloads.leave("w");
  assert.deepEqual(workloads.all(), []);
  await workloads.settled();
  assert.deepEqual((await store.list("")).entries, []);
});

Deno.test("Workloads remembers over a restart and gives up those that do not come back", async () => {
  const store = new MemoryStore(), clock = new Time();
  const before = await Workloads.open(store, { clock, log: silentLog });
  before.register("a", WEB);
  before.register("b", { ...WEB, inbound: "127.0.0.1:2" });
  await before.settled();
  const after = await Workloads.open(store, { clock, log: silentLog });
  assert.deepEqual(after.all().map((one) => [one.id, one.connected]), [["a", false], ["b", false]]);
  after.register("a", WEB);
  clock.ms += RESTART_GRACE_MS;
  after.sweep();
  assert.deepEqual(after.all().map((one) => one.id), ["a"]);
});

Deno.test("Workloads tells of changes that matter to others, and only of those", async () => {
  const workloads = await Workloads.open(new MemoryStore(), { clock: new Time(), log: silentLog });
  let changes = 0;
  workloads.onChange(() => changes++);
  workloads.register("w", WEB);
  workloads.register("w", WEB);
  workloads.lost("w");
  assert.equal(changes, 1);
  workloads.setHealthy("w", false);
  workloads.setHealthy("w", false);
  assert.equal(changes, 2);
  assert.equal(workloads.all()[0]?.healthy, false);
});
