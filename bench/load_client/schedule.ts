/**
 * When requests of an open loop are due, and what became of them. A latency counts from the moment the
 * request was due, not from when it was sent: while the server or this client is stalled, requests go on
 * falling due, and their waiting counts (no coordinated omission).
 */

export interface LatencyReport {
  readonly requests: number;
  /** No answer, or one that is not 200. */
  readonly failures: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** How late this client noticed that a request was due: what it adds to every latency by itself. */
  readonly lateP50Us: number;
  readonly lateP99Us: number;
}

export class Schedule {
  readonly total: number;
  readonly #intervalMs: number;
  readonly #firstMs: number;
  /** In the order of due times; NaN until answered. */
  readonly #latenciesMs: Float64Array;
  readonly #lateMs: Float64Array;
  /** Requests before this one warm up and are not reported. */
  readonly #counted: number;
  #next = 0;
  #answered = 0;
  #failures = 0;

  constructor(
    options: { firstMs: number; perSecond: number; seconds: number; warmUpSeconds: number },
  ) {
    const { firstMs, perSecond, seconds, warmUpSeconds } = options;
    this.#firstMs = firstMs;
    this.#intervalMs = 1000 / perSecond;
    this.#counted = Math.round(perSecond * warmUpSeconds);
    this.total = this.#counted + Math.round(perSecond * seconds);
    this.#latenciesMs = new Float64Array(this.total).fill(NaN);
    this.#lateMs = new Float64Array(this.total);
  }

  /** When the next request is due; Infinity after the last. */
  get nextDueMs(): number {
    return this.#next < this.total ? this.dueMs(this.#next) : Infinity;
  }

  get finished(): boolean {
    return this.#answered === this.total;
  }

  dueMs(request: number): number {
    return this.#firstMs + request * this.#intervalMs;
  }

  /** Number of the next request if it is due, else -1. */
  take(nowMs: number): number {
    if (nowMs < this.nextDueMs) return -1;
    this.#lateMs[this.#next] = nowMs - this.nextDueMs;
    return this.#next++;
  }

  answered(request: number, nowMs: number, ok: boolean): void {
    this.#latenciesMs[request] = nowMs - this.dueMs(request);
    this.#answered++;
    if (!ok) this.#failures++;
  }

  report(): LatencyReport {
    const latencies = this.#latenciesMs.subarray(this.#counted);
    const answered = latencies.filter((ms) => !Number.isNaN(ms)).sort();
    const late = this.#lateMs.slice(this.#counted).sort();
    return {
      requests: latencies.length,
      failures: this.#failures + (this.total - this.#answered),
      p50Us: percentileUs(answered, 50),
      p99Us: percentileUs(answered, 99),
      p999Us: percentileUs(answered, 99.9),
      maxUs: percentileUs(answered, 100),
      lateP50Us: percentileUs(late, 50),
      lateP99Us: percentileUs(late, 99),
    };
  }
}

/** Of sorted values in ms: the smallest that `percent` of them do not exceed. */
export function percentileUs(sortedMs: Float64Array, percent: number): number {
  const rank = Math.max(1, Math.ceil(sortedMs.length * percent / 100));
  return Math.round((sortedMs[rank - 1] ?? NaN) * 1000);
}
