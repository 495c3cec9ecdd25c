/**
 * The store of one control plane: SQLite in WAL mode, every write on the disk before it is answered.
 *
 * Calls block the event loop for about 0.2 ms each, which is nothing at the rate people and joining
 * proxies write; nothing here lies on the path of a request through the mesh.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Bell, follow } from "./follow.ts";
import { FolderLock } from "./lock.ts";
import {
  type Change,
  checkWrite,
  CompactedError,
  ConflictError,
  type Entry,
  type Store,
  STORE_LIMITS,
  StoreError,
} from "./store.ts";

/** Layout of the tables, kept in `user_version`. */
const LAYOUT = 1;
/** Old changes are cleared away once in so many writes. */
const COMPACT_EVERY = 50;
const FILE = "denim.db";

// AUTOINCREMENT: a revision number is never given twice, also when the newest changes were cleared.
const SCHEMA = `
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL);
  CREATE TABLE changes (
    revision INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, value TEXT, bytes INTEGER NOT NULL
  );
  PRAGMA user_version = ${LAYOUT};
`;

export class SqliteStore implements Store {
  readonly #db: DatabaseSync;
  readonly #lock: FolderLock;
  readonly #bell = new Bell();
  readonly #statements: Statements;
  #writes = 0;
  #closed = false;

  private constructor(db: DatabaseSync, lock: FolderLock) {
    this.#db = db;
    this.#lock = lock;
    this.#statements = prepare(db);
  }

  /**
   * Opens `DIR/denim.db`, making folder and file when they are not there. Rejects with a StoreError
   * that says what to do when another process has the folder or the file is damaged.
   */
  static async open(dir: string): Promise<SqliteStore> {
    await makeFolder(dir);
    const lock = await FolderLock.take(dir);
    const path = `${dir}/${FILE}`;
    let db: DatabaseSync | null = null;
    try {
      await makeFile(path);
      db = new DatabaseSync(path);
      prepareFile(db, path);
      return new SqliteStore(db, lock);
    } catch (error) {
      db?.close();
      lock.release();
      if (error instanceof StoreError) throw error;
      throw damaged(path, error instanceof Error ? error.message : String(error));
    }
  }

  // Async throughout so that failures are rejections, as with every store that is further away.
  // deno-lint-ignore require-await
  async get(key: string): Promise<Entry | null> {
    return toEntry(this.#statements.get.get(key));
  }

  // deno-lint-ignore require-await
  async list(prefix: string): Promise<{ entries: Entry[]; revision: number }> {
    // "\u{10ffff}" sorts after every character a key may hold.
    const rows = this.#statements.list.all(prefix, `${prefix}\u{10ffff}`);
    return { entries: rows.map((row) => toEntry(row)!), revision: this.#revision() };
  }

  put(key: string, value: string, expect: number | null): Promise<number> {
    return this.#write(key, value, expect);
  }

  delete(key: string, expect: number): Promise<number> {
    return this.#write(key, null, expect);
  }

  watch(prefix: string, since: number, signal: AbortSignal): AsyncIterable<Change> {
    const read = (at: number, limit: number) => {
      if (this.#closed) return null;
      const oldest = Number(this.#statements.oldest.get()?.["revision"] ?? at + 1);
      if (at + 1 < oldest) throw new CompactedError(at, oldest);
      const rows = this.#statements.changes.all(at, limit);
      const all = rows.map(toChange);
      const changes = all.filter((change) => change.key.startsWith(prefix));
      return { changes, upTo: all.at(-1)?.revision ?? at };
    };
    return follow(read, this.#bell, since, signal);
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#bell.ring();
    this.#db.close();
    this.#lock.release();
    return Promise.resolve();
  }

  // deno-lint-ignore require-await
  async #write(key: string, value: string | null, expect: number | null): Promise<number> {
    checkWrite(key, value ?? "");
    let revision: number;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      revision = this.#writeInside(key, value, expect);
      if (++this.#writes % COMPACT_EVERY === 0) this.#compact(revision);
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#rollBack();
      if (error instanceof ConflictError) throw error;
      throw unwritten(error);
    }
    this.#bell.ring();
    return revision;
  }

  #rollBack(): void {
    try {
      this.#db.exec("ROLLBACK");
    } catch {
      // SQLite ended the transaction itself, as it does when the disk is full
    }
  }

  #writeInside(key: string, value: string | null, expect: number | null): number {
    const { get, log, upsert, remove } = this.#statements;
    const found = toEntry(get.get(key))?.revision ?? null;
    if (found !== expect) throw new ConflictError(key, expect, found);
    const revision = Number(log.run(key, value, value?.length ?? 0).lastInsertRowid);
    if (value === null) remove.run(key);
    else upsert.run(key, value, revision);
    return revision;
  }

  #compact(newest: number): void {
    this.#statements.compact.run(newest - STORE_LIMITS.changes, STORE_LIMITS.changeBytes, newest);
  }

  #revision(): number {
    return Number(this.#statements.sequence.get()?.["seq"] ?? 0);
  }
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const made = {
    get: db.prepare("SELECT key, value, revision FROM entries WHERE key = ?"),
    list: db.prepare(
      "SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key",
    ),
    upsert: db.prepare(
      "INSERT INTO entries (key, value, revision) VALUES (?, ?, ?) ON CONFLICT (key) " +
        "DO UPDATE SET value = excluded.value, revision = excluded.revision",
    ),
    remove: db.prepare("DELETE FROM entries WHERE key = ?"),
    log: db.prepare("INSERT INTO changes (key, value, bytes) VALUES (?, ?, ?)"),
    changes: db.prepare(
      "SELECT revision, key, value FROM changes WHERE revision > ? ORDER BY revision LIMIT ?",
    ),
    oldest: db.prepare("SELECT min(revision) AS revision FROM changes HAVING count(*) > 0"),
    sequence: db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'changes'"),
    // The newest change always stays: it says how far the log reaches.
    compact: db.prepare(
      "DELETE FROM changes WHERE revision <= ?1 OR revision <= (SELECT max(revision) FROM (SELECT " +
        "revision, sum(bytes) OVER (ORDER BY revision DESC) AS kept FROM changes) " +
        "WHERE kept > ?2 AND revision < ?3)",
    ),
  } satisfies Record<string, StatementSync>;
  return made;
}

function prepareFile(db: DatabaseSync, path: string): void {
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 2000");
  const [check] = db.prepare("PRAGMA integrity_check(1)").all();
  if (check?.["integrity_check"] !== "ok") throw damaged(path, String(check?.["integrity_check"]));
  const layout = Number(db.prepare("PRAGMA user_version").get()?.["user_version"]);
  if (layout === LAYOUT) return;
  if (layout !== 0) {
    throw new StoreError(
      `Cannot read "${path}": it has layout ${layout} and this version of Denim knows ${LAYOUT}. ` +
        "Start the version of Denim that wrote it",
    );
  }
  db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
}

function damaged(path: string, reason: string): StoreError {
  return new StoreError(
    `Cannot read "${path}": it is damaged (${reason}). Restore it from a backup, or move it away to ` +
      "start with an empty mesh; proxies keep their last good configuration meanwhile",
  );
}

function unwritten(error: unknown): StoreError {
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError(
    `Cannot write to the store: ${reason}. Nothing was changed; look after the disk of the data ` +
      "folder. The mesh goes on with what it has",
  );
}

async function makeFolder(dir: string): Promise<void> {
  try {
    await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError(
      `Cannot make the data folder "${dir}": ${reason}. ` +
        "Give one that this user may write to with --data",
    );
  }
}

/** Made empty beforehand, because SQLite would let everybody read it. */
async function makeFile(path: string): Promise<void> {
  try {
    const file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    file.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

function toEntry(row: Record<string, unknown> | undefined): Entry | null {
  if (row === undefined) return null;
  return {
    key: String(row["key"]),
    value: String(row["value"]),
    revision: Number(row["revision"]),
  };
}

function toChange(row: Record<string, unknown>): Change {
  const value = row["value"];
  return {
    key: String(row["key"]),
    value: value === null ? null : String(value),
    revision: Number(row["revision"]),
  };
}
