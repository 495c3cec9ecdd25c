/** What a guest may read while it is told of an answer: maps, a body and a status that live for that callback only. */
import type { CallAnswer } from "../../core/calls.ts";
import { Fields } from "../../core/fields.ts";
import { HeaderMap, type Undo } from "./headers.ts";

export interface Answer {
  readonly headers: HeaderMap | null;
  readonly trailers: HeaderMap | null;
  readonly body: Uint8Array | null;
  /** Of a gRPC call or stream. */
  readonly initial: HeaderMap | null;
  readonly trailing: HeaderMap | null;
  readonly received: Uint8Array | null;
  /** For proxy_get_status. */
  readonly code: number;
  readonly message: string;
}

export const NO_ANSWER: Answer = {
  headers: null,
  trailers: null,
  body: null,
  initial: null,
  trailing: null,
  received: null,
  code: 0,
  message: "",
};

/** Envoy's word for a call that came to nothing. */
const BROKEN_CONNECTION = 11;

const UNCHANGED: Undo = { changed() {} };

/** Cannot be written to: it has been received. */
export function received(lines: readonly string[]): HeaderMap {
  const map = new HeaderMap(new Fields([...lines]), UNCHANGED);
  map.writable = false;
  return map;
}

export function answerOf(answer: CallAnswer): Answer {
  const { fault, status, fields, body, trailers } = answer;
  if (fault !== null) return { ...NO_ANSWER, code: BROKEN_CONNECTION, message: fault.detail };
  return {
    ...NO_ANSWER,
    headers: received([":status", String(status), ...fields.lines]),
    trailers: trailers === null ? null : received(trailers.lines),
    body,
  };
}
