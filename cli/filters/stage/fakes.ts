/** What stands around a filter under test: a clock, chance, backends and the two ends of an exchange. */
import {
  type Call,
  type CallRequest,
  type Calls,
  type CallSink,
  NO_CALLS,
} from "../../../core/calls.ts";
import type { Clock } from "../../../core/clock.ts";
import { type Fault, FAULTS } from "../../../core/fault.ts";
import { Fields } from "../../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../../core/message.ts";
import type { Source, Stream } from "../../../core/stream.ts";
import { concat } from "../../../core/bytes.ts";
import { type Body, durationMs, type Headers, type MockedCall } from "./case.ts";

/** A clock that moves when told to. */
export class StageClock implements Clock {
  readonly #startMs: number;
  ms = 0;
  constructor(startMs: number) {
    this.#startMs = startMs;
  }
  nowMs(): number {
    return this.#startMs + this.ms;
  }
  monotonicMs(): number {
    return 1000 + this.ms;
  }
}

/** Latin-1, as fields are kept: one char a byte. */
export function latin1(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

export function fieldsOf(headers: Headers): Fields {
  const fields = new Fields();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      fields.append(name.toLowerCase(), latin1(one));
    }
  }
  return fields;
}

/** Chunks as they arrive; none for an empty body. */
export function chunksOf(body: Body): Uint8Array[] {
  if (typeof body === "object" && !Array.isArray(body)) return [Uint8Array.fromBase64(body.base64)];
  const texts = typeof body === "string" ? (body === "" ? [] : [body]) : body;
  return texts.map((text) => new TextEncoder().encode(text));
}

/** One end of an exchange: keeps what is pushed into it. */
export class End<Out extends RequestHead | ResponseHead> implements Stream<Out> {
  readonly id = 1;
  feeder: Source | null = null;
  head_: Out | null = null;
  readonly body: Uint8Array[] = [];
  trailers_: Fields | null = null;
  fault: Fault | null = null;
  over = false;
  onEnd: () => void = () => {};

  info(): void {}
  head(head: Out, end: boolean): void {
    // As it was when it left: the filter may change its copy afterwards.
    this.head_ = { ...head, fields: head.fields.clone() };
    if (end) this.#done();
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.body.push(bytes.slice());
    if (end) this.#done();
  }
  trailers(fields: Fields): void {
    this.trailers_ = fields.clone();
    this.#done();
  }
  abort(fault: Fault): void {
    this.fault = fault;
    this.#done();
  }
  cancel(fault: Fault): void {
    this.abort(fault);
  }
  pause(): void {}
  resume(): void {}

  get bytes(): Uint8Array {
    return concat(this.body);
  }

  #done(): void {
    if (this.over) return;
    this.over = true;
    this.onEnd();
  }
}

interface Waiting {
  readonly request: CallRequest;
  readonly sink: CallSink;
  readonly dueMs: number;
  readonly mock: MockedCall | undefined;
  cancelled: boolean;
}

/** Backends that answer as the case says, when its clock has come to that. */
export class StageCalls implements Calls {
  /** Cases say nothing of conversations: they fail. */
  readonly talk = NO_CALLS.talk;
  readonly made: CallRequest[] = [];
  readonly #clock: Clock;
  readonly #mocks: Map<string, MockedCall[]>;
  #waiting: Waiting[] = [];

  constructor(clock: Clock, mocks: readonly MockedCall[]) {
    this.#clock = clock;
    this.#mocks = Map.groupBy(mocks, (mock) => mock.upstream);
  }

  call(request: CallRequest, sink: CallSink): Call {
    this.made.push({ ...request, body: request.body.slice() });
    const mocks = this.#mocks.get(request.backend) ?? [];
    const mock = mocks.length > 1 ? mocks.shift() : mocks[0];
    const after = mock === undefined ? 0 : durationMs(mock.after);
    const late = after > request.timeoutMs;
    const dueMs = this.#clock.monotonicMs() + Math.min(after, request.timeoutMs);
    const waiting: Waiting = { request, sink, dueMs, cancelled: false, mock: late ? LATE : mock };
    this.#waiting.push(waiting);
    return { cancel: () => void (waiting.cancelled = true) };
  }

  /** When the next answer is due; Infinity: none is. */
  get nextMs(): number {
    return Math.min(Infinity, ...this.#waiting.filter((w) => !w.cancelled).map((w) => w.dueMs));
  }

  /** Delivers what is due; false when nothing was. */
  deliver(): boolean {
    const now = this.#clock.monotonicMs();
    const due = this.#waiting.filter((one) => one.dueMs <= now && !one.cancelled);
    this.#waiting = this.#waiting.filter((one) => one.dueMs > now && !one.cancelled);
    for (const one of due) answer(one);
    return due.length > 0;
  }
}

const LATE: MockedCall = { upstream: "", after: "0ms", fault: "call.timeout" };

function answer({ mock, sink }: Waiting): void {
  const nothing = { status: 0, fields: new Fields(), body: new Uint8Array(0), trailers: null };
  const fault = mock === undefined
    ? FAULTS["backend.no_endpoint"]
    : mock.fault === undefined
    ? null
    : FAULTS[mock.fault];
  if (fault !== null || mock?.answer === undefined) {
    return sink.called({ ...nothing, fault: fault ?? FAULTS["backend.no_endpoint"] });
  }
  const { status, headers, body, trailers } = mock.answer;
  sink.called({
    fault: null,
    status,
    fields: fieldsOf(headers),
    body: concat(chunksOf(body)),
    trailers: Object.keys(trailers).length === 0 ? null : fieldsOf(trailers),
  });
}
