/** The shapes of `denim:filter@0.1.0` as they look from JavaScript; see wasm/wit/filter.wit. */

export type Header = [name: string, value: string];

export interface RequestHeadRecord {
  method: string;
  scheme: string;
  authority: string;
  path: string;
  headers: Header[];
}

export interface ResponseHeadRecord {
  status: number;
  headers: Header[];
}

export type Content = { tag: "bytes"; val: Uint8Array } | { tag: "text"; val: string };

export interface LocalResponse {
  status: number;
  headers: Header[];
  body: Content;
  details: string;
}

export type HeaderOp =
  | { tag: "set"; val: Header }
  | { tag: "append"; val: Header }
  | { tag: "remove"; val: string };

export interface Edits {
  head: HeaderOp[];
  path?: string | undefined;
  method?: string | undefined;
  authority?: string | undefined;
  status?: number | undefined;
}

export interface BodyEdits {
  body?: Content | undefined;
  head: HeaderOp[];
  status?: number | undefined;
}

export type Ending =
  | { tag: "respond"; val: LocalResponse }
  | { tag: "reset"; val: string }
  | { tag: "failed"; val: string };

export type VerdictRecord = { tag: "continue"; val: Edits } | Ending;
export type BodyVerdictRecord = { tag: "pass" } | { tag: "continue"; val: BodyEdits } | Ending;

export type PhaseName =
  | "request-headers"
  | "request-body"
  | "request-trailers"
  | "response-headers"
  | "response-body"
  | "response-trailers"
  | "log";

export type BodyMode = "none" | "buffered" | "streamed";

export interface Capabilities {
  phases: PhaseName[];
  requestBody: BodyMode;
  responseBody: BodyMode;
  maxBody: number;
}

export interface PeerRecord {
  spiffeId?: string | undefined;
  dnsSans: string[];
  certSha256?: string | undefined;
  mtls: boolean;
  address: string;
  sni?: string | undefined;
}

/** One request of the filter's own; `timeoutMs` 0 leaves it to the proxy. */
export interface CallRecord {
  upstream: string;
  method: string;
  path: string;
  headers: Header[];
  body: Uint8Array;
  timeoutMs: number;
}

export interface ReplyRecord {
  status: number;
  headers: Header[];
  body: Uint8Array;
}

export type CallErrorRecord =
  | { tag: "timeout" }
  | { tag: "refused" }
  | { tag: "denied"; val: string }
  | { tag: "too-large" }
  | { tag: "other"; val: string };

/** The last of the phases a filter asked for that concern the message itself: after it, its exchange can be forgotten. */
export function lastPhase(phases: readonly PhaseName[]): PhaseName | null {
  const order: readonly PhaseName[] = [
    "response-trailers",
    "response-body",
    "response-headers",
    "request-trailers",
    "request-body",
    "request-headers",
  ];
  return order.find((phase) => phases.includes(phase)) ?? null;
}

/** The interface `filter`, as the guest exports it and the host calls it. */
export interface FilterExports<Id = number> {
  configure(json: string): Capabilities;
  onRequestHeaders(id: Id, head: RequestHeadRecord, end: boolean): VerdictRecord;
  onRequestBody(id: Id, chunk: Uint8Array, end: boolean): BodyVerdictRecord;
  onRequestTrailers(id: Id, trailers: Header[]): VerdictRecord;
  onResponseHeaders(id: Id, head: ResponseHeadRecord, end: boolean): VerdictRecord;
  onResponseBody(id: Id, chunk: Uint8Array, end: boolean): BodyVerdictRecord;
  onResponseTrailers(id: Id, trailers: Header[]): VerdictRecord;
  onEnd(id: Id, outcome: string): void;
}
