/** The interface `http`: requests a component makes itself. Its guest is suspended until all of them are answered. */
import type { Call, CallAnswer, CallRequest, Calls, CallSink } from "../../core/calls.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead } from "../../core/message.ts";
import { WASM_LIMITS } from "../limits.ts";
import { AUTHORITY, PATH, requestLines, TOKEN } from "../proxy_wasm/headers.ts";
import type { Upstream } from "../proxy_wasm/host.ts";
import { finishFields, timeoutOf } from "../proxy_wasm/own_request.ts";
import { headersOf } from "./exchange.ts";
import type { CallErrorRecord, CallRecord, ReplyRecord } from "./wit.ts";

export type CallResult = { tag: "ok"; val: ReplyRecord } | { tag: "err"; val: CallErrorRecord };

/** What the calls of all instances of a filter go by. */
export interface CallsHost {
  /** Of the newest snapshot that has the filter. */
  readonly calls: Calls;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** Capabilities. */
  readonly granted: ReadonlySet<string>;
  denied(call: string): void;
  noUpstream(name: string): void;
}

/** Those of one instance; a guest that waits cannot ask again, so there is one batch at a time. */
export class SideCalls {
  readonly #host: CallsHost;
  #batch: Batch | null = null;

  constructor(host: CallsHost) {
    this.#host = host;
  }

  /**
   * Resolves when each is answered, failed or refused; never rejects. `vias`: the way of the exchange so far;
   * `allowed`: how many its quota has left.
   */
  send(
    records: readonly CallRecord[],
    vias: readonly string[],
    allowed: number,
  ): Promise<CallResult[]> {
    return new Promise((resolve) => {
      const batch = this.#batch = new Batch(records.length, (results) => {
        if (this.#batch === batch) this.#batch = null;
        resolve(results);
      });
      let bytes = 0;
      records.forEach((record, at) => {
        bytes += record.body.length;
        const asked = at >= allowed
          ? denied("the filter's quota of requests is used up (spec.limits.sideCalls…)")
          : bytes > WASM_LIMITS.callBytes
          ? tooLarge()
          : this.#requestOf(record, vias);
        if ("tag" in asked) batch.answer(at, asked);
        else batch.start(at, this.#host.calls, asked);
      });
      batch.begun();
    });
  }

  /** The exchange is over: nobody is asked any more, and the guest hears of a failure. */
  cancel(): void {
    this.#batch?.cancel();
  }

  #requestOf(record: CallRecord, vias: readonly string[]): CallRequest | CallResult {
    if (!this.#host.granted.has("http-call")) {
      this.#host.denied("http.send");
      return denied('the capability "http-call" is not granted');
    }
    const upstream = this.#upstream(record.upstream);
    if (upstream === undefined) {
      this.#host.noUpstream(record.upstream);
      return denied(`"${record.upstream}" is none of the binding's upstreams`);
    }
    const head = headOf(record, upstream, vias);
    if (typeof head === "string") return failed(head);
    return {
      backend: upstream.backend,
      head,
      body: record.body,
      timeoutMs: timeoutOf(record.timeoutMs),
      maxBytes: WASM_LIMITS.callAnswerBytes,
    };
  }

  /** A URL leaves out the port it has by default. */
  #upstream(name: string): Upstream | undefined {
    const { upstreams } = this.#host;
    return upstreams.get(name) ?? upstreams.get(`${name}:80`) ?? upstreams.get(`${name}:443`);
  }
}

class Batch {
  readonly #results: CallResult[];
  readonly #calls: (Call | null)[];
  readonly #done: (results: CallResult[]) => void;
  #left: number;

  constructor(size: number, done: (results: CallResult[]) => void) {
    this.#results = new Array(size);
    this.#calls = new Array(size).fill(null);
    this.#done = done;
    this.#left = size + 1; // the one more is begun()
  }

  start(at: number, calls: Calls, request: CallRequest): void {
    const call = calls.call(request, new Answer(this, at));
    // It may have been answered before it was even returned.
    if (this.#results[at] === undefined) this.#calls[at] = call;
  }

  answer(at: number, result: CallResult): void {
    if (this.#results[at] !== undefined) return;
    this.#results[at] = result;
    this.#calls[at] = null;
    this.begun();
  }

  begun(): void {
    if (--this.#left === 0) this.#done(this.#results);
  }

  cancel(): void {
    for (let at = 0; at < this.#results.length; at++) {
      if (this.#results[at] !== undefined) continue;
      this.#calls[at]?.cancel();
      this.answer(at, failed("the exchange is over"));
    }
  }
}

class Answer implements CallSink {
  readonly #batch: Batch;
  readonly #at: number;

  constructor(batch: Batch, at: number) {
    this.#batch = batch;
    this.#at = at;
  }

  called(answer: CallAnswer): void {
    this.#batch.answer(this.#at, resultOf(answer));
  }
}

/** Text: what is wrong with the request. */
function headOf(
  { upstream: name, method, path, headers, body }: CallRecord,
  upstream: Upstream,
  vias: readonly string[],
): RequestHead | string {
  const host = headers.find(([header]) => header.toLowerCase() === "host")?.[1] ?? name;
  const authority = AUTHORITY.test(host) ? host.toLowerCase() : "filter.invalid";
  if (!TOKEN.test(method) || method === "CONNECT") return `the method "${method}" cannot be sent`;
  if (!PATH.test(path)) return `the path "${path}" cannot be sent`;
  const lines = requestLines(headers.flat());
  if (lines === null) return "a header has a name or a value that cannot be sent";
  const fields = new Fields(lines);
  finishFields(fields, upstream, body.length, vias);
  return { method, scheme: "http", authority, path, fields };
}

function resultOf({ fault, status, fields, body }: CallAnswer): CallResult {
  if (fault === null) return { tag: "ok", val: { status, headers: headersOf(fields.lines), body } };
  switch (fault.code) {
    case "call.timeout":
      return { tag: "err", val: { tag: "timeout" } };
    case "call.too_large":
      return tooLarge();
    case "backend.no_endpoint":
    case "upstream.connect":
    case "upstream.refused":
      return { tag: "err", val: { tag: "refused" } };
    default:
      return failed(`${fault.detail} (${fault.code})`);
  }
}

function denied(why: string): CallResult {
  return { tag: "err", val: { tag: "denied", val: why } };
}

function failed(why: string): CallResult {
  return { tag: "err", val: { tag: "other", val: why } };
}

function tooLarge(): CallResult {
  return { tag: "err", val: { tag: "too-large" } };
}
