/** The kept identity: read back, private, and ignored with a sentence when it is of no use. */
import assert from "node:assert/strict";
import { createLog } from "../../core/log.ts";
import { TestDomain } from "../../tests/support/ca.ts";
import { Backoff, BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from "./backoff.ts";
import { readIdentity, writeIdentity } from "./identity_store.ts";

const HOUR_MS = 3_600_000;

Deno.test("readIdentity gives back what was written, while it is in date and nobody else can read it", async () => {
  const dir = await Deno.makeTempDir();
  const domain = new TestDomain("mesh.test");
  const logged: string[] = [];
  const log = createLog((line) => logged.push(line));
  const nowMs = (): number => domain.nowMs;
  const id = domain.id("web");
  assert.equal(await readIdentity(dir, id, { log, nowMs }), null);
  assert.deepEqual(logged, [], "having none is nothing to complain about");

  await writeIdentity(dir, domain.material("web"));
  assert.equal((await Deno.stat(`${dir}/identity.json`)).mode! & 0o777, 0o600);
  assert.equal((await readIdentity(dir, id, { log, nowMs }))?.id, id);

  const later = () => domain.nowMs + 1000 * HOUR_MS;
  assert.equal(await readIdentity(dir, id, { log, nowMs: later }), null);
  assert.match(logged.at(-1)!, /expired.*fresh join token/);
  assert.equal(await readIdentity(dir, domain.id("api"), { log, nowMs }), null);
  assert.match(logged.at(-1)!, /it is that of/);
  await Deno.chmod(`${dir}/identity.json`, 0o640);
  assert.equal(await readIdentity(dir, id, { log, nowMs }), null);
  assert.match(logged.at(-1)!, /no secret/);
  await Deno.chmod(`${dir}/identity.json`, 0o600);
  await Deno.writeTextFile(`${dir}/identity.json`, "{");
  assert.equal(await readIdentity(dir, id, { log, nowMs }), null);
  assert.match(logged.at(-1)!, /damaged/);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("Backoff doubles up to its longest wait, with jitter, and begins anew after a success", () => {
  const most = new Backoff(() => 1 - Number.EPSILON), least = new Backoff(() => 0);
  const waits = Array.from({ length: 8 }, () => Math.round(most.next()));
  assert.deepEqual(waits, [200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.equal(least.next(), BACKOFF_FIRST_MS / 2);
  for (let i = 0; i < 100; i++) assert.ok(most.next() <= BACKOFF_MAX_MS);
  most.reset();
  assert.equal(Math.round(most.next()), BACKOFF_FIRST_MS);
});
