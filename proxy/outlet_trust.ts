/**
 * Open connections to other sidecars are held to the rule they were made by, as those that come in are
 * (proxy/listener.ts): when the peer's certificate expires or loses its authority, no new request goes
 * there, and what still runs is cut after a grace period. Who is revoked is cut at once.
 */
import type { Clock } from "../core/clock.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Log } from "../core/log.ts";
import {
  type AdmittedPeer,
  type MeshIdentity,
  type RefusalReason,
  stillTrusted,
} from "./tls/mod.ts";

/** A connection whose peer has proved who it is. */
export interface TrustedOutlet {
  /** `host:port`. */
  readonly address: string;
  /** No new request; the connection ends after the last. */
  drain(): void;
  fail(fault: Fault): void;
}

interface Watched {
  readonly peer: AdmittedPeer;
  /** When it ceased to be trusted, on the monotonic clock; Infinity: it is. */
  distrustedMs: number;
}

export class OutletTrust {
  readonly #watched = new Map<TrustedOutlet, Watched>();
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #graceMs: number;

  constructor(clock: Clock, log: Log, graceMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.#graceMs = graceMs;
  }

  get size(): number {
    return this.#watched.size;
  }

  opened(outlet: TrustedOutlet, peer: AdmittedPeer): void {
    this.#watched.set(outlet, { peer, distrustedMs: Infinity });
  }
  closed(outlet: TrustedOutlet): void {
    this.#watched.delete(outlet);
  }

  /** Judges all of them anew; to be called every second, and when bundle or revocations change. */
  sweep(identity: MeshIdentity): void {
    const nowMs = this.#clock.nowMs();
    const monotonicMs = this.#clock.monotonicMs();
    for (const [outlet, watched] of this.#watched) {
      const isNew = watched.distrustedMs === Infinity;
      const reason = this.#judge(outlet, watched, identity, nowMs);
      const isOver = monotonicMs - watched.distrustedMs > this.#graceMs;
      if (reason === "revoked" || isOver) outlet.fail(FAULTS["upstream.distrusted"]);
      else if (isNew && reason !== null) outlet.drain();
    }
  }

  /** Why it is not to be trusted; said once. */
  #judge(
    outlet: TrustedOutlet,
    watched: Watched,
    identity: MeshIdentity,
    nowMs: number,
  ): RefusalReason | null {
    const verdict = stillTrusted(watched.peer, identity, nowMs);
    if (verdict.ok) return null;
    const { reason, detail } = verdict;
    if (watched.distrustedMs < Infinity) return reason;
    watched.distrustedMs = this.#clock.monotonicMs();
    this.#log.warn("outbound.closed", {
      endpoint: outlet.address,
      peer: watched.peer.identity,
      reason,
      detail,
    });
    return reason;
  }
}
