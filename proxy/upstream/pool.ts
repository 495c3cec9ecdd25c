/** Connections to one endpoint: reused while they live, dialled when they do not suffice, bounded. */
import { type Random, systemRandom } from "../../core/clock.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Stream, StreamSink } from "../../core/stream.ts";
import { IdleMemory } from "./idle_memory.ts";
import { QueuedStream } from "./queued_stream.ts";

/** One connection as the pool sees it; the dialler makes and watches it. */
export interface PooledConnection {
  readonly codec: ClientCodec<RequestHead, ResponseHead>;
  /** Monotonic milliseconds at which it last became idle. */
  idleSinceMs: number;
  /** It leaves the idle list; released() may be called again once it has room. */
  taken(): void;
  /** Stops it at once. */
  fail(fault: Fault): void;
}

/** Opens a socket and puts a client codec on it; reports back through the pool's released() and gone(). */
export type Dial = (pool: Pool) => PooledConnection;

export interface PoolLimits {
  readonly maxConnections: number;
  readonly maxPending: number;
  readonly idleTimeoutMs: number;
  /** A connection older than this ends after its request; default {@link MAX_AGE_MS}. */
  readonly maxAgeMs?: number;
  /** Connections opened before there is a request for them, and kept though idle. */
  readonly warmUp?: number;
}

/** Long enough to cost nothing, short enough that traffic follows what changed behind an address. */
export const MAX_AGE_MS = 300_000;

/** When a connection made now is too old: up to a fifth earlier than said, or all of a start would end together. */
export function endOfAge(limits: PoolLimits, nowMs: number, random: Random): number {
  return nowMs + (limits.maxAgeMs ?? MAX_AGE_MS) * (1 - random() / 5);
}

/** Where an endpoint's requests go; see also mux_pool.ts. */
export interface RequestPool {
  open(into: StreamSink<ResponseHead>, repeatable: boolean): Stream<RequestHead>;
  /** Closes what has been idle too long; called every second. */
  sweep(): void;
  /** New connections for new requests; the old ones end after their last. */
  renew(): void;
  /** No new use: the endpoint has left the configuration. */
  drain(): void;
  revive(): void;
}

export class Pool implements RequestPool {
  readonly limits: PoolLimits;
  readonly #dial: Dial;
  readonly #nowMs: () => number;
  readonly #random: Random;
  /** Idle connections, the most recently used last: the others can age out. */
  readonly #idle: PooledConnection[] = [];
  /** Each connection and when it is too old. */
  readonly #all = new Map<PooledConnection, number>();
  readonly #waiting: QueuedStream[] = [];
  readonly #memory = new IdleMemory();
  #draining = false;

  constructor(
    limits: PoolLimits,
    dial: Dial,
    nowMs: () => number,
    random: Random = systemRandom,
  ) {
    this.limits = limits;
    this.#dial = dial;
    this.#nowMs = nowMs;
    this.#random = random;
  }

  get size(): number {
    return this.#all.size;
  }
  get idle(): number {
    return this.#idle.length;
  }
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Never fails synchronously: whatever goes wrong reaches `into` later. */
  open(into: StreamSink<ResponseHead>, repeatable: boolean): Stream<RequestHead> {
    const connection = this.#takeIdle(repeatable);
    if (connection !== null) return connection.codec.open(into);
    if (this.#all.size < this.limits.maxConnections) return this.#dialled().codec.open(into);
    const queued = new QueuedStream(into);
    if (this.#idle.length > 0) {
      // All are idle and none is fresh enough: one must make room, or this waits for ever.
      this.#waiting.push(queued);
      this.#idle.shift()!.fail(FAULTS["proxy.stopped"]);
    } else if (this.#waiting.length >= this.limits.maxPending) {
      queueMicrotask(() => queued.refuse(FAULTS["upstream.overflow"]));
    } else this.#waiting.push(queued);
    return queued;
  }

  /** A connection's stream is over; it may have room again. */
  released(connection: PooledConnection): void {
    if (connection.codec.slots === 0 || !this.#all.has(connection)) return;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!next.attach(connection.codec)) continue;
      connection.taken();
      return;
    }
    if (this.#draining || this.#isOld(connection)) return void connection.codec.drain();
    connection.idleSinceMs = this.#nowMs();
    this.#idle.push(connection);
  }

  /** A connection has closed. */
  gone(connection: PooledConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) {
      this.#idle.splice(at, 1);
      this.#learn(connection);
    }
    while (this.#waiting.length > 0 && this.#all.size < this.limits.maxConnections) {
      if (this.#waiting[0]!.cancelled) this.#waiting.shift();
      else this.#waiting.shift()!.attach(this.#dialled().codec);
    }
  }

  /** Closes what has been idle too long or is too old, and warms up; called every second. */
  sweep(): void {
    const oldest = this.#nowMs() - this.limits.idleTimeoutMs;
    const warmUp = this.#draining ? 0 : this.limits.warmUp ?? 0;
    let stale = 0;
    while (stale < this.#idle.length && this.#idle[stale]!.idleSinceMs < oldest) stale++;
    stale = Math.min(stale, Math.max(0, this.#all.size - warmUp));
    const leaving = this.#idle.splice(0, stale);
    for (let i = this.#idle.length - 1; i >= 0; i--) {
      if (this.#isOld(this.#idle[i]!)) leaving.push(...this.#idle.splice(i, 1));
    }
    for (const connection of leaving) connection.codec.drain();
    const wanted = Math.min(warmUp, this.limits.maxConnections);
    for (let n = this.#all.size - leaving.length; n < wanted; n++) this.#dialled();
  }

  /** Renews every connection (a rotated identity, say): idle ones close now, busy ones after their stream. */
  renew(): void {
    for (const connection of this.#idle.splice(0)) connection.codec.drain();
    for (const connection of this.#all.keys()) connection.codec.drain();
  }

  /** No new use: the endpoint has left the configuration. */
  drain(): void {
    this.#draining = true;
    this.renew();
  }

  /** A drained endpoint came back. */
  revive(): void {
    this.#draining = false;
  }

  #takeIdle(repeatable: boolean): PooledConnection | null {
    while (this.#idle.length > 0) {
      const connection = this.#idle[this.#idle.length - 1]!;
      if (!repeatable && !this.#isFresh(connection)) return null;
      this.#idle.pop();
      if (this.#isOld(connection)) {
        connection.codec.drain();
        continue;
      }
      if (connection.codec.slots === 0) {
        this.#learn(connection);
        continue;
      }
      connection.taken();
      return connection;
    }
    return null;
  }

  #isFresh(connection: PooledConnection): boolean {
    const nowMs = this.#nowMs();
    return nowMs - connection.idleSinceMs <= this.#memory.trustedMs(nowMs);
  }

  /** The peer ended a connection that was idle. */
  #learn(connection: PooledConnection): void {
    const nowMs = this.#nowMs();
    this.#memory.closed(nowMs - connection.idleSinceMs, nowMs);
  }

  #dialled(): PooledConnection {
    const connection = this.#dial(this);
    this.#all.set(connection, endOfAge(this.limits, this.#nowMs(), this.#random));
    return connection;
  }

  #isOld(connection: PooledConnection): boolean {
    return this.#nowMs() >= (this.#all.get(connection) ?? Infinity);
  }
}
