/** Ends an exchange, or one attempt of it, that takes too long. */
import { FAULTS } from "../../core/fault.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Outcome,
  type Verdict,
} from "../../core/filter.ts";
import type { Counter } from "../../core/metrics.ts";
import { Expires, type Wheel } from "../../core/timers.ts";
import { parseTimeoutConfig, type TimeoutConfig } from "./config.ts";

/**
 * Builds the filter. In a chain with retry, a filter with `backendRequestMs` stands after retry:
 * attempt hooks run in chain order, so the attempt's clock then starts after the back-off.
 */
export function createTimeoutFilter(config: unknown, env: FilterEnv): Filter {
  const parsed = parseTimeoutConfig(config);
  const shared = {
    config: parsed,
    slot: env.slot,
    wheel: env.wheel,
    request: expiredCounter(env, "request"),
    attempt: expiredCounter(env, "backendRequest"),
  };
  if (parsed.requestMs === 0) return new AttemptTimeout(shared);
  return parsed.untilHead ? new HeadTimeout(shared) : new RequestTimeout(shared);
}

/** What the filter and its timers share; one object per filter. */
interface Shared {
  readonly config: TimeoutConfig;
  readonly slot: number;
  readonly wheel: Wheel;
  readonly request: Counter;
  readonly attempt: Counter;
}

function expiredCounter(env: FilterEnv, limit: string): Counter {
  return env.metrics.counter(
    "denim_timeouts_total",
    "Exchanges or attempts ended by a timeout",
    { backend: env.backend, limit },
  );
}

/** Both clocks of one exchange; in its slot. The entry itself is the request's. */
class Timers extends Expires {
  readonly #ctx: FilterContext;
  readonly #shared: Shared;
  attempt: AttemptTimer | null = null;

  constructor(ctx: FilterContext, shared: Shared) {
    super();
    this.#ctx = ctx;
    this.#shared = shared;
  }

  expired(): void {
    this.#shared.request.add();
    this.#ctx.fail(FAULTS["timeout.request"]);
  }

  armAttempt(): void {
    const { wheel, config } = this.#shared;
    this.attempt ??= new AttemptTimer(this.#ctx, this.#shared);
    wheel.arm(this.attempt, config.backendRequestMs);
  }
}

class AttemptTimer extends Expires {
  readonly #ctx: FilterContext;
  readonly #shared: Shared;

  constructor(ctx: FilterContext, shared: Shared) {
    super();
    this.#ctx = ctx;
    this.#shared = shared;
  }

  expired(): void {
    this.#shared.attempt.add();
    const fault = FAULTS["timeout.backend"];
    // Once the response has begun there is nothing left to retry: cut it.
    if (this.#ctx.response === null) this.#ctx.failAttempt(fault);
    else this.#ctx.fail(fault);
  }
}

/** Only the attempt is limited. */
class AttemptTimeout implements Filter {
  protected readonly shared: Shared;

  constructor(shared: Shared) {
    this.shared = shared;
  }

  onAttempt(ctx: FilterContext, _attempt: number): Verdict {
    if (this.shared.config.backendRequestMs > 0) this.#timers(ctx).armAttempt();
    return CONTINUE;
  }

  onOutcome(ctx: FilterContext, outcome: Outcome): Verdict {
    // A head is not the end: `backendRequest` covers the attempt's whole response. If the head is
    // given up for a retry instead, the next attempt arms the same timer again.
    if (outcome.fault === null) return CONTINUE;
    const attempt = this.#state(ctx)?.attempt;
    if (attempt) this.shared.wheel.disarm(attempt);
    return CONTINUE;
  }

  onEnd(ctx: FilterContext): void {
    const timers = this.#state(ctx);
    if (timers === undefined) return;
    this.shared.wheel.disarm(timers);
    if (timers.attempt !== null) this.shared.wheel.disarm(timers.attempt);
  }

  protected armRequest(ctx: FilterContext): void {
    this.shared.wheel.arm(this.#timers(ctx), this.shared.config.requestMs);
  }

  protected disarmRequest(ctx: FilterContext): void {
    const timers = this.#state(ctx);
    if (timers !== undefined) this.shared.wheel.disarm(timers);
  }

  #state(ctx: FilterContext): Timers | undefined {
    return ctx.slots[this.shared.slot] as Timers | undefined;
  }

  #timers(ctx: FilterContext): Timers {
    const found = this.#state(ctx);
    if (found !== undefined) return found;
    const timers = new Timers(ctx, this.shared);
    ctx.slots[this.shared.slot] = timers;
    return timers;
  }
}

/** The whole exchange is limited, and the attempt when its limit is not 0. */
class RequestTimeout extends AttemptTimeout {
  onRequestHead(ctx: FilterContext): Verdict {
    this.armRequest(ctx);
    return CONTINUE;
  }
}

/** Waiting for the response to begin is limited; see `untilHead`. */
class HeadTimeout extends RequestTimeout {
  onRequestData(ctx: FilterContext, bytes: Uint8Array): Uint8Array {
    if (ctx.response === null) this.armRequest(ctx);
    return bytes;
  }

  onResponseHead(ctx: FilterContext): Verdict {
    this.disarmRequest(ctx);
    return CONTINUE;
  }
}
