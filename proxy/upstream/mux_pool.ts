/** A few connections to one peer that carry many requests each; falls back to one request a connection. */
import { type Random, systemRandom } from "../../core/clock.ts";
import { FAULTS } from "../../core/fault.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Stream, StreamSink } from "../../core/stream.ts";
import { endOfAge, type PoolLimits, type RequestPool } from "./pool.ts";
import { QueuedStream } from "./queued_stream.ts";

/** One connection as the pool sees it. */
export interface MuxConnection {
  /** Null until the handshake is over; then what the peer chose to speak. */
  readonly codec: ClientCodec<RequestHead, ResponseHead> | null;
  /** Requests under way on it. */
  readonly active: number;
  /** Monotonic milliseconds of the last request that began. */
  usedMs: number;
  drain(): void;
}

export type MuxDial = (pool: MuxPool) => MuxConnection;

/**
 * Connections to one peer: one does, more share the load of a peer that is slow to read. Only where all of
 * them are full of streams that last are there more, up to the pool's own limit.
 */
export const MUX_CONNECTIONS = 2;
/** Requests under way on every connection before another is dialled. */
export const MUX_SPREAD_AT = 128;

export class MuxPool implements RequestPool {
  readonly limits: PoolLimits;
  readonly #dial: MuxDial;
  readonly #fallback: () => RequestPool;
  readonly #nowMs: () => number;
  readonly #random: Random;
  readonly #open: MuxConnection[] = [];
  /** When each open connection is too old. */
  readonly #ages = new WeakMap<MuxConnection, number>();
  readonly #dialling = new Set<MuxConnection>();
  #waiting: QueuedStream[] = [];
  /** The peer spoke HTTP/1.1 when asked: until renewed or too old, requests go that way. */
  #plain: RequestPool | null = null;
  #plainUntilMs = 0;
  #draining = false;

  constructor(
    limits: PoolLimits,
    dial: MuxDial,
    fallback: () => RequestPool,
    nowMs: () => number,
    random: Random = systemRandom,
  ) {
    this.#random = random;
    this.limits = limits;
    this.#dial = dial;
    this.#fallback = fallback;
    this.#nowMs = nowMs;
  }

  /** Connections that take requests, or will. Those that end after their last are not among them. */
  get size(): number {
    return this.#open.length + this.#dialling.size;
  }
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Never fails synchronously: whatever goes wrong reaches `into` later. */
  open(into: StreamSink<ResponseHead>, repeatable: boolean): Stream<RequestHead> {
    if (this.#plain !== null) return this.#plain.open(into, repeatable);
    const connection = this.#least();
    if (connection !== null) {
      connection.usedMs = this.#nowMs();
      return connection.codec!.open(into);
    }
    const queued = new QueuedStream(into);
    if (this.#waiting.length >= this.limits.maxPending) {
      queueMicrotask(() => queued.refuse(FAULTS["upstream.overflow"]));
      return queued;
    }
    this.#waiting.push(queued);
    if (this.size === 0) this.#dialOne();
    return queued;
  }

  /** A handshake is over and the connection speaks HTTP/2. */
  ready(connection: MuxConnection): void {
    this.#dialling.delete(connection);
    const now = this.#nowMs();
    // It takes the place of those that are too old: they end after their requests.
    const old = this.#open.filter((one) => this.#isOld(one, now));
    for (const one of old) {
      this.#open.splice(this.#open.indexOf(one), 1);
      one.drain();
    }
    this.#open.push(connection);
    this.#ages.set(connection, this.#endOfAge());
    connection.usedMs = now;
    this.#serve(connection);
    if (this.#draining) connection.drain();
  }

  /** A stream of the connection is over. */
  released(connection: MuxConnection): void {
    if (this.#waiting.length > 0) this.#serve(connection);
  }

  /** The peer does not speak HTTP/2. */
  refused(connection: MuxConnection): void {
    this.#dialling.delete(connection);
    if (this.#plain === null) this.#plainUntilMs = this.#endOfAge();
    const plain = this.#plain ??= this.#fallback();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const queued of waiting) queued.attachTo((into) => plain.open(into, true));
  }

  /** A connection has closed; `fault` for requests that waited for it, if it never opened. */
  gone(connection: MuxConnection, fault = FAULTS["upstream.connect"]): void {
    const neverOpened = this.#dialling.delete(connection);
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
    if (this.#waiting.length === 0 || this.size > 0) return;
    // Those who wait for a slot may get one on another connection; a peer that cannot be reached is told.
    if (!neverOpened) return this.#dialOne();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const queued of waiting) queued.refuse(fault);
  }

  /** Closes what has been idle too long, replaces what is too old, and warms up; called every second. */
  sweep(): void {
    const now = this.#nowMs();
    if (this.#plain !== null && now >= this.#plainUntilMs) this.#askAgain();
    this.#plain?.sweep();
    const oldest = now - this.limits.idleTimeoutMs;
    const warm = !this.#draining && (this.limits.warmUp ?? 0) > 0;
    let wanted = warm && this.#plain === null && this.size === 0;
    for (const connection of [...this.#open]) {
      connection.codec!.sweep?.(now);
      const idle = connection.codec!.phase === 0 && connection.usedMs < oldest;
      if (idle && !warm) connection.drain();
      // The next one first: until it is there the old one serves.
      else if (this.#isOld(connection, now)) wanted = true;
    }
    if (wanted && this.#dialling.size === 0) this.#dialOne();
  }

  /** Renews every connection: new requests go to new ones, the old end after their streams. */
  renew(): void {
    this.#askAgain();
    for (const connection of this.#open.splice(0)) connection.drain();
  }
  drain(): void {
    this.#draining = true;
    this.renew();
  }
  revive(): void {
    this.#draining = false;
  }

  /** A peer of HTTP/1.1 may have been upgraded. */
  #askAgain(): void {
    this.#plain?.renew();
    this.#plain = null;
  }

  #endOfAge(): number {
    return endOfAge(this.limits, this.#nowMs(), this.#random);
  }

  #serve(connection: MuxConnection): void {
    const { codec } = connection;
    while (this.#waiting.length > 0 && codec!.slots > 0) this.#waiting.shift()!.attach(codec!);
  }

  /** The open connection with the fewest requests; null when none has a slot. */
  #least(): MuxConnection | null {
    let best: MuxConnection | null = null;
    for (const connection of this.#open) {
      if (connection.codec!.slots === 0) continue;
      if (best === null || connection.active < best.active) best = connection;
    }
    if (this.#open.length === 0) return null;
    if (best === null) {
      if (this.#dialling.size === 0 && this.size < this.limits.maxConnections) this.#dialOne();
    } else if (best.active >= MUX_SPREAD_AT && this.size < MUX_CONNECTIONS) this.#dialOne();
    return best;
  }

  #isOld(connection: MuxConnection, nowMs: number): boolean {
    return nowMs >= (this.#ages.get(connection) ?? Infinity);
  }

  #dialOne(): void {
    this.#dialling.add(this.#dial(this));
  }
}
