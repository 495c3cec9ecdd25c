/** A filter's conversation with a backend: one stream, written and read piece by piece. */
import type { Talk, TalkRequest, TalkSink } from "../core/calls.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import type { Fields } from "../core/fields.ts";
import type { Outcome } from "../core/filter.ts";
import { grpcStatus } from "../core/grpc.ts";
import type { RequestHead, ResponseHead } from "../core/message.ts";
import type { Source, Stream, StreamSink } from "../core/stream.ts";
import { Expires, type Wheel } from "../core/timers.ts";
import type { Backend, Endpoint } from "./snapshot.ts";

export class RunningTalk extends Expires implements Talk, StreamSink<ResponseHead>, Source {
  readonly #request: TalkRequest;
  readonly #sink: TalkSink;
  readonly #wheel: Wheel;
  readonly #monotonicMs: () => number;
  #endpoint: Endpoint | null = null;
  #stream: Stream<RequestHead> | null = null;
  #outcome: Outcome = { endpoint: "", attempt: 1, status: 0, fault: null, grpcStatus: -1 };
  #startedMs = 0;
  #answeredMs = 0;
  /** Pauses of the stream that is written to. */
  #pauses = 0;
  #said = false;
  #done = false;

  constructor(
    request: TalkRequest,
    sink: TalkSink,
    wheel: Wheel,
    monotonicMs: () => number,
  ) {
    super();
    this.#request = request;
    this.#sink = sink;
    this.#wheel = wheel;
    this.#monotonicMs = monotonicMs;
  }

  start(backend: Backend | null): void {
    const { head, timeoutMs } = this.#request;
    if (backend === null) return this.#end(FAULTS["route.no_backend"], null);
    const endpoint = backend.pick([], head);
    if (endpoint === null) return this.#end(FAULTS["backend.no_endpoint"], null);
    this.#endpoint = endpoint;
    this.#outcome = { ...this.#outcome, endpoint: endpoint.address };
    if (timeoutMs > 0) this.#wheel.arm(this, timeoutMs);
    this.#startedMs = endpoint.started();
    this.#stream = endpoint.open(this, false);
    this.#stream.feeder = this;
    this.#stream.head(head, false);
  }

  get full(): boolean {
    return this.#pauses > 0;
  }
  say(bytes: Uint8Array, end: boolean): void {
    if (this.#done || this.#said) return;
    this.#said = end;
    this.#stream?.data(bytes, end);
  }
  cancel(): void {
    if (!this.#done) this.#giveUp(FAULTS["proxy.stopped"]);
  }

  info(): void {}
  head({ status, fields }: ResponseHead, end: boolean): void {
    if (this.#done) return;
    this.#outcome.status = status;
    this.#answeredMs = this.#monotonicMs();
    if (end) this.#outcome.grpcStatus = grpcStatus(fields);
    this.#sink.head(status, fields);
    if (end) this.#end(null, fields);
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#done) return;
    if (bytes.length > 0) this.#sink.data(bytes);
    if (end) this.#end(null, null);
  }
  trailers(fields: Fields): void {
    this.#outcome.grpcStatus = grpcStatus(fields);
    this.#end(null, fields);
  }
  abort(fault: Fault): void {
    if (this.#done) return;
    this.#outcome.fault = fault;
    this.#answeredMs = this.#monotonicMs();
    this.#end(fault, null);
  }
  closed(): void {
    this.#endpoint!.finished(this.#outcome, this.#startedMs, this.#answeredMs);
  }

  pause(): void {
    this.#pauses++;
  }
  resume(): void {
    this.#pauses--;
  }
  expired(): void {
    const fault = FAULTS["call.timeout"];
    this.#giveUp(fault);
    this.#sink.ended(fault, null);
  }

  #end(fault: Fault | null, trailers: Fields | null): void {
    if (this.#done) return;
    this.#stop();
    // The response is whole and nobody wants the rest of what we had to say.
    if (fault === null && !this.#said) this.#stream?.cancel(FAULTS["proxy.stopped"]);
    this.#sink.ended(fault, trailers);
  }

  #giveUp(fault: Fault): void {
    this.#stop();
    if (this.#outcome.status === 0) this.#outcome.fault ??= fault;
    this.#answeredMs = this.#monotonicMs();
    this.#stream?.cancel(fault);
  }

  #stop(): void {
    this.#done = true;
    this.#wheel.disarm(this);
  }
}
