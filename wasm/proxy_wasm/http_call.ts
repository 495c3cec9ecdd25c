/**
 * A request of a guest's own:
 *
 *   proxy_http_call ─▶ noted ─▶ guest call over: run() ─▶ backend ─▶ called() ─▶ proxy_on_http_call_response
 *
 * The callback is the root context's. It comes exactly once, also when there is no answer.
 */
import type { Call, CallAnswer, CallRequest } from "../../core/calls.ts";
import type { CallSink } from "../../core/calls.ts";
import { FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { answerOf, NO_ANSWER } from "./answer.ts";
import { EMPTY, type StreamContext } from "./context.ts";
import type { Effect, OwnCall, Vm } from "./vm.ts";

/** What a guest is told of a call that nobody waits for any more. */
const GONE: CallAnswer = {
  fault: FAULTS["proxy.stopped"],
  status: 0,
  fields: new Fields(),
  body: EMPTY,
  trailers: null,
};

export class HttpCall implements Effect, OwnCall, CallSink {
  /** The number the guest knows it by; 0 until it has one. */
  id = 0;
  readonly bytes: number;
  readonly #vm: Vm;
  readonly #stream: StreamContext | null;
  readonly #request: CallRequest;
  #call: Call | null = null;
  #answer: CallAnswer | null = null;

  constructor(vm: Vm, stream: StreamContext | null, request: CallRequest) {
    this.#vm = vm;
    this.#stream = stream;
    this.#request = request;
    this.bytes = request.body.length;
  }

  run(): void {
    const { host } = this.#vm;
    if (this.#answer !== null) return this.#deliver();
    const call = host.calls.call(this.#request, this);
    if (this.#answer === null) this.#call = call;
  }

  called(answer: CallAnswer): void {
    if (this.#answer !== null) return;
    this.#answer = answer;
    this.#call = null;
    if (this.#vm.host.busy) this.#vm.host.post(this);
    else this.#deliver();
  }

  forget(): void {
    this.#answer = GONE;
    this.#call?.cancel();
    this.#call = null;
  }

  /** The stream that waited for it is gone. The guest hears of it, or it would keep the call's number for ever. */
  abandon(): void {
    if (this.#answer !== null) return;
    this.forget();
    this.#vm.host.post(this);
  }

  #deliver(): void {
    const vm = this.#vm;
    this.#stream?.calls?.delete(this);
    if (!vm.closed(this.id) || vm.dead !== null) return;
    const answer = vm.answer = answerOf(this.#answer!);
    const { headers, body, trailers } = answer;
    vm.payer = this.#stream;
    vm.enter(
      vm.guest.onHttpCallResponse,
      null,
      0,
      vm.rootId,
      this.id,
      headers?.count ?? 0,
      body?.length ?? 0,
      trailers?.count ?? 0,
    );
    vm.answer = NO_ANSWER;
    vm.payer = null;
    vm.host.settle(vm, null);
  }
}
