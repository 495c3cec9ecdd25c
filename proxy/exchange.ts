/**
 * One request and its response, from socket to socket. Start reading here.
 *
 *   downstream codec ──▶ Exchange ──▶ request Flow (filters) ──▶ Dispatch ──▶ upstream codec
 *   downstream codec ◀──────────── response Flow (filters) ◀── Attempt ◀──── upstream codec
 *
 * Every arrow is a Sink and every push is a plain call: no promise, closure or copy lies between
 * the two sockets unless a filter asks for one.
 */
import {
  ATTEMPT,
  DONE,
  type FilterContext,
  REQUEST,
  RESPONSE,
  type Verdict,
} from "../core/filter.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../core/message.ts";
import type { Stream, StreamSink } from "../core/stream.ts";
import { Dispatch } from "./dispatch.ts";
import { Flow } from "./flow.ts";
import { localReply } from "./local_reply.ts";
import type { ListenerRuntime, Route } from "./snapshot.ts";

/** What an exchange needs to know of the connection it came by; one per connection. */
export interface Arrival {
  /** The runtime in force; read once, when the request's head arrives. */
  readonly runtime: ListenerRuntime;
  readonly peer: string;
  readonly remote: string;
  /** The exchange has become a tunnel, which no request timeout watches over any more. */
  switched(x: Exchange): void;
  /** Called last, once: counts, access log. */
  ended(x: Exchange): void;
  monotonicMs(): number;
}

const NO_SLOTS: unknown[] = [];
const NOTHING = new Uint8Array(0);

export class Exchange implements StreamSink<RequestHead>, FilterContext {
  readonly arrival: Arrival;
  readonly downstream: Stream<ResponseHead>;
  readonly startedMs: number;
  runtime!: ListenerRuntime; // this and the next five are set by head(), which comes before all else
  request!: RequestHead;
  route!: Route;
  #requestFlow!: Flow<RequestHead>;
  #responseFlow!: Flow<ResponseHead>;
  #dispatch!: Dispatch;
  response: ResponseHead | null = null;
  fault: Fault | null = null;
  /** When the exchange became a tunnel; 0: it is none. */
  switchedMs = 0;
  slots: unknown[] = NO_SLOTS;

  constructor(arrival: Arrival, downstream: Stream<ResponseHead>) {
    this.arrival = arrival;
    this.downstream = downstream;
    this.startedMs = arrival.monotonicMs();
  }

  // ── 1. A request comes in: route it, then run the request filters ──────────

  head(head: RequestHead, end: boolean): void {
    this.request = head;
    this.runtime = this.arrival.runtime; // pinned: a new snapshot does not touch this exchange
    this.runtime.entered();
    this.route = this.runtime.match(head);
    const { plan } = this.route;
    if (plan.slots > 0) this.slots = new Array(plan.slots);
    this.#dispatch = new Dispatch(this);
    this.#requestFlow = new Flow(plan.request, this, this.downstream, this.#dispatch);
    this.#responseFlow = new Flow(plan.response, this, this.#dispatch, this.downstream);
    this.#requestFlow.tunnel = head.upgrade !== undefined;
    this.downstream.feeder = this.#dispatch;
    this.#requestFlow.head(head, end);
    if (this.#requestFlow.collecting) this.#expectBody();
  }
  info(): void {} // requests have no interim heads
  data(bytes: Uint8Array, end: boolean): void {
    this.#requestFlow.data(bytes, end);
  }
  trailers(fields: Fields): void {
    this.#requestFlow.trailers(fields);
  }

  // ── 2. Dispatch picks an endpoint, tries it, retries: see dispatch.ts ──────

  // ── 3. A response is committed: run the response filters, out to the client ─

  answerInfo(head: ResponseHead): void {
    this.#responseFlow.info(head);
  }
  answer(head: ResponseHead, end: boolean): void {
    this.response = head;
    if (this.request.upgrade !== undefined) this.#decide(head);
    this.#responseFlow.head(head, end);
  }
  answerData(bytes: Uint8Array, end: boolean): void {
    this.#responseFlow.data(bytes, end);
  }
  answerTrailers(fields: Fields): void {
    this.#responseFlow.trailers(fields);
  }

  // ── 4. Ways out: a local reply, a cut response, a client that left ─────────

  respond(status: number, fields: Fields = new Fields(), body?: Uint8Array): Verdict {
    if (this.#responseFlow.passed) return this.fail(FAULTS["proxy.internal"]);
    this.#requestFlow.close();
    this.#dispatch.stop(this.fault ?? FAULTS["proxy.stopped"]);
    if (body !== undefined) fields.set("content-length", String(body.length));
    const first = this.response === null;
    this.response = { status, fields };
    // A reply that replaces a response the filters already saw goes straight out.
    if (!first) this.#responseFlow.close();
    const out = first ? this.#responseFlow : this.downstream;
    out.head(this.response, body === undefined);
    if (body !== undefined) out.data(body, true);
    return DONE;
  }
  fail(fault: Fault): Verdict {
    this.fault ??= fault;
    if (!this.#responseFlow.passed) return localReply(this, fault);
    this.#requestFlow.close();
    this.#responseFlow.abort(fault); // too late for a status: cut the message
    this.#dispatch.stop(fault);
    return DONE;
  }
  failAttempt(fault: Fault): void {
    this.#dispatch.failAttempt(fault);
  }
  abort(fault: Fault): void {
    this.fault ??= fault;
    this.#requestFlow.close();
    this.#responseFlow.close();
    this.#dispatch.stop(fault);
  }
  closed(): void {
    for (const step of this.route.plan.end) step(this);
    this.#dispatch.closed();
    this.runtime.left();
    this.arrival.ended(this);
  }

  // ── A filter that paused has made up its mind ──────────────────────────────

  resume(held: number): void {
    if (held & REQUEST) this.#requestFlow.resume();
    if (held & ATTEMPT) this.#dispatch.resumeAttempt();
    if (held & RESPONSE) this.#responseFlow.resume();
  }

  /** Bytes a tunnel has carried, both ways. */
  get tunnelled(): number {
    return this.#requestFlow.tunnelled + this.#responseFlow.tunnelled;
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

  /** The answer to a request for a tunnel: a switch, or an ordinary response and no byte of a tunnel. */
  #decide(head: ResponseHead): void {
    if (!switches(this.request, head.status)) return this.#dispatch.data(NOTHING, true);
    this.#responseFlow.tunnel = true;
    this.switchedMs = this.arrival.monotonicMs();
    this.arrival.switched(this);
  }

  /** A filter wants the body before the upstream sees the head, so nobody else can say 100. */
  #expectBody(): void {
    if (!this.request.fields.has("expect")) return;
    this.request.fields.remove("expect");
    this.downstream.info({ status: 100, fields: new Fields() });
  }
}
