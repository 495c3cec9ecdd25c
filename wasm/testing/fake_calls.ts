/** Backends for tests of filters that ask: they answer when the test says so. */
import type { Call, CallAnswer, CallRequest, Calls, CallSink } from "../../core/calls.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";

export class FakeCall implements Call {
  readonly request: CallRequest;
  readonly #sink: CallSink;
  cancelled = false;

  constructor(request: CallRequest, sink: CallSink) {
    this.request = request;
    this.#sink = sink;
  }

  cancel(): void {
    this.cancelled = true;
  }

  answer(status: number, lines: string[] = [], body = "", trailers?: string[]): void {
    this.#sink.called({
      fault: null,
      status,
      fields: new Fields(lines),
      body: new TextEncoder().encode(body),
      trailers: trailers === undefined ? null : new Fields(trailers),
    });
  }

  /** The same with bytes. */
  answerBytes(answer: Partial<CallAnswer>): void {
    const nothing = { fault: null, status: 200, fields: new Fields(), trailers: null };
    this.#sink.called({ ...nothing, body: new Uint8Array(0), ...answer });
  }

  fail(fault: Fault = FAULTS["call.timeout"]): void {
    const nothing = { status: 0, fields: new Fields(), trailers: null };
    this.#sink.called({ ...nothing, fault, body: new Uint8Array(0) });
  }
}

export class FakeCalls implements Calls {
  readonly made: FakeCall[] = [];
  /** Fails every call before call() has returned. */
  down = false;

  call(request: CallRequest, sink: CallSink): Call {
    const call = new FakeCall(request, sink);
    this.made.push(call);
    if (this.down) call.fail(FAULTS["backend.no_endpoint"]);
    return call;
  }
}
