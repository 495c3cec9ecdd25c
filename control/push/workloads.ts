/**
 * The workloads behind the mesh's Services: who serves where, kept over restarts of the control plane.
 *
 *   hello ──▶ connected ──bye──▶ gone
 *                │  ▲
 *      connection│  │hello
 *           lost ▼  │
 *             missed ──grace over──▶ gone        after a restart every stored workload begins as missed
 *
 * A workload that is missed keeps its endpoint: proxies retry elsewhere what cannot be connected, while
 * an endpoint list emptied by a restart of the control plane would turn its absence into an outage.
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Workload } from "../snapshot/mod.ts";
import { ConflictError, overwrite, type Store } from "../store/store.ts";
import { sha256Hex } from "../digest.ts";

/** How long a workload is kept whose connection was lost, and one that is only known from the store. */
export const LOST_GRACE_MS = 10_000, RESTART_GRACE_MS = 30_000;
/** Workloads of one control plane. */
export const MAX_WORKLOADS = 20_000;
const PREFIX = "workloads/";

export interface KnownWorkload extends Workload {
  /** Id of the proxy. */
  readonly id: string;
  readonly connected: boolean;
}

interface Row {
  workload: Workload;
  connected: boolean;
  /** When it is given up; Infinity while connected. */
  untilMs: number;
}

export interface WorkloadsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly lostGraceMs?: number;
  readonly restartGraceMs?: number;
}

export class Workloads {
  readonly #store: Store;
  readonly #options: WorkloadsOptions;
  readonly #rows = new Map<string, Row>();
  readonly #listeners = new Set<() => void>();
  /** Store writes run one after the other, behind the memory that is read. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(store: Store, options: WorkloadsOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Begins with what the store remembers; those have a grace period to come back. */
  static async open(store: Store, options: WorkloadsOptions): Promise<Workloads> {
    const workloads = new Workloads(store, options);
    const untilMs = options.clock.nowMs() + (options.restartGraceMs ?? RESTART_GRACE_MS);
    for (const { value } of (await store.list(PREFIX)).entries) {
      const { id, workload } = JSON.parse(value) as { id: string; workload: Workload };
      workloads.#rows.set(id, { workload, connected: false, untilMs });
    }
    return workloads;
  }

  /** By id, so that snapshots do not depend on the order of discovery. */
  all(): KnownWorkload[] {
    return [...this.#rows].sort(([a], [b]) => a < b ? -1 : 1)
      .map(([id, row]) => ({ id, ...row.workload, connected: row.connected }));
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /**
   * A proxy said hello. False: there are too many. Where another process serves that has not gone, as
   * when the next version starts beside it, the place stays healthy while the new one gets ready.
   */
  register(id: string, said: Workload): boolean {
    const before = this.#rows.get(id);
    if (before === undefined && this.#rows.size >= MAX_WORKLOADS) return false;
    const served = before !== undefined && before.connected && before.workload.healthy;
    const workload = served ? { ...said, healthy: true } : said;
    this.#rows.set(id, { workload, connected: true, untilMs: Infinity });
    if (!isSame(before?.workload, workload)) this.#changed(id);
    return true;
  }

  /** Its application does (not) answer, or its proxy became ready. */
  setHealthy(id: string, healthy: boolean): void {
    const row = this.#rows.get(id);
    if (row === undefined || row.workload.healthy === healthy) return;
    row.workload = { ...row.workload, healthy };
    this.#changed(id);
  }

  /** Its connection is gone; it may come back. */
  lost(id: string): void {
    const row = this.#rows.get(id);
    if (row === undefined || !row.connected) return;
    row.connected = false;
    row.untilMs = this.#options.clock.nowMs() + (this.#options.lostGraceMs ?? LOST_GRACE_MS);
  }

  /** It said that it stops. */
  leave(id: string): void {
    if (this.#rows.delete(id)) this.#changed(id);
  }

  /** Gives up those whose grace is over; to be called every second or so. */
  sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [id, row] of this.#rows) {
      if (row.connected || nowMs < row.untilMs) continue;
      this.#options.log.info("workload.gone", { id, service: row.workload.service });
      this.leave(id);
    }
  }

  /** Resolves when the store has everything. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #changed(id: string): void {
    this.#writing = this.#writing.then(() => this.#write(id)).catch((error: unknown) => {
      // Traffic does not depend on it: only a restart would know less.
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error("workload.not_stored", { id, reason });
    });
    for (const listener of this.#listeners) listener();
  }

  async #write(id: string): Promise<void> {
    const row = this.#rows.get(id);
    const value = row === undefined ? null : JSON.stringify({ id, workload: row.workload });
    try {
      await overwrite(this.#store, PREFIX + keyOf(id), value);
    } catch (error) {
      if (!(error instanceof ConflictError)) throw error;
      await this.#write(id);
    }
  }
}

/** Ids hold characters a key may not. */
function keyOf(id: string): string {
  return sha256Hex(id).slice(0, 40);
}

function isSame(a: Workload | undefined, b: Workload): boolean {
  return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
}
