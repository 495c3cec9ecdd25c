/**
 * Every proxy that may still serve with a certificate of ours: those that are connected, and those that went
 * without a word, until their certificate has expired. Kept in the store, so that a restart of the control
 * plane forgets nobody whom a rotation has to wait for.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { ConflictError, overwrite, type Store } from "../store/store.ts";
import { sha256Hex } from "../digest.ts";

const PREFIX = "roster/";
/** Proxies kept; the control plane has a limit for those that are connected. */
export const MAX_ROSTER = 40_000;

/** One proxy and what is known of its certificate. */
export interface Member {
  readonly id: string;
  /** `sidecar default/web`. */
  readonly name: string;
  readonly identity: string;
  readonly connected: boolean;
  /** When its certificate ends. */
  readonly certExpiresMs: number;
  /** `sha256:<hex>` of the key that signed its leaf; "" while that is not known. */
  readonly issuer: string;
  /** Hash of the trust it has acknowledged, "" for none. */
  readonly trust: string;
}

type Kept = Omit<Member, "connected">;

export class Roster {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #members = new Map<string, Member>();
  readonly #listeners = new Set<() => void>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(store: Store, { clock, log }: { clock: Clock; log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins with what the store remembers, none of it connected. */
  static async open(store: Store, options: { clock: Clock; log: Log }): Promise<Roster> {
    const roster = new Roster(store, options);
    for (const { value } of (await store.list(PREFIX)).entries) {
      const kept = JSON.parse(value) as Kept;
      roster.#members.set(kept.id, { ...kept, connected: false });
    }
    return roster;
  }

  all(): Member[] {
    return [...this.#members.values()];
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** What is new about a connected proxy; what is not said stays. */
  seen(
    id: string,
    about: Partial<Omit<Member, "id" | "connected">> & Pick<Member, "name" | "identity">,
  ): void {
    const before = this.#members.get(id);
    if (before === undefined && this.#members.size >= MAX_ROSTER) {
      return this.#log.error("roster.full", { id, limit: MAX_ROSTER });
    }
    const empty = { certExpiresMs: 0, issuer: "", trust: "" };
    const after: Member = { ...empty, ...before, ...about, id, connected: true };
    if (before !== undefined && isSame(before, after)) return;
    this.#members.set(id, after);
    if (before === undefined || !isSame({ ...before, connected: true }, after)) this.#write(id);
    this.#changed();
  }

  /** Its connection is gone. In order: it has stopped, and nobody has its certificate any more. */
  gone(id: string, orderly: boolean): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    if (orderly) this.#forget(id);
    else this.#members.set(id, { ...member, connected: false });
    this.#changed();
  }

  /** Forgets whose certificate has expired; to be called every second or so. */
  sweep(): void {
    const nowMs = this.#clock.nowMs();
    const over = this.all().filter((one) => !one.connected && one.certExpiresMs < nowMs);
    for (const { id } of over) this.#forget(id);
    if (over.length > 0) this.#changed();
  }

  /** Resolves when everything has been written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #forget(id: string): void {
    this.#members.delete(id);
    this.#write(id);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Brings the store to what is known of `id` by then. */
  #write(id: string): void {
    this.#writing = this.#writing.then(async () => {
      const member = this.#members.get(id);
      const value = member === undefined ? null : JSON.stringify(keptOf(member));
      await overwrite(this.#store, PREFIX + sha256Hex(id).slice(0, 32), value);
    }).catch((error: unknown) => {
      if (error instanceof ConflictError) return; // another control plane knows it better
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error("roster.not_written", { id, reason });
    });
  }
}

function keptOf({ connected: _connected, ...kept }: Member): Kept {
  return kept;
}

function isSame(a: Member, b: Member): boolean {
  return a.connected === b.connected && a.certExpiresMs === b.certExpiresMs &&
    a.issuer === b.issuer && a.trust === b.trust && a.name === b.name;
}
