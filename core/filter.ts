/** The one interface every policy implements, and the plan a chain of them is compiled into. */
import type { Calls } from "./calls.ts";
import type { Claims } from "./claims.ts";
import type { Clock, Random } from "./clock.ts";
import { type Fault, FAULTS } from "./fault.ts";
import type { Fields } from "./fields.ts";
import type { Log } from "./log.ts";
import type { RequestHead, ResponseHead } from "./message.ts";
import type { Metrics } from "./metrics.ts";
import type { Wheel } from "./timers.ts";

/** What a filter says after a phase. Numbers, so the walk is one integer compare. */
export const CONTINUE = 0 as const; // go on to the next filter
export const PAUSE = 1 as const; // hold this direction until ctx.resume()
export const DONE = 2 as const; // a local reply or a reset took over; touch nothing more
export const RETRY = 3 as const; // outcome hooks only: try again
export const COLLECT = 4 as const; // heads only: hold the head, feed my data hook, go on when it returns bytes
export type Verdict = 0 | 1 | 2 | 3 | 4;

/** What a filter can hold: bits, because a late decision may concern more than one. */
export const REQUEST = 1 as const, ATTEMPT = 2 as const, RESPONSE = 4 as const;

/** What one try at an endpoint came to. */
export interface Outcome {
  readonly endpoint: string;
  readonly attempt: number; // 1 = first
  status: number; // 0 when no response head arrived
  fault: Fault | null;
  /** Of a gRPC response that has ended, be it with its head; −1: none, or not yet. */
  grpcStatus: number;
}

/** What is known of an exchange beside its messages. */
export interface ExchangeFacts {
  /** `ip:port` of our end of the client's connection; "" when it is gone. */
  readonly local: string;
  /** What the client called us in its TLS hello; "" for nothing. */
  readonly servername: string;
  /** `ip:port` of the endpoint of the running or last attempt; "" before the first. */
  readonly endpoint: string;
  /** The first thing that went wrong. */
  readonly fault: Fault | null;
  /** The fields its response ended with: trailers, or a head that was all of it. */
  readonly ending: Fields | null;
}

/** The place of a filter: the proxy, and the listener its chain begins at. */
export interface FilterPlace {
  /** `sidecar/namespace/name` or `gateway/namespace/name`. */
  readonly node: string;
  readonly listener: string;
  readonly direction: "inbound" | "outbound";
  /** The route carries connections that are no HTTP. */
  readonly tunnel: boolean;
}

/** The exchange as a filter sees it. One object per exchange; never kept after onEnd. */
export interface FilterContext {
  readonly request: RequestHead;
  readonly response: ResponseHead | null;
  /** SPIFFE id of the client, "" when the connection is not mTLS. */
  readonly peer: string;
  /** `ip:port` of the client's end of the connection. */
  readonly remote: string;
  /** Name of the matched route and of the backend it chose ("" for none). */
  readonly routeName: string;
  readonly backendName: string;
  /** The configuration this exchange began with: a revision's content hash. */
  readonly version: string;
  /** Per-exchange filter state; a filter owns the index its environment was created with. */
  readonly slots: unknown[];
  /** Absent where there is no proxy. */
  readonly facts?: ExchangeFacts;
  /** The verified token of the end user, from the filter that verified it; null: no valid one came, or none was asked for. */
  claims: Claims | null;
  /**
   * The policy by which a filter refuses, `namespace/name` or a word in brackets, set before fail(). For logs
   * only: clients are not told which rule they met. "" for none.
   */
  refusedBy: string;
  /** Answers from here instead of an upstream; returns DONE. */
  respond(status: number, fields?: Fields, body?: Uint8Array): Verdict;
  /** Ends the exchange with a fault: a local reply, or a cut response if one has begun. Returns DONE. */
  fail(fault: Fault): Verdict;
  /** Ends the running attempt only; outcome hooks decide what follows. No-op once a response has begun. */
  failAttempt(fault: Fault): void;
  /**
   * Goes on after PAUSE or a held chunk; late and repeated calls are harmless. `held` names what the
   * caller holds (REQUEST, ATTEMPT, RESPONSE): what another filter holds meanwhile is left alone.
   */
  resume(held: number): void;
}

/**
 * One policy, built once per snapshot and shared by all its exchanges. A hook left out costs nothing.
 * Hooks are synchronous and never throw; async work goes through {@link later}.
 */
export interface Filter {
  onRequestHead?(ctx: FilterContext, head: RequestHead, end: boolean): Verdict;
  /**
   * The bytes are there for the call only: a hook that keeps any copies them. What it returns are the bytes
   * to pass on (the same array = untouched), empty = swallowed, null = hold: called again with
   * the same bytes after resume(). An empty chunk that is not the last says that trailers follow: a hook
   * that has swallowed bytes returns them now.
   */
  onRequestData?(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null;
  onRequestTrailers?(ctx: FilterContext, fields: Fields): Verdict;
  /** The bytes of a tunnel, from the client and to it; the rules are those of {@link onRequestData}. */
  onTunnelUp?(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null;
  onTunnelDown?(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null;
  /** Before each try: CONTINUE, PAUSE (back-off; resume() goes on with the next hook) or DONE. */
  onAttempt?(ctx: FilterContext, attempt: number): Verdict;
  /** After each try, when its head or its fault is known: CONTINUE or RETRY. */
  onOutcome?(ctx: FilterContext, outcome: Outcome): Verdict;
  onResponseHead?(ctx: FilterContext, head: ResponseHead, end: boolean): Verdict;
  onResponseData?(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null;
  onResponseTrailers?(ctx: FilterContext, fields: Fields): Verdict;
  /** Exactly once per exchange whose route has this filter, after its last byte or its reset. */
  onEnd?(ctx: FilterContext): void;
  /** The snapshot is gone and no exchange uses the filter any more. */
  close?(): void;
}

/** What a filter may use of the proxy; given once, at creation. */
export interface FilterEnv {
  /** Unique within the plan: the policy or binding it came from, `namespace/name`. */
  readonly name: string;
  /** Index of this filter's state in `ctx.slots`. */
  readonly slot: number;
  /** Absent where there is no proxy. */
  readonly place?: FilterPlace;
  /** Name of the backend the chain leads to; state per backend is kept under it. */
  readonly backend: string;
  readonly clock: Clock;
  readonly wheel: Wheel;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Asks other backends of the same configuration. */
  readonly calls: Calls;
  /** State that outlives a snapshot: the same key gives the same object while any snapshot in force asks for it. */
  keep<T>(key: string, make: () => T): T;
}

/** Builds a filter from its wire configuration; rejects a bad one with an Error that names the field. */
export type FilterFactory = (config: unknown, env: FilterEnv) => Filter | Promise<Filter>;

export type HeadStep<H> = (ctx: FilterContext, head: H, end: boolean) => Verdict;
export type DataStep = (ctx: FilterContext, bytes: Uint8Array, end: boolean) => Uint8Array | null;
export type TrailerStep = (ctx: FilterContext, fields: Fields) => Verdict;
export type AttemptStep = (ctx: FilterContext, attempt: number) => Verdict;
export type OutcomeStep = (ctx: FilterContext, outcome: Outcome) => Verdict;
export type EndStep = (ctx: FilterContext) => void;

export interface FlowSteps<H> {
  readonly head: readonly HeadStep<H>[];
  readonly data: readonly DataStep[];
  readonly trailers: readonly TrailerStep[];
  /** In place of `data`, once an exchange is a tunnel. */
  readonly tunnel: readonly DataStep[];
  /** For head step i: how many data steps belong to filters up to and including its own. */
  readonly dataUpTo: readonly number[];
}

/** A filter chain compiled per phase; response steps run in reverse filter order. */
export interface Plan {
  readonly request: FlowSteps<RequestHead>;
  readonly attempt: readonly AttemptStep[];
  readonly outcome: readonly OutcomeStep[];
  readonly response: FlowSteps<ResponseHead>;
  readonly end: readonly EndStep[];
  readonly slots: number;
  /** Bytes of request body kept for retries; 0 = none. */
  readonly replayLimit: number;
}

/** Compiles filters into a plan: bind once here, call bare functions ever after. */
export function compilePlan(filters: readonly Filter[], replayLimit = 0): Plan {
  const back = filters.toReversed();
  return {
    request: {
      head: steps(filters, (f) => f.onRequestHead?.bind(f)),
      data: steps(filters, (f) => f.onRequestData?.bind(f)),
      trailers: steps(filters, (f) => f.onRequestTrailers?.bind(f)),
      tunnel: steps(filters, (f) => f.onTunnelUp?.bind(f)),
      dataUpTo: dataUpTo(filters, "onRequestHead", "onRequestData"),
    },
    attempt: steps(filters, (f) => f.onAttempt?.bind(f)),
    outcome: steps(filters, (f) => f.onOutcome?.bind(f)),
    response: {
      head: steps(back, (f) => f.onResponseHead?.bind(f)),
      data: steps(back, (f) => f.onResponseData?.bind(f)),
      trailers: steps(back, (f) => f.onResponseTrailers?.bind(f)),
      tunnel: steps(back, (f) => f.onTunnelDown?.bind(f)),
      dataUpTo: dataUpTo(back, "onResponseHead", "onResponseData"),
    },
    end: steps(filters, (f) => f.onEnd?.bind(f)),
    slots: filters.length,
    replayLimit,
  };
}

/** Adapts an async decision to the synchronous protocol: `return later(ctx, this.#check(ctx))`. */
export function later(ctx: FilterContext, work: Promise<void>): Verdict {
  const held = ctx.response === null ? REQUEST : RESPONSE;
  work.then(
    () => ctx.resume(held),
    (e: unknown) => ctx.fail({ ...FAULTS["filter.threw"], detail: `A filter failed: ${e}` }),
  );
  return PAUSE;
}

function steps<S>(filters: readonly Filter[], hook: (filter: Filter) => S | undefined): S[] {
  const found: S[] = [];
  for (const filter of filters) {
    const step = hook(filter);
    if (step !== undefined) found.push(step);
  }
  return found;
}

function dataUpTo(filters: readonly Filter[], head: keyof Filter, data: keyof Filter): number[] {
  const counts: number[] = [];
  let count = 0;
  for (const filter of filters) {
    if (filter[data] !== undefined) count++;
    if (filter[head] !== undefined) counts.push(count);
  }
  return counts;
}
