/** Ends an exchange, or one attempt of it, that takes too long. */
import { FAULTS } from "../../core/fault.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Outcome,
} from "../../core/filter.ts";
import { switches } from "../../core/message.ts";
import type { Counter } from "../../core/metrics.ts";
import { Expires, type Wheel } from "../../core/timers.ts";
import { parseTimeoutConfig, type TimeoutConfig } from "./config.ts";

/**
 * Builds the filter with the hooks its configuration needs and no others.
 *
 * In a chain with retry, a filter with `backendRequestMs` stands after retry: attempt hooks run in
 * chain order, so the attempt's clock then starts when the back-off is over. Before retry it works
 * too, but the back-off counts as part of the attempt.
 */
export function createTimeoutFilter(config: unknown, env: FilterEnv): Filter {
  const parsed = parseTimeoutConfig(config);
  const timeouts = new Timeouts(parsed, env);
  const filter: Filter = {
    onEnd: (ctx) => timeouts.disarmAll(ctx),
    onResponseHead: (ctx, head) => {
      if (ctx.request.upgrade !== undefined) timeouts.switched(ctx, head.status);
      return CONTINUE;
    },
  };
  if (parsed.requestMs > 0) {
    filter.onRequestHead = (ctx) => {
      timeouts.armRequest(ctx);
      return CONTINUE;
    };
  }
  if (parsed.requestMs > 0 && parsed.untilHead) {
    filter.onRequestData = (ctx, bytes) => {
      if (ctx.response === null) timeouts.armRequest(ctx);
      return bytes;
    };
    filter.onResponseHead = (ctx, head) => {
      timeouts.disarmRequest(ctx);
      if (ctx.request.upgrade !== undefined) timeouts.switched(ctx, head.status);
      return CONTINUE;
    };
  }
  if (parsed.backendRequestMs > 0) {
    filter.onAttempt = (ctx) => {
      timeouts.armAttempt(ctx);
      return CONTINUE;
    };
    filter.onOutcome = (ctx, outcome) => {
      timeouts.attemptSettled(ctx, outcome);
      return CONTINUE;
    };
  }
  return filter;
}

/** Arms and disarms the timers of all exchanges of one filter. */
class Timeouts {
  readonly config: TimeoutConfig;
  readonly requestExpired: Counter;
  readonly attemptExpired: Counter;
  readonly #slot: number;
  readonly #wheel: Wheel;

  constructor(config: TimeoutConfig, env: FilterEnv) {
    this.config = config;
    this.requestExpired = expiredCounter(env, "request");
    this.attemptExpired = expiredCounter(env, "backendRequest");
    this.#slot = env.slot;
    this.#wheel = env.wheel;
  }

  armRequest(ctx: FilterContext): void {
    this.#wheel.arm(this.#timers(ctx), this.config.requestMs);
  }

  disarmRequest(ctx: FilterContext): void {
    const timers = this.#state(ctx);
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
    const attempt = this.#state(ctx)?.attempt ?? null;
    if (attempt === null) return;
    attempt.missed = false;
    this.#wheel.disarm(attempt);
  }

  /** A tunnel may last: it has an idle timeout instead, which the listener keeps. */
  switched(ctx: FilterContext, status: number): void {
    if (switches(ctx.request, status)) this.disarmAll(ctx);
  }

  disarmAll(ctx: FilterContext): void {
    const timers = this.#state(ctx);
    if (timers === undefined) return;
    this.#wheel.disarm(timers);
    if (timers.attempt !== null) this.#wheel.disarm(timers.attempt);
  }

  #state(ctx: FilterContext): RequestTimer | undefined {
    return ctx.slots[this.#slot] as RequestTimer | undefined;
  }

  #timers(ctx: FilterContext): RequestTimer {
    const found = this.#state(ctx);
    if (found !== undefined) return found;
    const timers = new RequestTimer(ctx, this);
    ctx.slots[this.#slot] = timers;
    return timers;
  }
}

/** The clock of one exchange, in its slot, and with it that of its attempts. */
class RequestTimer extends Expires {
  readonly #ctx: FilterContext;
  readonly #timeouts: Timeouts;
  attempt: AttemptTimer | null = null;

  constructor(ctx: FilterContext, timeouts: Timeouts) {
    super();
    this.#ctx = ctx;
    this.#timeouts = timeouts;
  }

  expired(): void {
    this.#timeouts.requestExpired.add();
    this.#ctx.fail(FAULTS["timeout.request"]);
  }
}

class AttemptTimer extends Expires {
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
