/** The SQLite store keeps every store's promises, its content, and its folder to itself. */
import assert from "node:assert/strict";
import { SqliteStore } from "./sqlite.ts";
import { StoreError } from "./store.ts";
import { storeSuite } from "./suite.ts";

const folders: string[] = [];
addEventListener("unload", () => {
  for (const dir of folders) Deno.removeSync(dir, { recursive: true });
});

async function folder(): Promise<string> {
  const dir = await Deno.makeTempDir();
  folders.push(dir);
  return dir;
}

storeSuite("SqliteStore", async () => await SqliteStore.open(await folder()));

Deno.test("SqliteStore keeps entries and revisions when it is opened again", async () => {
  const dir = await folder();
  const before = await SqliteStore.open(dir);
  const first = await before.put("a", "1", null);
  const gone = await before.put("b", "2", null);
  await before.delete("b", gone);
  await before.close();
  const after = await SqliteStore.open(dir);
  assert.deepEqual(await after.get("a"), { key: "a", value: "1", revision: first });
  assert.equal((await after.list("")).revision, 3);
  assert.equal(await after.put("b", "3", null), 4);
  await after.close();
});

Deno.test("SqliteStore lets nobody else read its files", async () => {
  const dir = `${await folder()}/data`;
  const store = await SqliteStore.open(dir);
  await store.put("a", "1", null);
  assert.equal((await Deno.stat(dir)).mode! & 0o077, 0);
  for await (const entry of Deno.readDir(dir)) {
    assert.equal((await Deno.stat(`${dir}/${entry.name}`)).mode! & 0o077, 0, entry.name);
  }
  await store.close();
});

Deno.test("SqliteStore says who has the folder when it is opened twice", async () => {
  const dir = await folder();
  const store = await SqliteStore.open(dir);
  await assert.rejects(SqliteStore.open(dir), (error: Error) => {
    assert.ok(error instanceof StoreError);
    assert.match(error.message, new RegExp(`process ${Deno.pid}.*--data`));
    return true;
  });
  await store.close();
  await (await SqliteStore.open(dir)).close();
});

Deno.test("SqliteStore says what to do when its file is damaged", async () => {
  const dir = await folder();
  await Deno.writeFile(`${dir}/denim.db`, new Uint8Array(8192).fill(65));
  await assert.rejects(SqliteStore.open(dir), (error: Error) => {
    assert.ok(error instanceof StoreError);
    assert.match(error.message, /damaged.*Restore it from a backup/);
    return true;
  });
});

Deno.test("SqliteStore finds a page that was overwritten", async () => {
  const dir = await folder();
  const store = await SqliteStore.open(dir);
  for (let i = 0; i < 200; i++) await store.put(`k${i}`, "x".repeat(500), null);
  await store.close();
  const bytes = await Deno.readFile(`${dir}/denim.db`);
  bytes.fill(0xab, 4096 * 3, 4096 * 4);
  await Deno.writeFile(`${dir}/denim.db`, bytes);
  await assert.rejects(SqliteStore.open(dir), /damaged/);
});

Deno.test("SqliteStore refuses a file of a later layout", async () => {
  const { DatabaseSync } = await import("node:sqlite");
  const dir = await folder();
  const db = new DatabaseSync(`${dir}/denim.db`);
  db.exec("PRAGMA user_version = 9");
  db.close();
  await assert.rejects(SqliteStore.open(dir), /layout 9/);
});

Deno.test("SqliteStore says that nothing was changed when a write fails, and works on when it can", async () => {
  const { DatabaseSync } = await import("node:sqlite");
  const dir = await folder();
  const store = await SqliteStore.open(dir);
  const first = await store.put("a", "1", null);
  // Stands for a disk that fails in the middle of a transaction.
  using other = new DatabaseSync(`${dir}/denim.db`);
  other.exec("CREATE TRIGGER broken BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'no'); END");
  await assert.rejects(store.put("a", "2", first), (error: Error) => {
    assert.ok(error instanceof StoreError);
    assert.match(error.message, /no\. Nothing was changed/);
    return true;
  });
  assert.deepEqual(await store.get("a"), { key: "a", value: "1", revision: first });
  other.exec("DROP TRIGGER broken");
  await store.put("a", "2", first);
  await store.close();
});
