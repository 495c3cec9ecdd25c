import assert from "node:assert/strict";
import { silentLog } from "../../core/log.ts";
import { AFTER_FAILURE_MS, LEAST_TTL_MS, MAX_ADDRESSES, Names, type Resolved } from "./names.ts";

function rig() {
  let now = 1000, changes = 0;
  const asked: string[] = [];
  let answer: () => Promise<Resolved[]> = () => Promise.reject(new Error("no server"));
  const names = new Names({
    resolve: (name) => {
      asked.push(name);
      return answer();
    },
    monotonicMs: () => now,
    log: silentLog,
    changed: () => changes++,
  });
  return {
    names,
    asked,
    changes: () => changes,
    pass: (ms: number) => void (now += ms),
    says: (ttlS: number, ...addresses: string[]) => {
      answer = () => Promise.resolve(addresses.map((address) => ({ address, ttlS })));
    },
    fails: () => answer = () => Promise.reject(new Error("no server")),
    settle: () => new Promise((resolve) => setTimeout(resolve, 0)),
  };
}

const DB = new Set(["db.example"]);

Deno.test("Names gives all addresses and asks again when the ttl is over, not before", async () => {
  const { names, says, asked, pass, settle } = rig();
  says(30, "10.0.0.2", "10.0.0.1");
  await names.watch(DB);
  assert.deepEqual(names.addresses("db.example"), ["10.0.0.1", "10.0.0.2"]);
  pass(29_000);
  names.sweep();
  assert.equal(asked.length, 1);
  pass(1_000);
  says(30, "10.0.0.3");
  names.sweep();
  // Whoever asks meanwhile gets the old answer at once.
  assert.deepEqual(names.addresses("db.example"), ["10.0.0.1", "10.0.0.2"]);
  await settle();
  assert.deepEqual(names.addresses("db.example"), ["10.0.0.3"]);
});

Deno.test("Names tells of a change, not of the same addresses in another order", async () => {
  const { names, says, changes, pass, settle } = rig();
  says(10, "10.0.0.1", "10.0.0.2");
  await names.watch(DB);
  const first = changes();
  says(10, "10.0.0.2", "10.0.0.1");
  pass(10_000);
  names.sweep();
  await settle();
  assert.equal(changes(), first);
  says(10, "10.0.0.2");
  pass(10_000);
  names.sweep();
  await settle();
  assert.equal(changes(), first + 1);
});

Deno.test("Names keeps the last good addresses while the resolver fails, and asks again soon", async () => {
  const { names, says, fails, asked, pass, settle } = rig();
  says(10, "10.0.0.1");
  await names.watch(DB);
  fails();
  for (let i = 0; i < 3; i++) {
    pass(10_000);
    names.sweep();
    await settle();
  }
  assert.deepEqual(names.addresses("db.example"), ["10.0.0.1"]);
  pass(AFTER_FAILURE_MS - 1);
  names.sweep();
  assert.equal(asked.length, 4);
  pass(1);
  names.sweep();
  assert.equal(asked.length, 5);
});

Deno.test("Names does not take an empty answer, nor a ttl of nothing, by its word", async () => {
  const { names, says, asked, pass, settle } = rig();
  says(0, "10.0.0.1");
  await names.watch(DB);
  pass(LEAST_TTL_MS - 1);
  names.sweep();
  assert.equal(asked.length, 1);
  says(10);
  pass(1);
  names.sweep();
  await settle();
  assert.deepEqual(names.addresses("db.example"), ["10.0.0.1"]);
});

Deno.test("Names takes at most its limit of addresses and forgets names nobody wants", async () => {
  const { names, says, asked, pass } = rig();
  says(10, ...Array.from({ length: MAX_ADDRESSES + 40 }, (_, i) => `10.0.1.${i}`));
  await names.watch(DB);
  assert.equal(names.addresses("db.example")?.length, MAX_ADDRESSES);
  await names.watch(new Set());
  pass(60_000);
  names.sweep();
  assert.equal(asked.length, 1);
  assert.equal(names.addresses("db.example"), null);
});

Deno.test("Names has no answer for a name that never resolved, and does not hold up for ever", async () => {
  const { names, fails } = rig();
  fails();
  await names.watch(DB);
  assert.equal(names.addresses("db.example"), null);
});
