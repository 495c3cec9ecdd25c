/** Who may still serve with a certificate of ours, over lost connections and restarts. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { MemoryStore } from "../store/memory.ts";
import { MAX_ROSTER, Roster } from "./roster.ts";

const WEB = { name: "sidecar default/web", identity: "spiffe://mesh.local/ns/default/sa/web" };
const clock = { ms: 1_000_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
const options = { clock, log: silentLog };

Deno.test("Roster remembers over a restart who was away, until the certificate ends", async () => {
  const store = new MemoryStore();
  const roster = await Roster.open(store, options);
  roster.seen("a", { ...WEB, certExpiresMs: clock.ms + 5000, issuer: "old", trust: "t1" });
  roster.seen("a", { ...WEB, issuer: "new" });
  await roster.settled();
  const again = await Roster.open(store, options);
  assert.deepEqual(again.all(), [{
    ...{ ...WEB, id: "a", connected: false, issuer: "new", trust: "t1" },
    certExpiresMs: clock.ms + 5000,
  }]);
  clock.ms += 5000;
  again.sweep();
  assert.equal(again.all().length, 1);
  clock.ms++;
  again.sweep();
  await again.settled();
  assert.deepEqual((await Roster.open(store, options)).all(), []);
});

Deno.test("Roster keeps who went without a word, and nobody who stopped in order", async () => {
  const store = new MemoryStore();
  const roster = await Roster.open(store, options);
  for (const id of ["lost", "stopped"]) {
    roster.seen(id, { ...WEB, certExpiresMs: clock.ms + 5000 });
  }
  roster.gone("lost", false);
  roster.gone("stopped", true);
  roster.gone("never heard of", true);
  assert.deepEqual(roster.all().map((one) => [one.id, one.connected]), [["lost", false]]);
  await roster.settled();
  assert.equal((await Roster.open(store, options)).all().length, 1);
});

Deno.test("Roster holds a connected proxy whatever its certificate says, and is bounded", async () => {
  const lines: string[] = [];
  const log = { ...silentLog, error: (msg: string) => lines.push(msg) };
  const roster = await Roster.open(new MemoryStore(), { clock, log: log as typeof silentLog });
  for (let n = 0; n < MAX_ROSTER; n++) roster.seen(String(n), { ...WEB, certExpiresMs: 0 });
  roster.seen("one more", WEB);
  roster.sweep();
  assert.equal(roster.all().length, MAX_ROSTER);
  assert.deepEqual(lines, ["roster.full"]);
  await roster.settled();
});
