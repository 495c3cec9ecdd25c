/** Hooks that wait: what they have asked for is sent, answered and handed back until the hook is done. */
import { FilterPromise, runJobs } from "./promise.ts";

/** Sends everything asked for since the last time; false: nothing was. Set by who can ask (fetch.ts). */
let flush: (() => boolean) | null = null;

export function onFlush(send: () => boolean): void {
  flush = send;
}

/**
 * Runs a hook to its end, whether it gives its outcome at once or by a promise. Requests it has made and does
 * not wait for are sent as well. In unit tests, where promises are the engine's own, a promise comes back.
 */
export function finish<T, R>(
  hook: () => T | PromiseLike<T>,
  then: (value: T) => R,
  failed: (error: unknown) => R,
): R {
  try {
    const outcome = hook();
    if (isForeign(outcome)) return outcome.then(then).then(undefined, failed) as R;
    do runJobs(); while (flush?.());
    if (!(outcome instanceof FilterPromise)) return then(outcome as T);
    if (outcome.pending) throw new Error("The hook waits for something that never comes");
    return then(outcome.unwrap() as T);
  } catch (error) {
    return failed(error);
  }
}

function isForeign<T>(outcome: T | PromiseLike<T>): outcome is PromiseLike<T> {
  return outcome instanceof Object && typeof (outcome as PromiseLike<T>).then === "function" &&
    !(outcome instanceof FilterPromise);
}
