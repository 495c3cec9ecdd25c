/** What a proxy knows of each endpoint from its own traffic: load, latency, ejection. Survives snapshot swaps by address. */

/** The estimate falls to 1/e of itself in this time when nothing new is heard. */
const DECAY_MS = 10_000;
/** Under this the estimate says nothing: the number of requests in flight decides. */
const FLOOR_MS = 0.1;
/** Load of an endpoint that has a request in flight and never answered one: it gets one probe, then waits. */
const UNMEASURED = 1e9;
/** A fast failure counts as twice the estimate, up to this, or failing fast would attract traffic. */
const FAILURE_CAP_MS = 1_000;
const FAILURE_BASE_MS = 10;

/** One endpoint's state. Times are monotonic milliseconds. */
export class EndpointStats {
  readonly address: string;
  /** Attempts that began and have not finished. */
  inFlight = 0;
  /** Failures since the last good answer; see outlier.ts. */
  failuresInRow = 0;
  /** Ejections that have not been forgiven yet: each one lengthens the next. */
  ejections = 0;
  /** No traffic before this time; 0 when never ejected. */
  ejectedUntilMs = 0;
  #estimateMs = 0;
  #measured = false;
  #atMs = 0;

  constructor(address: string) {
    this.address = address;
  }

  /** An attempt begins; every started() is followed by one finished(). */
  started(_nowMs: number): void {
    this.inFlight++;
  }

  /** An attempt is over; `ok` is false for a fault of the upstream or a status ≥ 500. */
  finished(nowMs: number, latencyMs: number, ok: boolean): void {
    if (this.inFlight > 0) this.inFlight--;
    // Its failures have been answered by the ejection; held against it again they would keep traffic
    // away for a minute after it is well.
    if (!ok && this.ejected(nowMs)) return;
    const decayed = this.latencyMs(nowMs);
    const sample = ok
      ? latencyMs
      : Math.max(latencyMs, Math.min(FAILURE_CAP_MS, Math.max(FAILURE_BASE_MS, decayed * 2)));
    // Peak: believe a bad sample at once, a good one slowly. A plain average would need many slow
    // answers to notice an endpoint that has just become slow.
    if (!this.#measured || sample >= decayed) this.#estimateMs = sample;
    else {
      const weight = Math.exp(-Math.max(0, nowMs - this.#atMs) / DECAY_MS);
      this.#estimateMs = this.#estimateMs * weight + sample * (1 - weight);
    }
    this.#measured = true;
    this.#atMs = nowMs;
  }

  /**
   * An attempt is over that says nothing of how it would have ended: the client left, or a filter
   * gave it up. That it lasted this long says the endpoint is at least that slow.
   */
  abandoned(nowMs: number, lastedMs: number): void {
    if (this.inFlight > 0) this.inFlight--;
    if (lastedMs <= this.latencyMs(nowMs)) return;
    // A first estimate must come from an answer, or one quick cancellation would flatter the endpoint.
    if (!this.#measured && lastedMs < FAILURE_BASE_MS) return;
    this.#estimateMs = lastedMs;
    this.#measured = true;
    this.#atMs = nowMs;
  }

  /** The peak EWMA of the latency as of `nowMs`; 0 before the first answer. */
  latencyMs(nowMs: number): number {
    if (!this.#measured) return 0;
    return this.#estimateMs * Math.exp(-Math.max(0, nowMs - this.#atMs) / DECAY_MS);
  }

  /** What one more request here is expected to cost; lower is better. */
  load(nowMs: number): number {
    if (!this.#measured) return this.inFlight === 0 ? 0 : UNMEASURED + this.inFlight;
    return Math.max(FLOOR_MS, this.latencyMs(nowMs)) * (this.inFlight + 1);
  }

  /** No traffic until `untilMs`; then it is as good as new and gets one probe. */
  eject(untilMs: number): void {
    this.ejectedUntilMs = untilMs;
    this.failuresInRow = 0;
    this.#measured = false;
  }

  ejected(nowMs: number): boolean {
    return nowMs < this.ejectedUntilMs;
  }
}

/** Departed addresses remembered per backend, so that a flapping endpoint does not shed its ejection. */
export const DEPARTED_LIMIT = 256;

/** The stats of one backend's endpoints; kept for as long as any snapshot has that backend. */
export class StatsTable {
  readonly #byAddress = new Map<string, EndpointStats>();

  get size(): number {
    return this.#byAddress.size;
  }

  /** The stats of `address`, the same object every time. */
  of(address: string): EndpointStats {
    let stats = this.#byAddress.get(address);
    if (stats === undefined) this.#byAddress.set(address, stats = new EndpointStats(address));
    return stats;
  }

  /** Tells which addresses are in force; of the others only the latest {@link DEPARTED_LIMIT} stay. */
  retain(addresses: readonly string[]): void {
    const current = new Set(addresses);
    // Re-inserting moves an entry to the end, so the map's order is "longest departed first".
    for (const address of addresses) {
      const stats = this.of(address);
      this.#byAddress.delete(address);
      this.#byAddress.set(address, stats);
    }
    let surplus = this.#byAddress.size - current.size - DEPARTED_LIMIT;
    for (const [address, stats] of this.#byAddress) {
      if (surplus <= 0) return;
      if (current.has(address) || stats.inFlight > 0) continue;
      this.#byAddress.delete(address);
      surplus--;
    }
  }
}
