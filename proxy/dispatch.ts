/** Where request filters end: picks an endpoint, tries it, and tries again while the plan says so. */
import { CONTINUE, type Outcome, PAUSE, RETRY, type Verdict } from "../core/filter.ts";
import { BUFFERED } from "../core/buffered.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Fields } from "../core/fields.ts";
import { grpcStatus } from "../core/grpc.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Sink, Source, Stream, StreamSink } from "../core/stream.ts";
import type { Exchange } from "./exchange.ts";
import { countsForwards, endsHere } from "./max_forwards.ts";
import type { Endpoint } from "./snapshot.ts";

/** A response given up for a retry is read to its end, to keep the connection, when it is this small. */
const DISCARD_LIMIT = 64 * 1024;
/** Request bytes held while the first attempt has not begun and no replay is wanted. */
const HOLD_LIMIT = 64 * 1024;

export class Dispatch implements Sink<RequestHead>, Source {
  readonly x: Exchange;
  /** Addresses of the endpoints that were tried. */
  readonly #tried: string[] = [];
  #attempt: Attempt | null = null;
  /** The request body so far, kept until an attempt has it and while a retry may need it again. */
  #kept: Uint8Array[] | null = [];
  #keptBytes = 0;
  /** What of it is in the process's sum. */
  #counted = 0;
  #ended = false;
  #trailers: Fields | null = null;
  /** Next attempt step to run after a PAUSE; -1: not waiting. */
  #waitingAt = -1;
  /** Whether the client is being held back because nothing takes its body yet. */
  #holding = false;
  #stopped = false;

  constructor(x: Exchange) {
    this.x = x;
  }

  info(): void {} // requests have no interim heads
  head(head: RequestHead, end: boolean): void {
    this.#ended = end;
    if (countsForwards(head.method) && endsHere(this.x, head)) return;
    this.#try();
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#stopped) return;
    this.#ended = end;
    if (this.x.switchedMs > 0) this.#forget(); // a tunnel is never tried again
    if (this.#kept !== null) this.#keep(bytes);
    if (this.#attempt !== null) this.#attempt.stream.data(bytes, end);
  }
  trailers(fields: Fields): void {
    if (this.#stopped) return;
    this.#ended = true;
    this.#trailers = fields;
    if (this.#attempt !== null) this.#attempt.stream.trailers(fields);
  }
  abort(fault: Fault): void {
    this.stop(fault);
  }

  /** False once the body outgrew the plan's limit: an attempt already has what another would need. */
  get replayable(): boolean {
    return this.#kept !== null;
  }

  owns(attempt: Attempt): boolean {
    return this.#attempt === attempt;
  }

  /** Goes on after an attempt step paused (back-off). */
  resumeAttempt(): void {
    if (this.#waitingAt >= 0) this.#steps(this.#waitingAt);
  }

  /** Ends the running attempt with a fault of ours; the outcome steps decide what follows. */
  failAttempt(fault: Fault): void {
    const attempt = this.#attempt;
    if (attempt === null || this.x.response !== null) return;
    attempt.abort(fault); // goes deaf and is cancelled on the way
  }

  /** Gives up for good: a local reply took over, or the client has gone. */
  stop(fault: Fault): void {
    this.#stopped = true;
    this.#waitingAt = -1;
    this.#forget();
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) attempt.giveUp(fault);
  }

  /** The exchange is over. */
  closed(): void {
    this.#forget();
  }

  retry(): void {
    const attempt = this.#attempt!;
    this.#attempt = null;
    attempt.discard(this.#ended);
    this.#try();
  }

  /** Address of the running or last attempt's endpoint, "" before the first. */
  get endpoint(): string {
    return this.#tried.at(-1) ?? "";
  }

  pause(): void {
    this.#attempt?.stream.pause();
  }
  resume(): void {
    this.#attempt?.stream.resume();
  }
  cancel(fault: Fault): void {
    this.stop(fault);
  }

  #try(): void {
    this.#steps(0);
  }

  #steps(from: number): void {
    const { x } = this;
    const steps = x.route.plan.attempt;
    const nth = this.#tried.length + 1;
    this.#waitingAt = -1;
    for (let i = from; i < steps.length; i++) {
      const verdict = steps[i]!(x, nth);
      if (verdict === CONTINUE) continue;
      if (verdict === PAUSE) this.#waitingAt = i + 1;
      return;
    }
    this.#open(nth);
  }

  #open(nth: number): void {
    const { x } = this;
    const { backend } = x.route;
    if (backend === null) return void x.fail(x.route.fault ?? FAULTS["route.no_backend"]);
    const endpoint = backend.pick(this.#tried, x.request);
    if (endpoint === null) return void x.fail(FAULTS["backend.no_endpoint"]);
    this.#tried.push(endpoint.address);
    const attempt = this.#attempt = new Attempt(this, endpoint, nth);
    const body = this.#kept!;
    // Kept from here on only for a retry; the array itself is still walked below.
    if (x.route.plan.replayLimit === 0 && !(body.length === 0 && this.#ended)) this.#forget();
    const last = this.#ended && this.#trailers === null;
    attempt.start(x.request, last && body.length === 0);
    // Any push may fail at once and start another attempt, which then owns the rest.
    for (let i = 0; i < body.length && this.owns(attempt); i++) {
      attempt.stream.data(body[i]!, last && i === body.length - 1);
    }
    if (this.#trailers !== null && this.owns(attempt)) attempt.stream.trailers(this.#trailers);
    this.#release();
  }

  #keep(bytes: Uint8Array): void {
    this.#keptBytes += bytes.length;
    const most = BUFFERED.tight ? 0 : this.x.route.plan.replayLimit;
    if (this.#attempt !== null && this.#keptBytes > most) return this.#forget();
    BUFFERED.add(bytes.length);
    this.#counted += bytes.length;
    this.#kept!.push(bytes.slice());
    if (this.#attempt === null && this.#keptBytes > HOLD_LIMIT && !this.#holding) {
      this.#holding = true;
      this.x.downstream.pause();
    }
  }

  /** The request cannot be repeated any more, or need not be. */
  #forget(): void {
    this.#kept = null;
    BUFFERED.remove(this.#counted);
    this.#counted = 0;
  }

  #release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    this.x.downstream.resume();
  }
}

/** One try at one endpoint. A try that was given up goes deaf. */
class Attempt implements StreamSink<ResponseHead> {
  readonly #dispatch: Dispatch;
  readonly #endpoint: Endpoint;
  readonly #outcome: Outcome;
  readonly stream: Stream<RequestHead>;
  readonly #startedMs: number;
  #answeredMs = 0;
  #settled = false;
  #discarded = 0;

  constructor(dispatch: Dispatch, endpoint: Endpoint, nth: number) {
    this.#dispatch = dispatch;
    this.#endpoint = endpoint;
    const { address } = endpoint;
    this.#outcome = { endpoint: address, attempt: nth, status: 0, fault: null, grpcStatus: -1 };
    this.#startedMs = endpoint.started();
    this.stream = endpoint.open(this, isRepeatable(dispatch.x.request.method));
  }

  start(head: RequestHead, end: boolean): void {
    this.stream.feeder = this.#dispatch.x.downstream;
    this.stream.head(head, end);
  }

  info(head: ResponseHead): void {
    if (this.#dispatch.owns(this)) this.#dispatch.x.answerInfo(head);
  }
  head(head: ResponseHead, end: boolean): void {
    if (!this.#dispatch.owns(this)) return;
    this.#outcome.status = head.status;
    if (end) this.#outcome.grpcStatus = grpcStatus(head.fields);
    if (this.#settle() === RETRY) this.#dispatch.retry();
    else if (this.#dispatch.owns(this)) this.#dispatch.x.answer(head, end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#dispatch.owns(this)) return this.#dispatch.x.answerData(bytes, end);
    this.#discarded += bytes.length;
    if (this.#discarded > DISCARD_LIMIT) this.stream.cancel(FAULTS["proxy.stopped"]);
  }
  trailers(fields: Fields): void {
    this.#outcome.grpcStatus = grpcStatus(fields);
    if (this.#dispatch.owns(this)) this.#dispatch.x.answerTrailers(fields);
  }
  abort(fault: Fault): void {
    if (!this.#dispatch.owns(this)) return;
    this.#outcome.fault = fault;
    if (this.#settle() === RETRY) this.#dispatch.retry();
    else if (this.#dispatch.owns(this)) this.#dispatch.x.fail(fault);
  }
  closed(): void {
    this.#endpoint.finished(this.#outcome, this.#startedMs, this.#answeredMs);
  }

  /** The exchange is over for this attempt, whatever the endpoint still says. */
  giveUp(fault: Fault): void {
    this.stream.feeder = null;
    if (!this.#settled) {
      this.#settled = true;
      this.#answeredMs = this.#dispatch.x.arrival.monotonicMs();
      this.#outcome.fault ??= fault;
    }
    this.stream.cancel(fault);
  }

  /** Another attempt follows: a whole request's small answer is read to its end, all else is cut. */
  discard(requestEnded: boolean): void {
    this.stream.feeder = null;
    if (!requestEnded || this.#outcome.status === 0) this.stream.cancel(FAULTS["proxy.stopped"]);
  }

  /** Runs the outcome steps, once; a retry needs the whole body so far. */
  #settle(): Verdict {
    const { x, replayable } = this.#dispatch;
    if (this.#settled || x.response !== null) return CONTINUE;
    this.#settled = true;
    this.#answeredMs = x.arrival.monotonicMs();
    let again = false;
    // Every step hears of every attempt, or a breaker after retry would not count what is retried.
    for (const step of x.route.plan.outcome) {
      const verdict = step(x, this.#outcome);
      if (verdict === RETRY) again = true;
      else if (verdict !== CONTINUE) return verdict;
    }
    return again && replayable ? RETRY : CONTINUE;
  }
}

/**
 * RFC 9110 9.2.2: methods a client may repeat when it cannot know whether the first try was seen; and
 * CONNECT, because nothing passes before the tunnel stands.
 */
function isRepeatable(method: string): boolean {
  return method === "CONNECT" || method === "GET" || method === "HEAD" || method === "PUT" ||
    method === "DELETE" ||
    method === "OPTIONS" || method === "TRACE";
}
