/**
 * When a trapped filter may run again.
 *
 *   running ──trap──▶ running (the first is forgiven) ──trap──▶ backing off 1 s, 2 s, 4 s …
 *      ▲                                                           │ traps ≥ tripAfter
 *      └───────────── a quiet window ◀── one instance ◀── tripped 30 s, 60 s …
 */
import { RESTART } from "../limits.ts";

export type RestartState = "running" | "backing-off" | "tripped";

export class RestartPolicy {
  #traps = 0;
  #trips = 0;
  #startedMs = 0;
  #retryMs = 0;
  #state: RestartState = "running";

  /** A new instance serves from now on. */
  started(nowMs: number): void {
    this.#startedMs = nowMs;
    this.#state = "running";
  }

  trapped(nowMs: number): void {
    if (nowMs - this.#startedMs > RESTART.windowMs) this.#traps = this.#trips = 0;
    this.#traps++;
    if (this.#traps >= RESTART.tripAfter) {
      this.#state = "tripped";
      this.#retryMs = nowMs + doubled(RESTART.tripMs, this.#trips++, RESTART.maxTripMs);
    } else if (this.#traps > 1) {
      this.#state = "backing-off";
      this.#retryMs = nowMs + doubled(RESTART.baseMs, this.#traps - 2, RESTART.maxMs);
    }
  }

  /** Whether an instance may be started now. */
  mayStart(nowMs: number): boolean {
    return this.#state === "running" || nowMs >= this.#retryMs;
  }

  get state(): RestartState {
    return this.#state;
  }
}

function doubled(base: number, times: number, max: number): number {
  return Math.min(base * 2 ** times, max);
}
