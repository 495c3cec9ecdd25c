/** The ledger: whole revisions, history, comparison, return, and two writers on one store. */
import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import type { Resource } from "../schema/kinds.ts";
import { parseDocuments } from "../schema/parse.ts";
import { type CommitRequest, Ledger, LEDGER_LIMITS, LedgerFullError } from "./ledger.ts";
import { MemoryStore } from "./memory.ts";
import { type Edit, subject } from "./revision.ts";

const clock = { nowMs: () => 1_800_000_000_000, monotonicMs: () => 0 };
const options = { clock, log: silentLog };

function service(name: string, port: number): Resource {
  const { resources, errors } = parseDocuments([{
    apiVersion: "denim.dev/v1",
    kind: "Service",
    metadata: { name },
    spec: { ports: [{ port }] },
  }]);
  assert.deepEqual(errors, []);
  return resources[0]!;
}

function put(...resources: Resource[]): CommitRequest {
  const edits: Edit[] = resources.map((one) => ({ put: one }));
  return { edits: () => edits, check: () => {}, author: "ann", message: "test" };
}

function remove(name: string): CommitRequest {
  const edits: Edit[] = [{ remove: { kind: "Service", namespace: "default", name } }];
  return { ...put(), edits: () => edits };
}

async function withLedger(run: (ledger: Ledger, store: MemoryStore) => Promise<void>) {
  const store = new MemoryStore();
  const ledger = await Ledger.open(store, options);
  await run(ledger, store);
  await ledger.close();
}

const LARGE = 10_000_000;

const ports = (ledger: Ledger): Record<string, unknown> =>
  Object.fromEntries(
    ledger.resources().map((one) => [
      one.metadata.name,
      one.kind === "Service" ? one.spec.ports[0]?.port : null,
    ]),
  );

Deno.test("Ledger makes one revision of one apply", () =>
  withLedger(async (ledger) => {
    const made = await ledger.commit(put(service("a", 1), service("b", 2)));
    assert.equal(made.revision, 1);
    assert.deepEqual(made.changes.map((one) => [one.action, subject(one).metadata.name]), [
      ["created", "a"],
      ["created", "b"],
    ]);
    assert.deepEqual(ports(ledger), { a: 1, b: 2 });
    const [record] = ledger.recent(10);
    assert.equal(record?.author, "ann");
    assert.equal(record?.parent, 0);
    assert.equal(record?.createdMs, clock.nowMs());
  }));

Deno.test("Ledger makes no revision when nothing changes, it is tried only, or the check throws", () =>
  withLedger(async (ledger) => {
    await ledger.commit(put(service("a", 1)));
    assert.deepEqual(await ledger.commit(put(service("a", 1))), { revision: 1, changes: [] });
    const tried = await ledger.commit({ ...put(service("a", 9)), dryRun: true });
    assert.equal(tried.changes.length, 1);
    const check = () => {
      throw new Error("no");
    };
    await assert.rejects(ledger.commit({ ...put(service("a", 9)), check }), /no/);
    assert.equal(ledger.head, 1);
    assert.deepEqual(ports(ledger), { a: 1 });
  }));

Deno.test("Ledger counts generations and keeps the age of a resource", () =>
  withLedger(async (ledger) => {
    await ledger.commit(put(service("a", 1)));
    const born = ledger.resources()[0]!.metadata.creationTimestamp;
    await ledger.commit(put(service("a", 2)));
    const { metadata } = ledger.resources()[0]!;
    assert.equal(metadata.generation, 2);
    assert.equal(metadata.creationTimestamp, born);
  }));

Deno.test("Ledger knows every past state and goes back by a new revision", () =>
  withLedger(async (ledger) => {
    await ledger.commit(put(service("a", 1)));
    await ledger.commit(put(service("a", 2), service("b", 3)));
    await ledger.commit(remove("a"));
    assert.equal((await ledger.stateAt(0))?.size, 0);
    assert.equal((await ledger.stateAt(2))?.size, 2);
    assert.equal(await ledger.stateAt(4), null);
    const diff = await ledger.diff(1, 3);
    assert.deepEqual(diff?.map((one) => [one.action, subject(one).metadata.name]), [
      ["deleted", "a"],
      ["created", "b"],
    ]);
    const back = (await ledger.editsTo(1))!;
    const made = await ledger.commit({ ...put(), edits: () => back });
    assert.equal(made.revision, 4);
    assert.deepEqual(ports(ledger), { a: 1 });
    assert.deepEqual(await ledger.diff(1, 4), []);
  }));

Deno.test("Ledger reads itself back from its store, past checkpoints and cleared records", async () => {
  const store = new MemoryStore();
  const before = await Ledger.open(store, options);
  const count = LEDGER_LIMITS.revisions + 60;
  for (let i = 1; i <= count; i++) {
    await before.commit(put(service("a", i), service(`s${i % 7}`, i)));
  }
  await before.close();
  const after = await Ledger.open(store, options);
  assert.equal(after.head, count);
  assert.deepEqual(ports(after), ports(before));
  assert.equal(after.recent(1000).length, LEDGER_LIMITS.recent);
  assert.equal(await after.stateAt(5), null, "cleared");
  assert.equal(
    (await after.stateAt(count - 900))?.get("Service default/a")?.metadata.generation,
    count - 900,
  );
  await after.close();
});

Deno.test("Ledgers on one store see each other and never make the same revision", async () => {
  const store = new MemoryStore();
  const [one, two] = [await Ledger.open(store, options), await Ledger.open(store, options)];
  const work = Array.from(
    { length: 20 },
    (_, i) => (i % 2 === 0 ? one : two).commit(put(service(`s${i}`, i + 1))),
  );
  const revisions = (await Promise.all(work)).map((made) => made.revision);
  assert.equal(new Set(revisions).size, 20);
  // A commit of one that is based on everything shows that it has seen everything.
  await two.commit(put(service("last", 1)));
  await one.commit(put(service("verylast", 1)));
  assert.equal(one.head, 22);
  assert.equal(one.resources().length, 22);
  await Promise.all([one.close(), two.close()]);
});

Deno.test("Ledger clears old records when they are too many characters, and keeps what they made", async () => {
  const store = new MemoryStore();
  const ledger = await Ledger.open(store, options);
  const large = (i: number): Resource => {
    const one = service(`s${i}`, 1);
    // Larger than any document may be, so that few are enough.
    const annotations = { text: String(i % 10).repeat(LARGE) };
    return { ...one, metadata: { ...one.metadata, annotations } } as Resource;
  };
  const count = Math.ceil(LEDGER_LIMITS.recordChars / LARGE) + 2;
  for (let i = 1; i <= count; i++) {
    await ledger.commit(put(large(i)));
    await ledger.commit(remove(`s${i}`));
  }
  await ledger.commit(put(service("last", 1)));
  const { entries } = await store.list("revisions/");
  const chars = entries.reduce((sum, one) => sum + one.value.length, 0);
  assert.ok(chars <= LEDGER_LIMITS.recordChars, `${chars} characters are kept`);
  await ledger.close();
  const again = await Ledger.open(store, options);
  assert.equal(again.head, count * 2 + 1);
  assert.deepEqual(ports(again), { last: 1 });
  assert.equal(await again.stateAt(1), null);
  await again.close();
});

Deno.test("Ledger refuses to grow beyond its limits, and lets a full mesh shrink", () =>
  withLedger(async (ledger) => {
    const many = Array.from({ length: LEDGER_LIMITS.resources }, (_, i) => service(`s${i}`, 1));
    await ledger.commit(put(...many));
    await assert.rejects(ledger.commit(put(service("more", 1))), LedgerFullError);
    assert.equal(ledger.head, 1);
    await ledger.commit(remove("s0"));
    await ledger.commit(put(service("more", 1)));
    const one = service("s1", 1);
    const annotations = { text: "x".repeat(LEDGER_LIMITS.stateChars) };
    const large = { ...one, metadata: { ...one.metadata, annotations } } as Resource;
    await assert.rejects(ledger.commit(put(large)), /characters of resources/);
  }));
