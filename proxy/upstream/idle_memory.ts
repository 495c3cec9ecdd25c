/**
 * How long one endpoint leaves idle connections open, learned from those it closed.
 *
 * When a request and the peer's close cross on the wire nobody can tell whether the request was
 * read. One that may run twice is simply sent again; one that must not (a POST) would fail. So it
 * is put only on a connection that was idle for much less than the peer is known to allow.
 */

/** Longest idle time trusted before anything is known: few servers close earlier than twice this. */
export const FRESH_ENOUGH_MS = 500;
/** A peer that closes this soon closes after every response; no connection of it is ever trusted. */
const AT_ONCE_MS = 5;
/** After this long without news the peer is trusted twice as far: it may just have been restarted. */
export const FORGET_MS = 600_000;

export class IdleMemory {
  #closesAfterMs = Infinity;
  #learnedMs = 0;

  /** The peer closed a connection that had been idle for this long. */
  closed(idleMs: number, nowMs: number): void {
    this.#forget(nowMs);
    if (idleMs >= this.#closesAfterMs) return;
    this.#closesAfterMs = Math.max(1, idleMs);
    this.#learnedMs = nowMs;
  }

  /** Idle time up to which a request that must not run twice may use a connection; −1: not at all. */
  trustedMs(nowMs: number): number {
    this.#forget(nowMs);
    if (this.#closesAfterMs < AT_ONCE_MS) return -1;
    return Math.min(FRESH_ENOUGH_MS, this.#closesAfterMs / 2);
  }

  #forget(nowMs: number): void {
    if (this.#closesAfterMs === Infinity) return;
    const periods = Math.floor((nowMs - this.#learnedMs) / FORGET_MS);
    if (periods <= 0) return;
    this.#closesAfterMs *= 2 ** periods;
    this.#learnedMs += periods * FORGET_MS;
  }
}
