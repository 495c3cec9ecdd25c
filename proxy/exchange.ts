/**
 * One request and its response, from socket to socket. Start reading here.
 *
 *   downstream codec ──▶ Exchange ──▶ request Flow (filters) ──▶ Dispatch ──▶ upstream codec
 *   downstream codec ◀──────────── response Flow (filters) ◀── Attempt ◀──── upstream codec
 *
 * Every arrow is a Sink and every push is a plain call: no promise, closure or copy lies between
 * the two sockets unless a filter asks for one.
 */
import { ATTEMPT, DONE, type FilterContext, REQUEST, RESPONSE } from "../core/filter.ts";
import type { Verdict } from "../core/filter.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../core/message.ts";
import type { StreamSink } from "../core/stream.ts";
import { Dispatch } from "./dispatch.ts";
import { ExchangeState } from "./exchange_state.ts";
import { Flow } from "./flow.ts";
import { lateReply, localReply, replyTo } from "./local_reply.ts";

const NOTHING = new Uint8Array(0);

export class Exchange extends ExchangeState implements StreamSink<RequestHead>, FilterContext {
  #requestFlow!: Flow<RequestHead>; // these three are set by head(), which comes before all else
  #responseFlow!: Flow<ResponseHead>;
  #dispatch!: Dispatch;

  // ── 1. A request comes in: route it, then run the request filters ──────────

  head(head: RequestHead, end: boolean): void {
    this.enter(head); // pins the snapshot in force and finds the route
    const { plan } = this.route;
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
    if (end) this.ending = head.fields;
    if (this.request.upgrade !== undefined) this.#decide(head);
    this.#responseFlow.head(head, end);
  }
  answerData(bytes: Uint8Array, end: boolean): void {
    this.#responseFlow.data(bytes, end);
  }
  answerTrailers(fields: Fields): void {
    this.ending = fields;
    this.#responseFlow.trailers(fields);
  }

  // ── 4. Ways out: a local reply, a cut response, a client that left ─────────

  respond(status: number, fields: Fields = new Fields(), body?: Uint8Array): Verdict {
    if (this.#responseFlow.passed) return this.fail(FAULTS["proxy.internal"]);
    this.#requestFlow.close();
    this.#dispatch.stop(this.fault ?? FAULTS["proxy.stopped"]);
    const reply = replyTo(this.request, status, fields, body);
    const first = this.response === null;
    this.response = reply.head;
    this.ending = reply.head.fields;
    // A reply that replaces a response the filters already saw goes straight out.
    if (!first) this.#responseFlow.close();
    const out = first ? this.#responseFlow : this.downstream;
    out.head(reply.head, reply.body === undefined);
    if (reply.body !== undefined) out.data(reply.body, true);
    return DONE;
  }
  fail(fault: Fault): Verdict {
    this.fault ??= fault;
    if (!this.#responseFlow.passed) return localReply(this, fault);
    this.#requestFlow.close();
    if (lateReply(this, fault)) this.#responseFlow.close();
    else this.#responseFlow.abort(fault); // too late for a status: cut the message
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

  get endpoint(): string {
    return this.#dispatch.endpoint;
  }

  /** Bytes a tunnel has carried from the client and to it. */
  get tunnelledUp(): number {
    return this.#requestFlow.tunnelled;
  }
  get tunnelledDown(): number {
    return this.#responseFlow.tunnelled;
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
