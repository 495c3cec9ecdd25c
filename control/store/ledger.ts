/**
 * The mesh's configuration as a ledger of revisions on top of a store.
 *
 *   revisions/000000000001  …0002  …0003     one record per apply, created once, never changed
 *   ledger/checkpoint                        all resources as of some revision: a shorter way to boot
 *
 * The current state is the fold of all records. An apply is whole or not at all because it is one
 * record, and two control planes cannot both make revision 7, because creating a key can succeed once.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { type Resource, resourceId } from "../schema/kinds.ts";
import type { RevisionView } from "../view.ts";
import {
  difference,
  type Edit,
  edits as editsBetween,
  fold,
  plan,
  type ResourceChange,
  type Revision,
  type State,
  summary,
  unfold,
} from "./revision.ts";
import { CompactedError, ConflictError, type Store, StoreError } from "./store.ts";

export const LEDGER_LIMITS = {
  /** Older revisions can no longer be shown, compared or returned to. */
  revisions: 1000,
  /** … nor those beyond so many characters of records, newest first: they are read at every start. */
  recordChars: 128 * 1024 * 1024,
  /** Kept in memory for pages and `denim history`. */
  recent: 100,
  /** Applies that lost a race against another control plane try again so often. */
  attempts: 5,
  messageChars: 500,
  authorChars: 100,
  /** Everything together: every snapshot is computed from it, and a checkpoint holds it in one value. */
  resources: 20_000,
  stateChars: 12 * 1024 * 1024,
} as const;
const CHECKPOINT_EVERY = 50;
const PREFIX = "revisions/", CHECKPOINT = "ledger/checkpoint";

export interface LedgerOptions {
  readonly clock: Clock;
  readonly log: Log;
}

export interface CommitRequest {
  /** What to change, given what is there; called again when somebody else was faster. */
  readonly edits: (state: State) => readonly Edit[] | Promise<readonly Edit[]>;
  /** Refuses the state that would come of it by throwing. */
  readonly check: (next: readonly Resource[]) => void;
  readonly author: string;
  readonly message: string;
  readonly dryRun?: boolean;
}

export interface Committed {
  /** Of the new revision, or of the current one when nothing was changed (or only tried). */
  readonly revision: number;
  readonly changes: readonly ResourceChange[];
}

/** The mesh would become larger than a control plane serves. */
export class LedgerFullError extends Error {
  constructor(what: string) {
    super(`Nothing was applied: a mesh holds at most ${what}. Delete what is not used any more`);
    this.name = "LedgerFullError";
  }
}

export class Ledger {
  readonly #store: Store;
  readonly #options: LedgerOptions;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  #state: State = new Map();
  #sorted: readonly Resource[] | null = null;
  #head = 0;
  #oldest = 1;
  #recent: RevisionView[] = []; // oldest first, without the resources
  /** Characters of all resources. */
  #stateChars = 0;
  /** Characters of each record in the store, and of all. */
  readonly #sizes = new Map<number, number>();
  #chars = 0;
  #position = 0;
  #queue: Promise<unknown> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();

  private constructor(store: Store, options: LedgerOptions) {
    this.#store = store;
    this.#options = options;
  }

  static async open(store: Store, options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(store, options);
    await ledger.#load();
    ledger.#watching = ledger.#watch();
    return ledger;
  }

  /** Newest revision, 0 for none. */
  get head(): number {
    return this.#head;
  }
  get state(): State {
    return this.#state;
  }

  /** Every resource, by kind, namespace and name. */
  resources(): readonly Resource[] {
    this.#sorted ??= [...this.#state].sort(([a], [b]) => a < b ? -1 : 1).map(([, one]) => one);
    return this.#sorted;
  }

  /** Newest first. */
  recent(limit: number): readonly RevisionView[] {
    return this.#recent.slice(-limit).reverse();
  }

  /** Calls `listener` after every new revision, also one made by another control plane. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** One record, null when there is none (any more). */
  async record(revision: number): Promise<Revision | null> {
    const entry = await this.#store.get(keyOf(revision));
    return entry === null ? null : parse(entry.key, entry.value);
  }

  /** The state as it was after `revision` (0: empty); null when it is not known (any more). */
  async stateAt(revision: number): Promise<State | null> {
    if (revision < 0 || revision > this.#head || revision < this.#oldest - 1) return null;
    let state = this.#state;
    for (let n = this.#head; n > revision; n--) {
      const record = await this.record(n);
      if (record === null) return null;
      state = unfold(state, record.changes);
    }
    return state;
  }

  /** What changed from one revision to another; null when one of them is not known. */
  async diff(from: number, to: number): Promise<ResourceChange[] | null> {
    const [before, after] = [await this.stateAt(from), await this.stateAt(to)];
    return before === null || after === null ? null : difference(before, after);
  }

  /** Edits that bring the resources of `revision` back; null when it is not known. */
  async editsTo(revision: number): Promise<Edit[] | null> {
    const target = await this.stateAt(revision);
    return target === null ? null : editsBetween(this.#state, target);
  }

  /** Makes a revision, whole or not at all. Applies of this process run one after the other. */
  commit(request: CommitRequest): Promise<Committed> {
    const work = this.#queue.then(() => this.#commit(request));
    this.#queue = work.catch(() => {});
    return work;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#queue;
  }

  async #commit(request: CommitRequest): Promise<Committed> {
    for (let attempt = 1;; attempt++) {
      const parent = this.#head;
      const nowMs = this.#options.clock.nowMs();
      const changes = plan(this.#state, await request.edits(this.#state), nowMs);
      this.#checkSize(changes);
      request.check([...fold(this.#state, changes).values()]);
      if (changes.length === 0 || request.dryRun === true) return { revision: parent, changes };
      const { author, message } = request;
      const record: Revision = {
        revision: parent + 1,
        parent,
        author,
        message,
        createdMs: nowMs,
        changes,
      };
      try {
        const value = JSON.stringify(record);
        const at = await this.#store.put(keyOf(record.revision), value, null);
        this.#accept(record, at);
        this.#weigh(record.revision, value.length);
        await this.#tidy();
        return { revision: record.revision, changes };
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === LEDGER_LIMITS.attempts) throw error;
        await this.#catchUp();
      }
    }
  }

  /** Takes the next record; one that is known already (its own, seen by the watch) changes nothing. */
  #accept(record: Revision, position: number): void {
    if (record.revision !== this.#head + 1) return;
    this.#state = fold(this.#state, record.changes);
    this.#stateChars += growth(record.changes).chars;
    this.#sorted = null;
    this.#head = record.revision;
    this.#position = Math.max(this.#position, position);
    this.#recent.push(summary(record));
    if (this.#recent.length > LEDGER_LIMITS.recent) this.#recent.shift();
    for (const listener of this.#listeners) listener();
  }

  async #load(): Promise<void> {
    const checkpoint = await this.#store.get(CHECKPOINT);
    if (checkpoint !== null) {
      const { revision, resources } = parse(checkpoint.key, checkpoint.value) as unknown as {
        revision: number;
        resources: Resource[];
      };
      this.#head = revision;
      this.#state = new Map(resources.map((one) => [resourceId(one), one]));
      this.#stateChars = growth(difference(new Map(), this.#state)).chars;
      this.#sorted = null;
    }
    await this.#catchUp();
  }

  /** Reads the records the store has and this process has not, and the recent ones for pages. */
  async #catchUp(): Promise<void> {
    const { entries, revision: position } = await this.#store.list(PREFIX);
    const newest = entries.length === 0 ? 0 : numberOf(entries.at(-1)!.key);
    for (const { key, value } of entries) this.#weigh(numberOf(key), value.length);
    this.#oldest = entries.length === 0 ? 1 : numberOf(entries[0]!.key);
    if (this.#recent.length === 0) {
      this.#recent = entries
        .filter(({ key }) => numberOf(key) > newest - LEDGER_LIMITS.recent)
        .map(({ key, value }) => parse(key, value))
        .filter((one) => one.revision <= this.#head)
        .map(summary);
    }
    for (const { key, value } of entries) {
      if (numberOf(key) > this.#head) this.#accept(parse(key, value), position);
    }
    if (this.#head < newest) {
      throw new StoreError(
        `Cannot read the configuration: revision ${this.#head + 1} is missing in the store. ` +
          "Restore the data folder from a backup",
      );
    }
    this.#position = Math.max(this.#position, position);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const change of this.#store.watch(PREFIX, this.#position, signal)) {
          this.#position = Math.max(this.#position, change.revision);
          if (change.value !== null) {
            this.#accept(parse(change.key, change.value), change.revision);
            this.#weigh(numberOf(change.key), change.value.length);
          }
        }
        return; // aborted, or the store is closed
      } catch (error) {
        if (!(error instanceof CompactedError)) {
          const reason = error instanceof Error ? error.message : String(error);
          return this.#options.log.error("ledger.watch_failed", { reason });
        }
        await this.#catchUp();
      }
    }
  }

  /** Writes a checkpoint now and then and lets go of records nobody may ask for any more. */
  async #tidy(): Promise<void> {
    const { revisions, recordChars } = LEDGER_LIMITS;
    if (this.#head % CHECKPOINT_EVERY !== 0 && this.#chars <= recordChars) return;
    try {
      const now = await this.#store.get(CHECKPOINT);
      const value = JSON.stringify({ revision: this.#head, resources: this.resources() });
      await this.#store.put(CHECKPOINT, value, now?.revision ?? null);
      while (
        this.#oldest <= this.#head - revisions ||
        (this.#chars > recordChars && this.#oldest < this.#head)
      ) await this.#drop(this.#oldest++);
    } catch (error) {
      // The revision itself is safe; the next checkpoint tries again.
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.warn("ledger.checkpoint_failed", { reason });
    }
  }

  /** What makes the mesh smaller is always allowed. */
  #checkSize(changes: readonly ResourceChange[]): void {
    const { count, chars } = growth(changes);
    const { resources, stateChars } = LEDGER_LIMITS;
    if (count > 0 && this.#state.size + count > resources) {
      throw new LedgerFullError(`${resources} resources`);
    }
    if (chars > 0 && this.#stateChars + chars > stateChars) {
      throw new LedgerFullError(`${stateChars} characters of resources`);
    }
  }

  async #drop(revision: number): Promise<void> {
    const entry = await this.#store.get(keyOf(revision));
    if (entry !== null) await this.#store.delete(entry.key, entry.revision);
    this.#chars -= this.#sizes.get(revision) ?? 0;
    this.#sizes.delete(revision);
  }

  #weigh(revision: number, chars: number): void {
    this.#chars += chars - (this.#sizes.get(revision) ?? 0);
    this.#sizes.set(revision, chars);
  }
}

/** How many resources and characters of JSON more there are after the changes. */
function growth(changes: readonly ResourceChange[]): { count: number; chars: number } {
  const charsOf = (one: Resource | null): number => one === null ? 0 : JSON.stringify(one).length;
  let count = 0, chars = 0;
  for (const { before, after } of changes) {
    count += Number(after !== null) - Number(before !== null);
    chars += charsOf(after) - charsOf(before);
  }
  return { count, chars };
}

/** Padded, so that keys sort as their numbers do. */
function keyOf(revision: number): string {
  return PREFIX + String(revision).padStart(12, "0");
}

function numberOf(key: string): number {
  return Number(key.slice(PREFIX.length));
}

function parse(key: string, value: string): Revision {
  try {
    return JSON.parse(value) as Revision;
  } catch {
    throw new StoreError(
      `Cannot read "${key}" in the store: it is not JSON. Restore the data folder from a backup`,
    );
  }
}
