/** Tries a failed attempt again, at another endpoint if there is one, within a budget. */
import type { Random } from "../../core/clock.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Outcome,
  PAUSE,
  RETRY,
  type Verdict,
} from "../../core/filter.ts";
import type { Counter } from "../../core/metrics.ts";
import { Expires } from "../../core/timers.ts";
import { RetryBudget } from "./budget.ts";
import { parseRetryConfig, type RetryConfig } from "./config.ts";

export function createRetryFilter(config: unknown, env: FilterEnv): Filter {
  return new RetryFilter(parseRetryConfig(config), env);
}

/** The wait before one exchange's next attempt; in its slot from the first wait on. */
class Backoff extends Expires {
  readonly #ctx: FilterContext;

  constructor(ctx: FilterContext) {
    super();
    this.#ctx = ctx;
  }

  expired(): void {
    this.#ctx.resume();
  }
}

/** Slot value of an exchange whose next attempt need not wait: nothing was wrong with the endpoint. */
const AT_ONCE = "at once";

class RetryFilter implements Filter {
  readonly #config: RetryConfig;
  readonly #env: FilterEnv;
  readonly #budget: RetryBudget;
  readonly #codes: ReadonlySet<number>;
  readonly #onConnect: boolean;
  readonly #onReset: boolean;
  readonly #onStatus: boolean;
  readonly #onTimeout: boolean;
  readonly #anyMethod: boolean;
  readonly #retried: Counter;
  readonly #overBudget: Counter;
  readonly #exhausted: Counter;

  constructor(config: RetryConfig, env: FilterEnv) {
    this.#config = config;
    this.#env = env;
    const key = `retry.budget/${env.backend}/${config.budgetIntervalMs}`;
    this.#budget = env.keep(key, () => new RetryBudget(config.budgetIntervalMs));
    this.#codes = new Set(config.codes);
    this.#onConnect = config.on.includes("connect-failure");
    this.#onReset = config.on.includes("reset");
    this.#onStatus = config.on.includes("status");
    this.#onTimeout = config.on.includes("timeout");
    this.#anyMethod = config.on.includes("non-idempotent");
    this.#retried = this.#counter("retried");
    this.#overBudget = this.#counter("over_budget");
    this.#exhausted = this.#counter("exhausted");
  }

  onAttempt(ctx: FilterContext, attempt: number): Verdict {
    const { slot, clock, wheel, random } = this.#env;
    if (attempt === 1) {
      this.#budget.request(clock.monotonicMs());
      return CONTINUE;
    }
    const waiting = ctx.slots[slot];
    const waitMs = waiting === AT_ONCE ? 0 : backoffMs(this.#config, attempt - 1, random);
    if (waitMs <= 0) return CONTINUE;
    const backoff = waiting instanceof Backoff ? waiting : new Backoff(ctx);
    ctx.slots[slot] = backoff;
    wheel.arm(backoff, waitMs);
    return PAUSE;
  }

  onOutcome(ctx: FilterContext, outcome: Outcome): Verdict {
    if (!this.#wanted(ctx, outcome)) return CONTINUE;
    if (outcome.attempt > this.#config.attempts) {
      this.#exhausted.add();
      return CONTINUE;
    }
    if (!this.#budget.take(this.#env.clock.monotonicMs(), this.#config)) {
      this.#overBudget.add();
      return CONTINUE;
    }
    this.#retried.add();
    this.#noteWait(ctx, outcome);
    return RETRY;
  }

  onEnd(ctx: FilterContext): void {
    const waiting = ctx.slots[this.#env.slot];
    if (waiting instanceof Backoff) this.#env.wheel.disarm(waiting);
  }

  /** An idle connection that had been closed says nothing of the endpoint's load: no need to spare it. */
  #noteWait(ctx: FilterContext, outcome: Outcome): void {
    const { slots } = ctx;
    const { slot } = this.#env;
    if (outcome.fault?.code === "upstream.stale") slots[slot] = AT_ONCE;
    else if (slots[slot] === AT_ONCE) slots[slot] = undefined;
  }

  #wanted(ctx: FilterContext, outcome: Outcome): boolean {
    const { fault, status } = outcome;
    if (fault === null) {
      return this.#onStatus && this.#codes.has(status) && this.#mayRepeat(ctx);
    }
    // A fault that a filter raised on purpose (a breaker, an authoriser) is an answer, not a mishap.
    if (fault.code === "timeout.backend") return this.#onTimeout && this.#mayRepeat(ctx);
    if (fault.source !== "upstream") return false;
    if (!fault.sent) return this.#onConnect;
    return this.#onReset && this.#mayRepeat(ctx);
  }

  /** RFC 9110 9.2.2: what may have been seen must not be repeated unless that is harmless. */
  #mayRepeat(ctx: FilterContext): boolean {
    return this.#anyMethod || isIdempotent(ctx.request.method);
  }

  #counter(result: string): Counter {
    const { metrics, backend } = this.#env;
    return metrics.counter(
      "denim_retries_total",
      "Failed attempts that retry policy looked at, by what came of it",
      { backend, result },
    );
  }
}

/**
 * Wait before the nth retry (from 1): uniform between the base and base × 2ⁿ, at most the maximum.
 * The floor is what Gateway API calls `backoff`; the spread keeps clients that failed together from
 * coming back together.
 */
export function backoffMs(
  config: Pick<RetryConfig, "backoffMs" | "backoffMaxMs">,
  retry: number,
  random: Random,
): number {
  const base = config.backoffMs;
  const top = Math.max(base, Math.min(config.backoffMaxMs, base * 2 ** retry));
  return base + random() * (top - base);
}

/** RFC 9110 9.2.2. */
function isIdempotent(method: string): boolean {
  switch (method) {
    case "GET":
    case "HEAD":
    case "PUT":
    case "DELETE":
    case "OPTIONS":
    case "TRACE":
      return true;
    default:
      return false;
  }
}
