/** Tries a failed attempt again, at another endpoint if there is one, within a budget. */
import type { Random } from "../../core/clock.ts";
import {
  ATTEMPT,
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Outcome,
  PAUSE,
  RETRY,
  type Verdict,
} from "../../core/filter.ts";
import type { Fault } from "../../core/fault.ts";
import type { Counter } from "../../core/metrics.ts";
import { Expires } from "../../core/timers.ts";
import { RetryBudget } from "./budget.ts";
import {
  GRPC_CONDITIONS,
  type GrpcCondition,
  parseRetryConfig,
  type RetryConfig,
} from "./config.ts";

export function createRetryFilter(config: unknown, env: FilterEnv): Filter {
  return new RetryFilter(parseRetryConfig(config), env);
}

/** What one exchange has retried; in its slot from the first retry on. Armed while it backs off. */
class Retries extends Expires {
  readonly #ctx: FilterContext;
  /** Tries that met a connection its peer was closing: these do not count as attempts. */
  stale = 0;
  /** The next attempt need not wait: nothing was wrong with the endpoint. */
  atOnce = false;

  constructor(ctx: FilterContext) {
    super();
    this.#ctx = ctx;
  }

  expired(): void {
    this.#ctx.resume(ATTEMPT);
  }
}

/** Connections in the act of closing that one exchange may meet before it gives up. */
export const STALE_LIMIT = 3;
const CLOSING: ReadonlySet<string> = new Set(["upstream.stale", "h2.goaway"]);

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
  /** gRPC statuses that are tried again; null: none. */
  readonly #grpc: ReadonlySet<number> | null;
  readonly #retried: Counter;
  readonly #overBudget: Counter;
  readonly #exhausted: Counter;
  readonly #stale: Counter;

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
    const named = Object.entries(GRPC_CONDITIONS).filter(([name]) =>
      config.on.includes(name as GrpcCondition)
    );
    this.#grpc = named.length === 0 ? null : new Set(named.map(([, status]) => status));
    this.#retried = this.#counter("retried");
    this.#overBudget = this.#counter("over_budget");
    this.#exhausted = this.#counter("exhausted");
    this.#stale = this.#counter("stale_connection");
  }

  onAttempt(ctx: FilterContext, attempt: number): Verdict {
    const { slot, clock, wheel, random } = this.#env;
    if (attempt === 1) {
      this.#budget.request(clock.monotonicMs());
      return CONTINUE;
    }
    const retries = ctx.slots[slot] as Retries | undefined;
    if (retries === undefined || retries.atOnce) return CONTINUE;
    const waitMs = backoffMs(this.#config, attempt - 1 - retries.stale, random);
    if (waitMs <= 0) return CONTINUE;
    wheel.arm(retries, waitMs);
    return PAUSE;
  }

  onOutcome(ctx: FilterContext, outcome: Outcome): Verdict {
    const { fault } = outcome;
    if (fault !== null && CLOSING.has(fault.code)) return this.#retryClosing(ctx, fault);
    if (!this.#wanted(ctx, outcome)) return CONTINUE;
    const retries = this.#retries(ctx);
    if (outcome.attempt - retries.stale > this.#config.attempts) {
      this.#exhausted.add();
      return CONTINUE;
    }
    if (!this.#budget.take(this.#env.clock.monotonicMs(), this.#config)) {
      this.#overBudget.add();
      return CONTINUE;
    }
    this.#retried.add();
    retries.atOnce = false;
    return RETRY;
  }

  onEnd(ctx: FilterContext): void {
    const retries = ctx.slots[this.#env.slot] as Retries | undefined;
    if (retries !== undefined) this.#env.wheel.disarm(retries);
  }

  /**
   * The peer closed a connection just as we used it. That is nobody's failure and no load on the
   * peer, so it costs neither budget nor back-off, and is done whatever `on` says. Of an idle HTTP/1.1
   * connection nobody knows for certain that the peer did not read the request: there the method
   * still counts. GOAWAY says it (RFC 9113 6.8).
   */
  #retryClosing(ctx: FilterContext, fault: Fault): Verdict {
    const retries = this.#retries(ctx);
    if (retries.stale >= STALE_LIMIT) return CONTINUE;
    if (fault.sent && !this.#mayRepeat(ctx)) return CONTINUE;
    retries.stale++;
    retries.atOnce = true;
    this.#stale.add();
    return RETRY;
  }

  #retries(ctx: FilterContext): Retries {
    const { slot } = this.#env;
    const found = ctx.slots[slot] as Retries | undefined;
    if (found !== undefined) return found;
    const retries = new Retries(ctx);
    ctx.slots[slot] = retries;
    return retries;
  }

  #wanted(ctx: FilterContext, outcome: Outcome): boolean {
    const { fault, status, grpcStatus } = outcome;
    if (fault === null) {
      if (this.#grpc !== null && this.#grpc.has(grpcStatus)) return true;
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

/** RFC 9110 9.2.2; and nothing has gone through a tunnel that was not opened. */
function isIdempotent(method: string): boolean {
  switch (method) {
    case "CONNECT":
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
