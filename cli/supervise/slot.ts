/**
 * One place among the workers: started again when its process dies, handed over to a new one on request.
 *
 *   starting ──ready──▶ up ──exit──▶ waiting ──back-off──▶ starting
 *   up ──replace()──▶ a second process starts on the same sockets ──ready──▶ the first one drains
 */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { Counter, Gauge } from "../../core/metrics.ts";
import { tell, type Worker, type WorkerReady } from "./worker.ts";

export interface SlotDeps {
  readonly start: () => Worker;
  readonly clock: Clock;
  readonly log: Log;
  readonly crashes: Counter;
  readonly handOvers: Counter;
  readonly up: Gauge;
  /** Called after `ms`; the returned function calls it off. */
  readonly later: (ms: number, then: () => void) => () => void;
}

/** A first crash is answered at once; crashes in a row wait longer and longer. */
export const RESTART_FIRST_MS = 100, RESTART_MAX_MS = 5000;
/** A worker that was up this long begins the back-off anew. */
export const STEADY_MS = 10_000;
/** A worker that has not drained this long after its own deadline is killed. */
const KILL_AFTER_MS = 15_000;

export class Slot {
  readonly #deps: SlotDeps;
  #worker: Worker | null = null;
  #ready: WorkerReady | null = null;
  #startedMs = 0;
  #failures = 0;
  #stopping = false;
  #callOff: () => void = () => {};
  /** Workers that drain: the present one of stop(), former ones of replace(). */
  readonly #leaving = new Set<Worker>();

  constructor(deps: SlotDeps) {
    this.#deps = deps;
  }

  /** What its worker said when it came up; null while none serves. */
  get ready(): WorkerReady | null {
    return this.#ready;
  }

  /** Starts the first worker; rejects when it ends before it serves: a mistake in the command line. */
  async start(): Promise<WorkerReady> {
    const worker = this.#deps.start();
    this.#worker = worker;
    this.#startedMs = this.#deps.clock.monotonicMs();
    const ready = await worker.ready;
    this.#serving(worker, ready);
    return ready;
  }

  /** A new process on the same sockets, then the old one drains. Rejects, and keeps the old, when it does not serve. */
  async replace(): Promise<WorkerReady> {
    const next = this.#deps.start();
    const ready = await next.ready;
    const old = this.#worker;
    this.#startedMs = this.#deps.clock.monotonicMs();
    this.#serving(next, ready);
    this.#deps.handOvers.add();
    if (old !== null) void this.#leave(old);
    return ready;
  }

  /** Resolves when those that replace() sent away have ended, and their own sockets with them. */
  async settled(): Promise<void> {
    await Promise.all([...this.#leaving].map((one) => one.ended));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#callOff();
    const worker = this.#worker;
    this.#worker = null;
    if (worker !== null) void this.#leave(worker);
    await this.settled();
  }

  #serving(worker: Worker, ready: WorkerReady): void {
    this.#worker = worker;
    this.#ready = ready;
    this.#deps.up.set(1);
    worker.ended.then(() => this.#ended(worker));
  }

  async #ended(worker: Worker): Promise<void> {
    if (this.#worker !== worker || this.#stopping) return;
    const { clock, log, crashes, up } = this.#deps;
    const lasted = clock.monotonicMs() - this.#startedMs;
    this.#failures = lasted >= STEADY_MS ? 1 : this.#failures + 1;
    this.#worker = null;
    this.#ready = null;
    up.set(0);
    crashes.add();
    const waitMs = restartWaitMs(this.#failures);
    log.error("worker.crashed", {
      pid: worker.pid,
      how: tell(await worker.ended),
      upMs: Math.round(lasted),
      restartMs: waitMs,
    });
    this.#again(waitMs);
  }

  #again(waitMs: number): void {
    if (this.#stopping) return;
    if (waitMs > 0) this.#callOff = this.#deps.later(waitMs, () => this.#restart());
    else this.#restart();
  }

  #restart(): void {
    const { start, clock, log } = this.#deps;
    const worker = start();
    this.#worker = worker;
    this.#startedMs = clock.monotonicMs();
    worker.ready.then((ready) => {
      if (this.#worker !== worker) return;
      log.info("worker.restarted", {
        pid: ready.pid,
        tookMs: Math.round(clock.monotonicMs() - this.#startedMs),
      });
      this.#serving(worker, ready);
    }, () => this.#ended(worker));
  }

  async #leave(worker: Worker): Promise<void> {
    this.#leaving.add(worker);
    worker.kill("SIGTERM");
    const callOff = this.#deps.later(KILL_AFTER_MS, () => worker.kill("SIGKILL"));
    await worker.ended;
    callOff();
    this.#leaving.delete(worker);
  }
}

/** 0 after the first failure in a row, then 0.1, 0.2, 0.4 … 5 s. */
export function restartWaitMs(failuresInRow: number): number {
  if (failuresInRow <= 1) return 0;
  return Math.min(RESTART_MAX_MS, RESTART_FIRST_MS * 2 ** (failuresInRow - 2));
}
