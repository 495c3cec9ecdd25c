/**
 * The state of one backend's circuit breaker, kept across snapshots.
 *
 *               consecutiveFailures in a row
 *   CLOSED ─────────────────────────────────────▶ OPEN ◀──────────────┐
 *      ▲                                           │                  │ the probe failed
 *      │                       openMs are over and │ a request comes  │
 *      │                                           ▼                  │
 *      └──────────── the probe succeeded ────── HALF_OPEN ────────────┘
 *
 * HALF_OPEN lets one exchange through, the probe, and refuses the rest. A probe that ends without
 * an outcome (its client left) hands its place to the next request.
 */
export const CLOSED = 0 as const, HALF_OPEN = 1 as const, OPEN = 2 as const;
export type CircuitState = typeof CLOSED | typeof HALF_OPEN | typeof OPEN;

/** What a request is told: go, go as the probe, or no. */
export const PASS = 0 as const, PROBE = 1 as const, REFUSE = 2 as const;
export type Admission = typeof PASS | typeof PROBE | typeof REFUSE;

/** Limits, given with each question: they may change with a snapshot while the state stays. */
export interface CircuitLimits {
  readonly consecutiveFailures: number;
  readonly openMs: number;
}

export class Circuit {
  /** Exchanges that were let through and have not ended. */
  inFlight = 0;
  #state: CircuitState = CLOSED;
  #failures = 0;
  #openedAtMs = 0;
  #probing = false;

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether an exchange may try now; PROBE makes it the one probe, to be settled or released. */
  admit(nowMs: number, limits: CircuitLimits): Admission {
    switch (this.#state) {
      case CLOSED:
        return PASS;
      case OPEN:
        if (nowMs - this.#openedAtMs < limits.openMs) return REFUSE;
        this.#state = HALF_OPEN;
        this.#probing = true;
        return PROBE;
      case HALF_OPEN:
        if (this.#probing) return REFUSE;
        this.#probing = true;
        return PROBE;
    }
  }

  /** An attempt went well or badly. True when the state changed. */
  settle(ok: boolean, isProbe: boolean, nowMs: number, limits: CircuitLimits): boolean {
    if (isProbe) {
      // Of an earlier half-open time: a change of limits closed the circuit meanwhile.
      if (this.#state !== HALF_OPEN) return false;
      this.#probing = false;
      if (ok) this.#close();
      else this.#open(nowMs);
      return true;
    }
    // What began before it opened says nothing new.
    if (this.#state !== CLOSED) return false;
    if (ok) {
      this.#failures = 0;
      return false;
    }
    this.#failures++;
    if (limits.consecutiveFailures === 0 || this.#failures < limits.consecutiveFailures) {
      return false;
    }
    this.#open(nowMs);
    return true;
  }

  /** The probe ended without an outcome. */
  release(): void {
    this.#probing = false;
  }

  /** Forgets failures; for a configuration that switched opening off. True when the state changed. */
  reset(): boolean {
    const changed = this.#state !== CLOSED;
    this.#probing = false;
    this.#close();
    return changed;
  }

  #close(): void {
    this.#state = CLOSED;
    this.#failures = 0;
  }

  #open(nowMs: number): void {
    this.#state = OPEN;
    this.#openedAtMs = nowMs;
  }
}
