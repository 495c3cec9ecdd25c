/** A store that ends with its process: for tests, and for a mesh that is tried out. */
import { Bell, follow } from "./follow.ts";
import {
  type Change,
  checkWrite,
  CompactedError,
  ConflictError,
  type Entry,
  type Store,
  STORE_LIMITS,
} from "./store.ts";

export class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry>();
  readonly #bell = new Bell();
  #log: Change[] = [];
  #logBytes = 0;
  #revision = 0;
  #closed = false;

  get(key: string): Promise<Entry | null> {
    return Promise.resolve(this.#entries.get(key) ?? null);
  }

  list(prefix: string): Promise<{ entries: Entry[]; revision: number }> {
    const entries = [...this.#entries.values()].filter((one) => one.key.startsWith(prefix))
      .sort((a, b) => a.key < b.key ? -1 : 1);
    return Promise.resolve({ entries, revision: this.#revision });
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
      const oldest = this.#revision - this.#log.length;
      if (at < oldest) throw new CompactedError(at, oldest + 1);
      const from = at - oldest;
      const batch = this.#log.slice(from, from + limit);
      const changes = batch.filter((change) => change.key.startsWith(prefix));
      return { changes, upTo: batch.at(-1)?.revision ?? at };
    };
    return follow(read, this.#bell, since, signal);
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#bell.ring();
    return Promise.resolve();
  }

  // Async so that a refusal is a rejection, as it is with every store that is further away.
  // deno-lint-ignore require-await
  async #write(key: string, value: string | null, expect: number | null): Promise<number> {
    checkWrite(key, value ?? "");
    const found = this.#entries.get(key)?.revision ?? null;
    if (found !== expect) throw new ConflictError(key, expect, found);
    const revision = ++this.#revision;
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, { key, value, revision });
    this.#log.push({ key, value, revision });
    this.#logBytes += value?.length ?? 0;
    this.#compact();
    this.#bell.ring();
    return revision;
  }

  #compact(): void {
    let drop = Math.max(0, this.#log.length - STORE_LIMITS.changes);
    for (let i = 0; i < this.#log.length - 1; i++) {
      if (i >= drop && this.#logBytes <= STORE_LIMITS.changeBytes) break;
      this.#logBytes -= this.#log[i]!.value?.length ?? 0;
      drop = Math.max(drop, i + 1);
    }
    if (drop > 0) this.#log = this.#log.slice(drop);
  }
}
