/** The list of revocations: kept over restarts, dropped when it means nothing any more, bounded. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { MAX_REVOCATIONS } from "../../proxy/tls/mod.ts";
import { MemoryStore } from "../store/memory.ts";
import {
  KEPT_AFTER_EXPIRY_MS,
  type Revocation,
  RevocationList,
  RevocationsFullError,
} from "./revocations.ts";
import { findIssuance } from "./issued.ts";
import { IssuanceLog } from "./issuance_log.ts";

const WEB = "spiffe://mesh.local/ns/default/sa/web";
const clock = { ms: 1_000_000, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
const options = { clock, log: silentLog };

function revocation(over: Partial<Revocation> = {}): Revocation {
  const rest = { reason: "stolen", author: "ann", createdMs: clock.ms, expiresMs: null };
  return { kind: "identity", subject: WEB, ...rest, ...over };
}

Deno.test("RevocationList keeps who revoked what and why, over a restart", async () => {
  const store = new MemoryStore();
  const list = await RevocationList.open(store, options);
  assert.equal(list.spec, undefined);
  assert.equal(await list.add(revocation()), true);
  assert.equal(await list.add(revocation({ author: "bob" })), false);
  await list.add(revocation({ kind: "serial", subject: "5F", expiresMs: clock.ms + 1000 }));
  const again = await RevocationList.open(store, options);
  assert.deepEqual(again.all().map((one) => one.author), ["ann", "ann"]);
  assert.deepEqual(again.spec, { serials: ["5F"], identities: [WEB], keys: [] });
  assert.equal(await again.undo(WEB, "bob"), true);
  assert.equal(await again.undo(WEB, "bob"), false);
  assert.equal(again.has(WEB), false);
  assert.equal((await RevocationList.open(store, options)).all().length, 1);
});

Deno.test("RevocationList drops a serial an hour after its certificate's end, and no identity", async () => {
  const list = await RevocationList.open(new MemoryStore(), options);
  await list.add(revocation());
  await list.add(revocation({ kind: "serial", subject: "5F", expiresMs: clock.ms + 1000 }));
  const told = Promise.withResolvers<void>();
  list.onChange(() => told.resolve());
  clock.ms += 1000 + KEPT_AFTER_EXPIRY_MS;
  list.sweep();
  assert.equal(list.all().length, 2);
  clock.ms++;
  list.sweep();
  await told.promise;
  assert.deepEqual(list.spec, { serials: [], identities: [WEB], keys: [] });
});

Deno.test("RevocationList holds as many as proxies do, and says so when it is full", async () => {
  const store = new MemoryStore();
  const many = Array.from(
    { length: MAX_REVOCATIONS },
    (_, n) => revocation({ kind: "serial", subject: n.toString(16).toUpperCase() }),
  );
  await store.put("revocations", JSON.stringify(many), null);
  const list = await RevocationList.open(store, options);
  await assert.rejects(list.add(revocation()), RevocationsFullError);
  assert.equal(await list.undo("0", "ann"), true);
  assert.equal(await list.add(revocation()), true);
});

Deno.test("RevocationList makes changes that come together one after the other", async () => {
  const store = new MemoryStore();
  const list = await RevocationList.open(store, options);
  const subjects = ["A", "B", "C", "D"];
  await Promise.all(subjects.map((subject) => list.add(revocation({ kind: "serial", subject }))));
  assert.deepEqual((await RevocationList.open(store, options)).spec?.serials, subjects);
});

Deno.test("findIssuance finds a serial in the log and in what was put aside, and no half line", async () => {
  const dir = await Deno.makeTempDir();
  const file = `${dir}/issued.jsonl`;
  assert.equal(await findIssuance(file, "0A"), null);
  const log = await IssuanceLog.open(file, { maxBytes: 1000 });
  const times = {
    time: "",
    notBefore: "",
    notAfter: "2026-01-01T00:00:00.000Z",
    key: "",
    issuer: "",
  };
  for (let n = 10; n < 20; n++) {
    await log.append({ ...times, serial: n.toString(16).toUpperCase(), identity: WEB });
  }
  for (const serial of ["A", "13"]) {
    assert.equal((await findIssuance(file, serial))?.serial, serial);
  }
  assert.equal(await findIssuance(file, "1"), null);
  await Deno.writeTextFile(file, '{"time":"","serial":"FF","ident', { append: true });
  assert.equal(await findIssuance(file, "FF"), null);
  await Deno.remove(dir, { recursive: true });
});
