/** Who is no longer let in: identities, certificates by serial, keys of authorities; kept in the store. */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { MAX_REVOCATIONS } from "../../proxy/tls/mod.ts";
import type { RevokedSpec } from "../schema/snapshot.ts";
import type { Store } from "../store/store.ts";

const KEY = "revocations";
/** Kept so long after the certificate's end, for peers whose clocks are behind. */
export const KEPT_AFTER_EXPIRY_MS = 60 * 60_000;

export type RevocationKind = "identity" | "serial" | "key";

export interface Revocation {
  readonly kind: RevocationKind;
  /** SPIFFE id, upper-case hexadecimal serial, or `sha256:<hex>` of a public key. */
  readonly subject: string;
  readonly reason: string;
  /** Who says so: for people to read. */
  readonly author: string;
  readonly createdMs: number;
  /** When what it is about ends by itself; null: never. */
  readonly expiresMs: number | null;
}

/** As many are revoked as every proxy can hold. */
export class RevocationsFullError extends Error {
  constructor() {
    super(
      `Nothing was revoked: ${MAX_REVOCATIONS} revocations are in force, which is the limit. Revoke the ` +
        "identity instead of its serials, or undo what is not needed: denim revoke --list",
    );
    this.name = "RevocationsFullError";
  }
}

export class RevocationList {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #records: ReadonlyMap<string, Revocation> = new Map();
  #position: number | null = null;
  #spec: RevokedSpec | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, { clock, log }: { clock: Clock; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  static async open(store: Store, options: { clock: Clock; log: Log }): Promise<RevocationList> {
    const list = new RevocationList(store, options);
    const entry = await store.get(KEY);
    if (entry !== null) {
      const records = JSON.parse(entry.value) as Revocation[];
      list.#took(new Map(records.map((one) => [one.subject, one])), entry.revision);
    }
    return list;
  }

  /** Oldest first. */
  all(): Revocation[] {
    return [...this.#records.values()];
  }

  has(subject: string): boolean {
    return this.#records.has(subject);
  }

  /** What snapshots say; the same object until something changes. Undefined: nothing is revoked. */
  get spec(): RevokedSpec | undefined {
    return this.#spec;
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** False: it was revoked before, and that record stays. In force here when it resolves. */
  add(revocation: Revocation): Promise<boolean> {
    return this.#change((records) => {
      if (records.has(revocation.subject)) return false;
      if (records.size >= MAX_REVOCATIONS) throw new RevocationsFullError();
      records.set(revocation.subject, revocation);
      const { kind, subject, author, reason } = revocation;
      this.#log.warn("revocation.made", { kind, subject, author, reason });
      return true;
    });
  }

  /** False: there is no such revocation. */
  undo(subject: string, author: string): Promise<boolean> {
    return this.#change((records) => {
      if (!records.delete(subject)) return false;
      this.#log.warn("revocation.undone", { subject, author });
      return true;
    });
  }

  /** Drops what has ended by itself; to be called now and then. */
  sweep(): void {
    const overMs = this.#clock.nowMs() - KEPT_AFTER_EXPIRY_MS;
    const isOver = ({ expiresMs }: Revocation): boolean => expiresMs !== null && expiresMs < overMs;
    if (!this.all().some(isOver)) return;
    this.#change((records) => {
      const over = [...records.values()].filter(isOver);
      for (const { subject } of over) records.delete(subject);
      return over.length > 0;
    }).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn("revocation.not_dropped", { reason }); // the next sweep tries again
    });
  }

  /** One change after the other, each on the disk before it holds. */
  #change(edit: (records: Map<string, Revocation>) => boolean): Promise<boolean> {
    const work = this.#queue.then(async () => {
      const records = new Map(this.#records);
      if (!edit(records)) return false;
      const value = JSON.stringify([...records.values()]);
      this.#took(records, await this.#store.put(KEY, value, this.#position));
      return true;
    });
    this.#queue = work.catch(() => {});
    return work;
  }

  #took(records: ReadonlyMap<string, Revocation>, position: number): void {
    this.#records = records;
    this.#position = position;
    const of = (kind: RevocationKind): string[] =>
      this.all().filter((one) => one.kind === kind).map((one) => one.subject).sort();
    this.#spec = records.size === 0
      ? undefined
      : { serials: of("serial"), identities: of("identity"), keys: of("key") };
    for (const listener of this.#listeners) listener();
  }
}
