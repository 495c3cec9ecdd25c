/** A watch made of a log that can be read from any position and a bell that rings when it grew. */
import type { Change } from "./store.ts";

/** Wakes everybody who waits; who comes later waits for the next ring. */
export class Bell {
  #next = Promise.withResolvers<void>();

  get rung(): Promise<void> {
    return this.#next.promise;
  }

  ring(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

/** Changes a watcher holds at one time; the rest stays in the log until it comes for them. */
export const WATCH_BATCH = 64;

/**
 * Yields what `read` gives after `since`, in batches, then waits for the bell. Nothing is queued per
 * watcher, so a slow one costs no memory. `read` throws when the log no longer reaches back so far,
 * and returns null when the store is closed.
 */
export async function* follow(
  read: (
    since: number,
    limit: number,
  ) => { readonly changes: Change[]; readonly upTo: number } | null,
  bell: Bell,
  since: number,
  signal: AbortSignal,
): AsyncGenerator<Change> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let at = since;
  while (!signal.aborted) {
    const rung = bell.rung; // taken before reading: a change made meanwhile rings this one
    const batch = read(at, WATCH_BATCH);
    if (batch === null) return;
    for (const change of batch.changes) {
      if (signal.aborted) return;
      yield change;
    }
    if (batch.upTo === at) await Promise.race([rung, aborted]);
    at = batch.upTo;
  }
}
