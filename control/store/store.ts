/**
 * What the control plane keeps, behind one small interface: keys with JSON texts, compare-and-set,
 * and a watch that misses nothing. `suite.ts` says, as tests, what every implementation promises.
 *
 * Only single keys change atomically, because that is what every replicated store can do. An apply of
 * many resources is atomic all the same: it is one record under one new key (see `ledger.ts`).
 */

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Store-wide position of the write that made it; grows with every change of any key. */
  readonly revision: number;
}

/** One write; `value` null: the key was deleted. */
export interface Change {
  readonly key: string;
  readonly value: string | null;
  readonly revision: number;
}

export interface Store {
  get(key: string): Promise<Entry | null>;
  /** Every entry whose key starts with `prefix`, in key order, and the revision they were read at. */
  list(prefix: string): Promise<{ readonly entries: Entry[]; readonly revision: number }>;
  /** Writes when the key's revision is `expect` (null: when there is no such key); else ConflictError. */
  put(key: string, value: string, expect: number | null): Promise<number>;
  /** Deletes when the key's revision is `expect`; else ConflictError. */
  delete(key: string, expect: number): Promise<number>;
  /**
   * Every change of a key below `prefix` after revision `since`, in order, each once, for ever; ends
   * when `signal` aborts. Throws CompactedError when changes since then are no longer kept: list again.
   */
  watch(prefix: string, since: number, signal: AbortSignal): AsyncIterable<Change>;
  /** Ends watches and lets go of what is open. */
  close(): Promise<void>;
}

/** What one store may hold; the reasons stand beside the numbers. */
export const STORE_LIMITS = {
  keyChars: 256,
  /** A revision that replaces a whole mesh holds it twice. */
  valueBytes: 32 * 1024 * 1024,
  /** Changes kept for watchers that were away. */
  changes: 1000,
  changeBytes: 64 * 1024 * 1024,
} as const;

/** Somebody else wrote first. */
export class ConflictError extends Error {
  constructor(key: string, expect: number | null, found: number | null) {
    const wanted = expect === null ? "no such key" : `revision ${expect}`;
    const there = found === null ? "nothing is there" : `revision ${found} is there`;
    super(`Cannot write "${key}": ${wanted} was expected, ${there}`);
    this.name = "ConflictError";
  }
}

/** The changes a watcher asks for are no longer kept. */
export class CompactedError extends Error {
  constructor(since: number, oldest: number) {
    super(`Cannot watch from revision ${since}: changes before ${oldest} are no longer kept`);
    this.name = "CompactedError";
  }
}

/** The store cannot be used; the message says what to do. */
export class StoreError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "StoreError";
  }
}

/** Makes a key hold `value`, or be gone (null), whatever is there now; ConflictError: it changed meanwhile. */
export async function overwrite(store: Store, key: string, value: string | null): Promise<void> {
  const there = await store.get(key);
  if (value !== null) await store.put(key, value, there?.revision ?? null);
  else if (there !== null) await store.delete(key, there.revision);
}

// No upper case and nothing to escape, so that every store can take the keys as they are.
const KEY = /^[a-z0-9_.-]+(\/[a-z0-9_.-]+)*$/;

/** Throws a TypeError when a key or value cannot be stored anywhere. */
export function checkWrite(key: string, value: string): void {
  if (key.length > STORE_LIMITS.keyChars || !KEY.test(key)) {
    throw new TypeError(`Cannot store under "${key}": parts of a-z, 0-9, '.', '_', '-' are wanted`);
  }
  if (value.length > STORE_LIMITS.valueBytes) {
    throw new TypeError(
      `Cannot store ${value.length} characters under "${key}": at most ${STORE_LIMITS.valueBytes}`,
    );
  }
}
