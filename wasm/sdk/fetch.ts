/**
 * `fetch` for filters: through the mesh, to the Services the FilterBinding names as upstreams. Using it needs
 * the capability `http-call`.
 */
import { send, sendMany } from "denim:filter/http@0.1.0";
import { FilterHeaders } from "./headers.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";
import { FilterPromise } from "./promise.ts";
import { FilterUrl } from "./url.ts";
import { onFlush } from "./waiting.ts";
import type { CallErrorRecord, CallRecord, Header, ReplyRecord } from "./wit.ts";

export interface FetchInit {
  readonly method?: string;
  readonly headers?:
    | Readonly<Record<string, string>>
    | Iterable<readonly [string, string]>;
  readonly body?: string | Uint8Array | ArrayBuffer | null;
  /** `AbortSignal.timeout(ms)`: for the whole call; 5000 when left out. */
  readonly signal?: unknown;
}

/** What of AbortSignal a filter has: a limit in time. */
export class FilterAbortSignal {
  readonly timeoutMs: number;

  private constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  static timeout(ms: number): FilterAbortSignal {
    return new FilterAbortSignal(Math.max(1, Math.trunc(ms)));
  }
}

const TIMEOUT_MS = 5000;

/** What came back: the whole answer, which is here already. */
export class FetchResponse {
  readonly status: number;
  readonly headers: FilterHeaders;
  readonly url: string;
  readonly #body: Uint8Array;

  constructor(url: string, reply: ReplyRecord) {
    this.url = url;
    this.status = reply.status;
    this.headers = new FilterHeaders(reply.headers);
    this.#body = reply.body;
  }

  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** As on the web these give promises; there is nothing to wait for. */
  text(): Promise<string> {
    return Promise.resolve(decodeUtf8(this.#body));
  }
  // deno-lint-ignore no-explicit-any -- as on the web
  json(): Promise<any> {
    return new Promise((resolve) => resolve(JSON.parse(decodeUtf8(this.#body))));
  }
  bytes(): Promise<Uint8Array> {
    return Promise.resolve(this.#body);
  }
  arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(this.#body.slice().buffer as ArrayBuffer);
  }
}

interface Pending {
  readonly url: string;
  readonly call: CallRecord;
  resolve(response: FetchResponse): void;
  reject(error: Error): void;
}

let asked: Pending[] = [];

/** Sends a request; rejects when no answer came. Several that are not yet awaited go out together. */
export function fetch(
  input: string | { toString(): string },
  init: FetchInit = {},
): Promise<FetchResponse> {
  return new Promise((resolve, reject) => {
    const url = new FilterUrl(input.toString());
    const call = callOf(url, init);
    if (asked.length === 0) flushLater();
    onFlush(flush); // here, so that a filter that never asks imports nothing of this
    asked.push({ url: url.href, call, resolve, reject });
  });
}

function callOf(url: FilterUrl, init: FetchInit): CallRecord {
  const body = bytesOf(init.body);
  const method = (init.method ?? "GET").toUpperCase();
  if (body.length > 0 && (method === "GET" || method === "HEAD")) {
    throw new TypeError(`A ${method} request has no body`);
  }
  return {
    upstream: url.host,
    method,
    path: url.pathname + url.search,
    headers: linesOf(init.headers ?? {}),
    body,
    timeoutMs: init.signal instanceof FilterAbortSignal ? init.signal.timeoutMs : TIMEOUT_MS,
  };
}

function linesOf(headers: NonNullable<FetchInit["headers"]>): Header[] {
  const entries = Symbol.iterator in headers
    ? [...headers as Iterable<readonly [string, string]>]
    : Object.entries(headers as Readonly<Record<string, string>>);
  return entries.map(([name, value]) => [name.toLowerCase(), String(value)]);
}

function bytesOf(body: FetchInit["body"]): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array(0);
  if (typeof body === "string") return encodeUtf8(body);
  return body instanceof Uint8Array ? body : new Uint8Array(body);
}

/** In a built filter the SDK flushes by itself; in unit tests promises are the engine's own. */
function flushLater(): void {
  const given: PromiseLike<void> = Promise.resolve();
  if (!(given instanceof FilterPromise)) given.then(() => void flush());
}

function flush(): boolean {
  const batch = asked;
  if (batch.length === 0) return false;
  asked = [];
  if (batch.length === 1) {
    const [one] = batch;
    try {
      one!.resolve(new FetchResponse(one!.url, send(one!.call)));
    } catch (error) {
      one!.reject(failure(one!, payloadOf(error)));
    }
    return true;
  }
  sendMany(batch.map((one) => one.call)).forEach((result, at) => {
    const one = batch[at]!;
    if (result.tag === "ok") one.resolve(new FetchResponse(one.url, result.val));
    else one.reject(failure(one, result.val));
  });
  return true;
}

function payloadOf(error: unknown): CallErrorRecord {
  const { payload } = error as { payload?: CallErrorRecord };
  return payload ?? error as CallErrorRecord;
}

function failure({ url, call }: Pending, error: CallErrorRecord): Error {
  const why = error.tag === "timeout"
    ? `no answer within ${call.timeoutMs} ms`
    : error.tag === "refused"
    ? "nobody there takes connections"
    : error.tag === "too-large"
    ? "the answer or the request is too large"
    : error.val;
  const made = new TypeError(`${call.method} ${url} failed: ${why}`);
  if (error.tag === "timeout") made.name = "TimeoutError";
  return made;
}
