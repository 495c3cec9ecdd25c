/** The clocks of the timeout filter: one object per exchange, and one more for its attempts. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Clock } from "../../core/clock.ts";
import type { FilterContext, FilterEnv, Outcome } from "../../core/filter.ts";
import { switches } from "../../core/message.ts";
import type { Counter } from "../../core/metrics.ts";
import { Expires, type Wheel } from "../../core/timers.ts";
import type { TimeoutConfig } from "./config.ts";

/** Arms and disarms the timers of all exchanges of one filter. */
export class Timeouts {
  readonly config: TimeoutConfig;
  readonly requestExpired: Counter;
  readonly attemptExpired: Counter;
  readonly #slot: number;
  readonly #wheel: Wheel;
  readonly #clock: Clock;

  constructor(config: TimeoutConfig, env: FilterEnv) {
    this.config = config;
    this.#clock = env.clock;
    this.requestExpired = expiredCounter(env, "request");
    this.attemptExpired = expiredCounter(env, "backendRequest");
    this.#slot = env.slot;
    this.#wheel = env.wheel;
  }

  nowMs(): number {
    return this.#clock.monotonicMs();
  }

  armRequest(ctx: FilterContext): void {
    this.arm(this.#timers(ctx), this.config.requestMs);
  }

  arm(timers: RequestTimer, ms: number): void {
    this.#wheel.arm(timers, ms);
  }

  disarmRequest(ctx: FilterContext): void {
    const timers = this.state(ctx);
    if (timers !== undefined) this.#wheel.disarm(timers);
  }

  armAttempt(ctx: FilterContext): void {
    const timers = this.#timers(ctx);
    this.rearm(timers.attempt ??= new AttemptTimer(ctx, this));
  }

  rearm(attempt: AttemptTimer): void {
    this.#wheel.arm(attempt, this.config.backendRequestMs);
  }

  /**
   * After a fault there is no attempt to limit. After a head there is: `backendRequest` covers the
   * whole response; if that head is given up for a retry, the next attempt arms the timer anew.
   */
  attemptSettled(ctx: FilterContext, outcome: Outcome): void {
    if (outcome.fault === null) return;
    const attempt = this.state(ctx)?.attempt ?? null;
    if (attempt === null) return;
    attempt.missed = false;
    this.#wheel.disarm(attempt);
  }

  /** A tunnel may last: it has an idle timeout instead, which the listener keeps. */
  switched(ctx: FilterContext, status: number): void {
    if (switches(ctx.request, status)) this.disarmAll(ctx);
  }

  disarmAll(ctx: FilterContext): void {
    const timers = this.state(ctx);
    if (timers === undefined) return;
    this.#wheel.disarm(timers);
    if (timers.attempt !== null) this.#wheel.disarm(timers.attempt);
  }

  /** What an exchange has armed so far. */
  state(ctx: FilterContext): RequestTimer | undefined {
    return ctx.slots[this.#slot] as RequestTimer | undefined;
  }

  keep(ctx: FilterContext, timers: RequestTimer): void {
    ctx.slots[this.#slot] = timers;
  }

  #timers(ctx: FilterContext): RequestTimer {
    const found = this.state(ctx);
    if (found !== undefined) return found;
    const timers = new RequestTimer(ctx, this);
    this.keep(ctx, timers);
    return timers;
  }
}

/** The clock of one exchange, in its slot, and with it that of its attempts. */
export class RequestTimer extends Expires {
  readonly #ctx: FilterContext;
  readonly #timeouts: Timeouts;
  attempt: AttemptTimer | null = null;
  /** Why the exchange ends when it expires. */
  fault: Fault = FAULTS["timeout.request"];

  constructor(ctx: FilterContext, timeouts: Timeouts) {
    super();
    this.#ctx = ctx;
    this.#timeouts = timeouts;
  }

  expired(): void {
    this.#timeouts.requestExpired.add();
    this.#ctx.fail(this.fault);
  }
}

export class AttemptTimer extends Expires {
  readonly #ctx: FilterContext;
  readonly #timeouts: Timeouts;
  /** It expired and no attempt was there to end: one waits for its back-off. */
  missed = false;

  constructor(ctx: FilterContext, timeouts: Timeouts) {
    super();
    this.#ctx = ctx;
    this.#timeouts = timeouts;
  }

  expired(): void {
    const fault = FAULTS["timeout.backend"];
    // Once the response has begun there is nothing left to try again: cut it.
    if (this.#ctx.response !== null) {
      this.#timeouts.attemptExpired.add();
      this.#ctx.fail(fault);
      return;
    }
    this.missed = true;
    this.#ctx.failAttempt(fault); // comes back through attemptSettled()
    if (this.missed) this.#timeouts.rearm(this);
    else this.#timeouts.attemptExpired.add();
  }
}

function expiredCounter(env: FilterEnv, limit: string): Counter {
  return env.metrics.counter(
    "denim_timeouts_total",
    "Exchanges and attempts ended by a timeout",
    { backend: env.backend, limit },
  );
}
