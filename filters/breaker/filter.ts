/** Refuses requests to a backend that has too many in flight or keeps failing. */
import { FAULTS } from "../../core/fault.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Outcome,
  type Verdict,
} from "../../core/filter.ts";
import { GOOD, judge, NEUTRAL } from "../../core/judge.ts";
import type { Counter, Gauge } from "../../core/metrics.ts";
import { Circuit, CLOSED, PASS, PROBE, REFUSE } from "./circuit.ts";
import { type BreakerConfig, parseBreakerConfig } from "./config.ts";

export function createBreakerFilter(config: unknown, env: FilterEnv): Filter {
  return new BreakerFilter(parseBreakerConfig(config), env);
}

/** Slot values of an exchange that was let through. */
const ENTERED = 1, PROBING = 2;

/** Names of the circuit's states, by number, for the log. */
const STATE_NAMES = ["closed", "half-open", "open"] as const;

class BreakerFilter implements Filter {
  readonly #config: BreakerConfig;
  readonly #env: FilterEnv;
  readonly #circuit: Circuit;
  readonly #refusedOpen: Counter;
  readonly #refusedOverflow: Counter;
  readonly #inFlight: Gauge;
  readonly #state: Gauge;

  constructor(config: BreakerConfig, env: FilterEnv) {
    this.#config = config;
    this.#env = env;
    this.#circuit = env.keep(`breaker/${env.backend}`, () => new Circuit());
    const labels = { backend: env.backend };
    const refused = "Requests refused by the circuit breaker";
    this.#refusedOpen = env.metrics.counter("denim_breaker_refused_total", refused, {
      ...labels,
      reason: "open",
    });
    this.#refusedOverflow = env.metrics.counter("denim_breaker_refused_total", refused, {
      ...labels,
      reason: "overflow",
    });
    this.#inFlight = env.metrics.gauge(
      "denim_breaker_in_flight",
      "Requests in flight that the breaker let through",
      labels,
    );
    this.#state = env.metrics.gauge(
      "denim_breaker_state",
      "State of the circuit breaker: 0 closed, 1 half-open, 2 open",
      labels,
    );
    // Otherwise a circuit that was open would refuse for ever: nothing asks it to probe any more.
    if (config.consecutiveFailures === 0 && this.#circuit.reset()) this.#changed();
  }

  onAttempt(ctx: FilterContext, _attempt: number): Verdict {
    const circuit = this.#circuit;
    const entered = ctx.slots[this.#env.slot];
    if (entered === PROBING) return CONTINUE; // the probe's retry is still the probe
    if (entered === undefined && this.#full()) {
      this.#refusedOverflow.add();
      return ctx.fail(FAULTS["breaker.overflow"]);
    }
    // The clock is read only when it matters.
    const nowMs = circuit.state === CLOSED ? 0 : this.#env.clock.monotonicMs();
    const admission = circuit.admit(nowMs, this.#config);
    if (admission === REFUSE) {
      this.#refusedOpen.add();
      return ctx.fail(FAULTS["breaker.open"]);
    }
    if (entered === undefined) {
      circuit.inFlight++;
      this.#inFlight.set(circuit.inFlight);
    }
    ctx.slots[this.#env.slot] = admission === PROBE ? PROBING : ENTERED;
    if (admission !== PASS) this.#changed();
    return CONTINUE;
  }

  onOutcome(ctx: FilterContext, outcome: Outcome): Verdict {
    const judgement = judge(outcome);
    if (judgement === NEUTRAL || this.#config.consecutiveFailures === 0) return CONTINUE;
    const { slot, clock } = this.#env;
    const isProbe = ctx.slots[slot] === PROBING;
    const ok = judgement === GOOD;
    const nowMs = ok ? 0 : clock.monotonicMs();
    if (isProbe) ctx.slots[slot] = ENTERED;
    if (this.#circuit.settle(ok, isProbe, nowMs, this.#config)) this.#changed();
    return CONTINUE;
  }

  onEnd(ctx: FilterContext): void {
    const entered = ctx.slots[this.#env.slot];
    if (entered === undefined) return; // refused, or answered before any attempt
    this.#circuit.inFlight--;
    this.#inFlight.set(this.#circuit.inFlight);
    if (entered === PROBING) this.#circuit.release();
  }

  #full(): boolean {
    const { maxRequests } = this.#config;
    return maxRequests > 0 && this.#circuit.inFlight >= maxRequests;
  }

  #changed(): void {
    const { state } = this.#circuit;
    this.#state.set(state);
    this.#env.log.info("breaker.changed", {
      backend: this.#env.backend,
      policy: this.#env.name,
      state: STATE_NAMES[state],
    });
  }
}
