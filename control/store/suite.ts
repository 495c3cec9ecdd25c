/** What every store promises, as tests: run by each implementation's own test file. */
import assert from "node:assert/strict";
import { type Change, CompactedError, ConflictError, type Store, STORE_LIMITS } from "./store.ts";

/** `open` gives a new, empty store. */
export function storeSuite(name: string, open: () => Promise<Store>): void {
  const test = (does: string, run: (store: Store) => Promise<void>): void => {
    Deno.test(`${name} ${does}`, async () => {
      const store = await open();
      try {
        await run(store);
      } finally {
        await store.close();
      }
    });
  };

  test("gives back what was put", async (store) => {
    assert.equal(await store.get("a/b"), null);
    const revision = await store.put("a/b", '{"x":"ü\\u0000"}', null);
    assert.deepEqual(await store.get("a/b"), { key: "a/b", value: '{"x":"ü\\u0000"}', revision });
  });

  test("refuses a put whose expectation does not hold", async (store) => {
    const first = await store.put("k", "1", null);
    await assert.rejects(store.put("k", "2", null), ConflictError);
    const second = await store.put("k", "2", first);
    assert.ok(second > first);
    await assert.rejects(store.put("k", "3", first), ConflictError);
    await assert.rejects(store.put("none", "3", 1), ConflictError);
    assert.equal((await store.get("k"))?.value, "2");
  });

  test("lets one of many writers with the same expectation win", async (store) => {
    const base = await store.put("k", "0", null);
    const tries = Array.from({ length: 10 }, (_, i) => store.put("k", `${i}`, base));
    const done = await Promise.allSettled(tries);
    assert.equal(done.filter((one) => one.status === "fulfilled").length, 1);
  });

  test("deletes by expectation, and a deleted key is new again", async (store) => {
    const first = await store.put("k", "1", null);
    await assert.rejects(store.delete("k", first + 1), ConflictError);
    const gone = await store.delete("k", first);
    assert.equal(await store.get("k"), null);
    await assert.rejects(store.delete("k", first), ConflictError);
    assert.ok(await store.put("k", "2", null) > gone);
  });

  test("lists by prefix in key order with the revision read at", async (store) => {
    for (const key of ["b/2", "a/1", "b/1", "b.1", "b/10"]) await store.put(key, key, null);
    const { entries, revision } = await store.list("b/");
    assert.deepEqual(entries.map((one) => one.key), ["b/1", "b/10", "b/2"]);
    assert.equal(revision, 5);
    assert.equal((await store.list("")).entries.length, 5);
  });

  test("watches from a revision: every change, in order, once", async (store) => {
    await store.put("a", "1", null);
    const since = (await store.list("")).revision;
    const stop = new AbortController();
    const seen: Change[] = [];
    const watching = (async () => {
      for await (const change of store.watch("", since, stop.signal)) {
        seen.push(change);
        if (seen.length === 303) stop.abort();
      }
    })();
    let revision: number | null = null;
    for (let i = 0; i < 300; i++) revision = await store.put("b", `${i}`, revision);
    await store.delete("b", revision!);
    await store.put("c", "x", null);
    await store.put("d", "y", null);
    await watching;
    assert.deepEqual(seen.map((one) => one.revision), seen.map((_, i) => since + 1 + i));
    assert.deepEqual(
      seen.slice(0, 300).map((one) => one.value),
      seen.slice(0, 300).map((_, i) => `${i}`),
    );
    assert.deepEqual(seen.slice(300).map((one) => [one.key, one.value]), [
      ["b", null],
      ["c", "x"],
      ["d", "y"],
    ]);
  });

  test("watches only what is below the prefix", async (store) => {
    const stop = new AbortController();
    const watching = first(store.watch("yes/", 0, stop.signal));
    await store.put("no/1", "", null);
    await store.put("yes/1", "", null);
    assert.equal((await watching)?.key, "yes/1");
    stop.abort();
  });

  test("gives a late watcher what happened before it came", async (store) => {
    const made = await store.put("k", "1", null);
    await store.delete("k", made);
    const seen: (string | null)[] = [];
    const stop = new AbortController();
    for await (const change of store.watch("", 0, stop.signal)) {
      seen.push(change.value);
      if (seen.length === 2) stop.abort();
    }
    assert.deepEqual(seen, ["1", null]);
  });

  test("tells a watcher that comes too late instead of leaving a gap", async (store) => {
    let revision: number | null = null;
    for (let i = 0; i < STORE_LIMITS.changes + 100; i++) {
      revision = await store.put("k", `${i}`, revision);
    }
    await assert.rejects(first(store.watch("", 0, new AbortController().signal)), CompactedError);
    const recent = await first(store.watch("", revision! - 1, new AbortController().signal));
    assert.equal(recent?.revision, revision);
  });

  test("ends watches when aborted and when closed", async (store) => {
    const stop = new AbortController();
    const aborted = first(store.watch("", 0, stop.signal));
    stop.abort();
    assert.equal(await aborted, null);
    const closed = first(store.watch("", 0, new AbortController().signal));
    await store.close();
    assert.equal(await closed, null);
  });

  test("refuses keys and values no store could take", async (store) => {
    for (const key of ["", "A", "a b", "/a", "a//b", "a/", "ä", "x".repeat(257)]) {
      await assert.rejects(store.put(key, "", null), TypeError, key);
    }
    const large = "x".repeat(STORE_LIMITS.valueBytes + 1);
    await assert.rejects(store.put("k", large, null), TypeError);
  });
}

async function first(changes: AsyncIterable<Change>): Promise<Change | null> {
  for await (const change of changes) return change;
  return null;
}
