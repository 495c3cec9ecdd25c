/** What is known of an exchange: where it came from, what was asked and answered. Filters and logs read it. */
import type { Claims } from "../core/claims.ts";
import type { Fault } from "../core/fault.ts";
import type { Fields } from "../core/fields.ts";
import type { ExchangeFacts } from "../core/filter.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Stream } from "../core/stream.ts";
import type { Exchange } from "./exchange.ts";
import type { ListenerRuntime, Route } from "./snapshot.ts";

/** What an exchange needs to know of the connection it came by; one per connection. */
export interface Arrival {
  /** The runtime in force; read once, when the request's head arrives. */
  readonly runtime: ListenerRuntime;
  readonly peer: string;
  readonly remote: string;
  /** `ip:port` of our end; "" when the connection is gone. */
  readonly local: string;
  /** What the client called us in its TLS hello; "" for nothing. */
  readonly servername: string;
  /** The exchange has become a tunnel, which no request timeout watches over any more. */
  switched(x: Exchange): void;
  /** Called last, once: counts, access log. */
  ended(x: Exchange): void;
  monotonicMs(): number;
}

const NO_SLOTS: unknown[] = [];

export abstract class ExchangeState implements ExchangeFacts {
  readonly arrival: Arrival;
  readonly downstream: Stream<ResponseHead>;
  readonly startedMs: number;
  runtime!: ListenerRuntime; // this and the next two are set with the head, which comes before all else
  request!: RequestHead;
  route!: Route;
  response: ResponseHead | null = null;
  /** The first thing that went wrong, and why. */
  fault: Fault | null = null;
  /** The fields its response ended with: trailers, or a head that was all of it. */
  ending: Fields | null = null;
  /** When the exchange became a tunnel; 0: it is none. */
  switchedMs = 0;
  /** State of its filters; see FilterContext. */
  slots: unknown[] = NO_SLOTS;
  /** Who the end user is, and which policy refused; see FilterContext. */
  claims: Claims | null = null;
  refusedBy = "";

  constructor(arrival: Arrival, downstream: Stream<ResponseHead>) {
    this.arrival = arrival;
    this.downstream = downstream;
    this.startedMs = arrival.monotonicMs();
  }

  /** Enters the runtime in force, which is pinned: a new snapshot does not touch this exchange. */
  protected enter(head: RequestHead): void {
    this.request = head;
    this.runtime = this.arrival.runtime;
    this.runtime.entered();
    this.route = this.runtime.match(head, this.arrival.servername);
    const { slots } = this.route.plan;
    if (slots > 0) this.slots = new Array(slots);
  }

  get facts(): ExchangeFacts {
    return this;
  }
  abstract get endpoint(): string;
  get local(): string {
    return this.arrival.local;
  }
  get servername(): string {
    return this.arrival.servername;
  }
  get peer(): string {
    return this.arrival.peer;
  }
  get remote(): string {
    return this.arrival.remote;
  }
  get routeName(): string {
    return this.route.name;
  }
  get backendName(): string {
    return this.route.backend === null ? "" : this.route.backend.name;
  }
  get version(): string {
    return this.runtime.version;
  }
}
