/**
 * Names of endpoints and the addresses behind them, asked for again when their time is over.
 *
 *   unknown ──answer──▶ known ──ttl over──▶ asked again ──answer──▶ known, change told if it differs
 *                         ▲                      └──failure──▶ keeps the last good, asks again soon
 *
 * Nothing on the way of a request ever waits for a name.
 */
import type { Log } from "../../core/log.ts";

export interface Resolved {
  readonly address: string;
  readonly ttlS: number;
}

/** Every address of a name; rejects when there is no answer. */
export type Resolve = (name: string) => Promise<readonly Resolved[]>;

/** Shortest and longest time an answer is believed, and the wait after a failure. */
export const LEAST_TTL_MS = 5_000, MOST_TTL_MS = 300_000, AFTER_FAILURE_MS = 5_000;
/** Addresses of one name that become endpoints. */
export const MAX_ADDRESSES = 64;
/** How long a new configuration waits for names it has not heard of. */
export const FIRST_WAIT_MS = 2_000;

interface Row {
  /** Sorted, so that an order that changes from answer to answer is no change. */
  addresses: readonly string[] | null;
  dueMs: number;
  asking: Promise<void> | null;
}

export interface NamesDeps {
  readonly resolve: Resolve;
  readonly monotonicMs: () => number;
  readonly log: Log;
  /** The addresses of a name that was known before are others now. */
  readonly changed: () => void;
}

export class Names {
  readonly #deps: NamesDeps;
  readonly #rows = new Map<string, Row>();

  constructor(deps: NamesDeps) {
    this.#deps = deps;
  }

  /** Null while there was never an answer. */
  addresses(name: string): readonly string[] | null {
    return this.#rows.get(name)?.addresses ?? null;
  }

  /** Watches these names and no others; resolves when each has been asked for once. */
  async watch(names: ReadonlySet<string>): Promise<void> {
    for (const name of this.#rows.keys()) if (!names.has(name)) this.#rows.delete(name);
    const asked: Promise<void>[] = [];
    for (const name of names) {
      let row = this.#rows.get(name);
      if (row === undefined) {
        row = { addresses: null, dueMs: 0, asking: null };
        this.#rows.set(name, row);
        this.#ask(name, row);
      }
      if (row.addresses === null && row.asking !== null) asked.push(row.asking);
    }
    await Promise.all(asked);
  }

  /** Asks again for what is due; called every second. */
  sweep(): void {
    const now = this.#deps.monotonicMs();
    for (const [name, row] of this.#rows) {
      if (row.asking === null && now >= row.dueMs) this.#ask(name, row);
    }
  }

  #ask(name: string, row: Row): void {
    row.asking = this.#deps.resolve(name).then(
      (answer) => this.#answered(name, row, answer),
      (error: unknown) => this.#failed(name, row, error),
    ).finally(() => row.asking = null);
  }

  #answered(name: string, row: Row, answer: readonly Resolved[]): void {
    if (answer.length === 0) return this.#failed(name, row, new Error("no address"));
    const { monotonicMs, log, changed } = this.#deps;
    const ttlMs = Math.min(...answer.map(({ ttlS }) => ttlS)) * 1000;
    row.dueMs = monotonicMs() + Math.min(MOST_TTL_MS, Math.max(LEAST_TTL_MS, ttlMs));
    const addresses = [...new Set(answer.map(({ address }) => address))].sort()
      .slice(0, MAX_ADDRESSES);
    const before = row.addresses;
    row.addresses = addresses;
    if (before !== null && before.join() === addresses.join()) return;
    log.info("name.resolved", { name, addresses: addresses.join(" ") });
    // A first answer that came after the configuration went on without it is a change too.
    if (this.#rows.get(name) === row) changed();
  }

  #failed(name: string, row: Row, error: unknown): void {
    const { monotonicMs, log } = this.#deps;
    row.dueMs = monotonicMs() + AFTER_FAILURE_MS;
    log.warn("name.unresolved", {
      name,
      reason: error instanceof Error ? error.message : String(error),
      kept: row.addresses?.join(" "),
    });
  }
}
