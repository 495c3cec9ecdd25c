/** Backends for tests of filters that ask: they answer when the test says so. */
import type { Call, CallAnswer, CallRequest, Calls, CallSink } from "../../core/calls.ts";
import type { Talk, TalkRequest, TalkSink } from "../../core/calls.ts";
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

/** A conversation; a test says what the other side does. */
export class FakeTalk implements Talk {
  readonly request: TalkRequest;
  readonly sink: TalkSink;
  readonly said: string[] = [];
  full = false;
  cancelled = false;

  constructor(request: TalkRequest, sink: TalkSink) {
    this.request = request;
    this.sink = sink;
  }
  say(bytes: Uint8Array, end: boolean): void {
    const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
    this.said.push(`${hex}${end ? " end" : ""}`);
  }
  cancel(): void {
    this.cancelled = true;
  }
  /** Bytes are there for the call only. */
  data(...bytes: number[]): void {
    const given = new Uint8Array(bytes);
    this.sink.data(given);
    given.fill(0xdb);
  }
}

export class FakeCalls implements Calls {
  readonly made: FakeCall[] = [];
  readonly talks: FakeTalk[] = [];
  /** Fails every call before call() has returned. */
  down = false;

  call(request: CallRequest, sink: CallSink): Call {
    const call = new FakeCall(request, sink);
    this.made.push(call);
    if (this.down) call.fail(FAULTS["backend.no_endpoint"]);
    return call;
  }

  talk(request: TalkRequest, sink: TalkSink): Talk {
    const talk = new FakeTalk(request, sink);
    this.talks.push(talk);
    if (this.down) sink.ended(FAULTS["backend.no_endpoint"], null);
    return talk;
  }
}
