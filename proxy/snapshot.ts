/** The configuration in force, as the data path reads it: compiled, immutable, swapped whole. */
import type { Plan } from "../core/filter.ts";
import type { Fault } from "../core/fault.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Stream, StreamSink } from "../core/stream.ts";
import type { Outcome } from "../core/filter.ts";
import type { RouteStats } from "./route_stats.ts";

/** One address of a backend, with its pool of connections. */
export interface Endpoint {
  readonly address: string;
  /**
   * Takes a pooled connection or dials one; the stream buffers until it is up. `repeatable: false`
   * (a request that must not run twice) keeps away from connections the peer may just be closing.
   */
  open(into: StreamSink<ResponseHead>, repeatable: boolean): Stream<RequestHead>;
  /** Brackets every attempt, for load, latency and outlier detection. Monotonic milliseconds. */
  started(): number;
  /** `answeredMs`: when its head or its fault came. */
  finished(outcome: Outcome, startedMs: number, answeredMs: number): void;
}

/** A named group of like endpoints behind a balancer. */
export interface Backend {
  readonly name: string;
  /** An endpoint that is healthy and not yet tried, or the best that is left; null when there is none. */
  pick(tried: readonly string[], request: RequestHead): Endpoint | null;
}

/** One route with one of its backends: what an exchange is bound to. */
export interface Route {
  readonly name: string;
  readonly plan: Plan;
  /** Null: the plan answers by itself (redirect), or `fault` says why nothing can. */
  readonly backend: Backend | null;
  readonly fault: Fault | null;
  readonly stats: RouteStats;
}

/** What one listener does with a request under one snapshot. */
export interface ListenerRuntime {
  readonly version: string;
  /**
   * Always a route: one that answers 400, 404 or 421 when none matches. Normalises `head.path`.
   * `servername`: what the client called us in its TLS hello, lower-case; "" for nothing.
   */
  match(head: RequestHead, servername: string): Route;
  /** Exchanges that began under this snapshot and still run; the last one out closes its filters. */
  entered(): void;
  left(): void;
}
