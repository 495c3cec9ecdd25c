/** How long an accepted connection may keep us waiting: a look each second at what it did since the last. */
import { BUSY, HEAD, type Phase } from "../core/stream.ts";

/** Named limits of one accepted connection; `tests/integration/listener_limits_test.ts` drives each. */
export interface PatienceLimits {
  /** From the first byte of a head to its last: slow senders do not hold a connection. */
  readonly headTimeoutMs: number;
  /** A request body must bring at least `bodyMinRate` bytes a second, judged over windows this long. */
  readonly bodyTimeoutMs: number;
  readonly bodyMinRate: number;
  /** Between requests. Longer than our own pools keep idle connections, so that the client side closes first. */
  readonly idleTimeoutMs: number;
  /** Without one byte in either direction while an exchange runs. */
  readonly stallTimeoutMs: number;
}

/** What is looked at. */
export interface Waitable {
  /** Bytes in either direction since the last look. */
  activity: number;
  /** Bytes that came in, ever. */
  readonly received: number;
  lastActiveMs: number;
  readonly codec: {
    readonly phase: Phase;
    /** A request body is wanted and not held back by us. */
    readonly awaitsBody?: boolean;
  };
}

export type Patience = "stay" | "drain" | "cut";

/** The memory between two looks at one connection. */
export class Watch {
  #phase: Phase = HEAD;
  #windowMs: number;
  #windowBytes = 0;

  constructor(nowMs: number) {
    this.#windowMs = nowMs;
  }

  look(it: Waitable, limits: PatienceLimits, nowMs: number, tunnels: boolean): Patience {
    const { phase } = it.codec;
    if (it.activity > 0 && phase !== HEAD) it.lastActiveMs = nowMs;
    it.activity = 0;
    if (phase !== this.#phase) {
      this.#phase = phase;
      it.lastActiveMs = nowMs;
    }
    if (this.#dribbles(it, limits, nowMs)) return "cut";
    const waited = nowMs - it.lastActiveMs;
    if (phase === HEAD) return waited > limits.headTimeoutMs ? "cut" : "stay";
    if (phase === BUSY) return !tunnels && waited > limits.stallTimeoutMs ? "cut" : "stay";
    return waited > limits.idleTimeoutMs ? "drain" : "stay";
  }

  /** A body that comes too slowly. Time in which we held it back, or owed an answer, does not count. */
  #dribbles(it: Waitable, limits: PatienceLimits, nowMs: number): boolean {
    const lasted = nowMs - this.#windowMs;
    const awaits = it.codec.awaitsBody === true;
    if (awaits && lasted < limits.bodyTimeoutMs) return false;
    const came = it.received - this.#windowBytes;
    this.#windowMs = nowMs;
    this.#windowBytes = it.received;
    return awaits && came < (limits.bodyMinRate * lasted) / 1000;
  }
}
