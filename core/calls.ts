/** How a filter asks another backend about an exchange: one request, one small answer, no promise. */
import { type Fault, FAULTS } from "./fault.ts";
import { Fields } from "./fields.ts";
import type { RequestHead } from "./message.ts";

/** What is asked. Nothing of it may change until the answer is there. */
export interface CallRequest {
  /** Name of a backend of the configuration the filter was built for. */
  readonly backend: string;
  /** Complete: authority, path, and a content-length where there is a body. */
  readonly head: RequestHead;
  /** Empty for none. */
  readonly body: Uint8Array;
  /** After the body; absent: none. */
  readonly trailers?: Fields;
  /** The whole call, with whatever attempts it takes. */
  readonly timeoutMs: number;
  /** Bytes of an answer's body; a longer one is a fault. */
  readonly maxBytes: number;
}

/** What came of it: a whole response, or a fault and nothing to rely on. */
export interface CallAnswer {
  readonly fault: Fault | null;
  /** 0 with a fault that came before any. */
  readonly status: number;
  readonly fields: Fields;
  readonly body: Uint8Array;
  readonly trailers: Fields | null;
}

/** Who asks. An object, so that nothing has to be made for each question but itself. */
export interface CallSink {
  /** Exactly once, unless the call is cancelled before; it may be before call() has returned. */
  called(answer: CallAnswer): void;
}

/** A call under way. */
export interface Call {
  /** Nobody waits for the answer any more; harmless when it is there. */
  cancel(): void;
}

/** A conversation: a request that is written, and a response that is read, piece by piece. */
export interface TalkRequest {
  readonly backend: string;
  readonly head: RequestHead;
  /** From beginning to end; 0: as long as both sides like. */
  readonly timeoutMs: number;
}

/** The other side of a conversation. None of these before talk() has returned, unless it fails at once. */
export interface TalkSink {
  head(status: number, fields: Fields): void;
  /** The bytes are there for the call only. */
  data(bytes: Uint8Array): void;
  /** It is over: a fault, or the fields that ended the response (null: none did). Once, unless it is cancelled. */
  ended(fault: Fault | null, trailers: Fields | null): void;
}

export interface Talk extends Call {
  /** Too much is unsent: what is said now would only pile up. */
  readonly full: boolean;
  say(bytes: Uint8Array, end: boolean): void;
}

/** Attempts of one call: another endpoint is tried where the first cannot have seen the request. */
export const CALL_ATTEMPTS = 3;

export interface Calls {
  /** Goes through the pools that requests to the backend take, with the same identity and the same limits. */
  call(request: CallRequest, sink: CallSink): Call;
  /** The same way, but one attempt only: nobody could say everything again. */
  talk(request: TalkRequest, sink: TalkSink): Talk;
}

/** Where there is no configuration, and nobody to ask. */
export const NO_CALLS: Calls = {
  call(_request: CallRequest, sink: CallSink): Call {
    const body = new Uint8Array(0);
    const fault = FAULTS["route.no_backend"];
    sink.called({ fault, status: 0, fields: new Fields(), body, trailers: null });
    return { cancel() {} };
  },
  talk(_request: TalkRequest, sink: TalkSink): Talk {
    sink.ended(FAULTS["route.no_backend"], null);
    return { full: false, say() {}, cancel() {} };
  },
};
