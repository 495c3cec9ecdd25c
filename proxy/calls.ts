/**
 * Requests of filters (core/calls.ts), by the backends of one snapshot: the endpoints, pools, balancing and
 * outlier detection are those of every other request that goes there.
 */
import { concat } from "../core/bytes.ts";
import { type Call, CALL_ATTEMPTS, type CallAnswer, type CallRequest } from "../core/calls.ts";
import type { Calls, CallSink, Talk, TalkRequest, TalkSink } from "../core/calls.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";
import type { Outcome } from "../core/filter.ts";
import { grpcStatus } from "../core/grpc.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Stream, StreamSink } from "../core/stream.ts";
import { Expires, type Wheel } from "../core/timers.ts";
import type { Backend, Endpoint } from "./snapshot.ts";
import { RunningTalk } from "./talk.ts";

const NOTHING = new Uint8Array(0);

export class BackendCalls implements Calls {
  readonly #backends: ReadonlyMap<string, Backend>;
  readonly #wheel: Wheel;
  readonly #monotonicMs: () => number;

  constructor(
    backends: ReadonlyMap<string, Backend>,
    wheel: Wheel,
    monotonicMs: () => number,
  ) {
    this.#backends = backends;
    this.#wheel = wheel;
    this.#monotonicMs = monotonicMs;
  }

  call(request: CallRequest, sink: CallSink): Call {
    const backend = this.#backends.get(request.backend) ?? null;
    const call = new RunningCall(request, sink, backend, this.#wheel, this.#monotonicMs);
    this.#wheel.arm(call, request.timeoutMs);
    call.attempt();
    return call;
  }

  talk(request: TalkRequest, sink: TalkSink): Talk {
    const talk = new RunningTalk(request, sink, this.#wheel, this.#monotonicMs);
    talk.start(this.#backends.get(request.backend) ?? null);
    return talk;
  }
}

class RunningCall extends Expires implements Call {
  readonly request: CallRequest;
  readonly #sink: CallSink;
  readonly #backend: Backend | null;
  readonly #wheel: Wheel;
  readonly monotonicMs: () => number;
  readonly #tried: string[] = [];
  #attempt: CallAttempt | null = null;
  #done = false;

  constructor(
    request: CallRequest,
    sink: CallSink,
    backend: Backend | null,
    wheel: Wheel,
    monotonicMs: () => number,
  ) {
    super();
    this.request = request;
    this.#sink = sink;
    this.#backend = backend;
    this.#wheel = wheel;
    this.monotonicMs = monotonicMs;
  }

  attempt(): void {
    const { head } = this.request;
    if (this.#backend === null) return this.fail(FAULTS["route.no_backend"]);
    const endpoint = this.#backend.pick(this.#tried, head);
    if (endpoint === null) return this.fail(FAULTS["backend.no_endpoint"]);
    this.#tried.push(endpoint.address);
    const attempt = this.#attempt = new CallAttempt(this, endpoint, this.#tried.length);
    attempt.start();
  }

  owns(attempt: CallAttempt): boolean {
    return this.#attempt === attempt;
  }

  /** An attempt broke. What its peer cannot have seen is tried again. */
  broke(fault: Fault): void {
    this.#attempt = null;
    if (fault.sent || this.#tried.length >= CALL_ATTEMPTS) this.fail(fault);
    else this.attempt();
  }

  fail(fault: Fault): void {
    this.end({ fault, status: 0, fields: new Fields(), body: NOTHING, trailers: null });
  }

  end(answer: CallAnswer): void {
    if (this.#done) return;
    this.#stop(answer.fault ?? FAULTS["proxy.stopped"]);
    this.#sink.called(answer);
  }

  cancel(): void {
    if (!this.#done) this.#stop(FAULTS["proxy.stopped"]);
  }

  expired(): void {
    this.fail(FAULTS["call.timeout"]);
  }

  #stop(fault: Fault): void {
    this.#done = true;
    this.#wheel.disarm(this);
    const attempt = this.#attempt;
    this.#attempt = null;
    if (attempt !== null) attempt.giveUp(fault);
  }
}

/** One try at one endpoint; one that was given up goes deaf. */
class CallAttempt implements StreamSink<ResponseHead> {
  readonly #call: RunningCall;
  readonly #endpoint: Endpoint;
  readonly #outcome: Outcome;
  readonly #stream: Stream<RequestHead>;
  readonly #startedMs: number;
  #answeredMs = 0;
  #head: ResponseHead | null = null;
  #body: Uint8Array[] = [];
  #bytes = 0;
  /** The response is whole: nothing of it needs to be cancelled. */
  #whole = false;

  constructor(call: RunningCall, endpoint: Endpoint, nth: number) {
    this.#call = call;
    this.#endpoint = endpoint;
    const { address } = endpoint;
    this.#outcome = { endpoint: address, attempt: nth, status: 0, fault: null, grpcStatus: -1 };
    this.#startedMs = endpoint.started();
    // Asking twice does no harm, but a connection that is just being closed would cost a moment.
    this.#stream = endpoint.open(this, false);
  }

  start(): void {
    const { head, body, trailers } = this.#call.request;
    const last = trailers === undefined;
    this.#stream.head(head, body.length === 0 && last);
    if (body.length > 0 && this.#call.owns(this)) this.#stream.data(body, last);
    if (!last && this.#call.owns(this)) this.#stream.trailers(trailers);
  }

  info(): void {}
  head(head: ResponseHead, end: boolean): void {
    if (!this.#call.owns(this)) return;
    this.#head = head;
    this.#outcome.status = head.status;
    this.#answeredMs = this.#call.monotonicMs();
    if (!end) return;
    this.#outcome.grpcStatus = grpcStatus(head.fields);
    this.#end(null);
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (!this.#call.owns(this)) return;
    this.#bytes += bytes.length;
    if (this.#bytes > this.#call.request.maxBytes) return this.#call.fail(FAULTS["call.too_large"]);
    if (bytes.length > 0) this.#body.push(bytes.slice());
    if (end) this.#end(null);
  }
  trailers(fields: Fields): void {
    if (!this.#call.owns(this)) return;
    this.#outcome.grpcStatus = grpcStatus(fields);
    this.#end(fields);
  }
  abort(fault: Fault): void {
    if (!this.#call.owns(this)) return;
    this.#outcome.fault = fault;
    this.#answeredMs = this.#call.monotonicMs();
    this.#call.broke(fault);
  }
  closed(): void {
    this.#endpoint.finished(this.#outcome, this.#startedMs, this.#answeredMs);
  }

  giveUp(fault: Fault): void {
    if (this.#whole) return;
    if (this.#head === null) {
      this.#answeredMs = this.#call.monotonicMs();
      this.#outcome.fault ??= fault;
    }
    this.#stream.cancel(fault);
  }

  #end(trailers: Fields | null): void {
    this.#whole = true;
    const { status, fields } = this.#head!;
    const body = this.#body.length === 1 ? this.#body[0]! : concat(this.#body);
    this.#call.end({ fault: null, status, fields, body, trailers });
  }
}
