/**
 * `wasi:http/types@0.2` and the streams it needs, for components that answer one request at a time: the
 * request is whole before the handler is called and the response when it returns, so nothing here waits.
 */
import { concat } from "../../core/bytes.ts";
import { HostBudgetError, latin1, latin1Bytes } from "../proxy_wasm/memory.ts";
import { WASM_LIMITS } from "../limits.ts";
import { type Header, type LocalResponse, refusal, type RequestHeadRecord } from "./wit.ts";

type Pair = [name: string, value: Uint8Array];

const METHODS: ReadonlySet<string> = new Set(
  ["get", "head", "post", "put", "delete", "connect", "options", "trace", "patch"],
);
/** What a header set may be refused for. */
const IMMUTABLE = { tag: "immutable" }, SYNTAX = { tag: "invalid-syntax" };
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

class Fields {
  #pairs: Pair[] = [];
  #fixed = false;

  static fromList(pairs: readonly Pair[]): Fields {
    const fields = new Fields();
    for (const [name, value] of pairs) fields.append(name, value);
    return fields;
  }
  static fixed(headers: readonly Header[]): Fields {
    const fields = new Fields();
    fields.#pairs = headers.map(([name, value]): Pair => [name, latin1Bytes(value)]);
    fields.#fixed = true;
    return fields;
  }

  entries(): Pair[] {
    return this.#pairs.map(([name, value]): Pair => [name, value]);
  }
  get(name: string): Uint8Array[] {
    return this.#named(name).map(([, value]) => value);
  }
  has(name: string): boolean {
    return this.#named(name).length > 0;
  }
  set(name: string, values: readonly Uint8Array[]): void {
    this.delete(name);
    for (const value of values) this.append(name, value);
  }
  append(name: string, value: Uint8Array): void {
    if (this.#fixed) throw refusal(IMMUTABLE);
    if (!NAME.test(name) || this.#pairs.length >= WASM_LIMITS.pairs) throw refusal(SYNTAX);
    this.#pairs.push([name.toLowerCase(), value.slice()]);
  }
  delete(name: string): void {
    if (this.#fixed) throw refusal(IMMUTABLE);
    const gone = this.#named(name);
    this.#pairs = this.#pairs.filter((pair) => !gone.includes(pair));
  }
  clone(): Fields {
    return Fields.fromList(this.#pairs);
  }
  lines(): Header[] {
    return this.#pairs.map(([name, value]): Header => [name, latin1(value)]);
  }

  #named(name: string): Pair[] {
    const wanted = name.toLowerCase();
    return this.#pairs.filter((pair) => pair[0] === wanted);
  }
}

/** Nothing is ever waited for. */
class Pollable {
  ready(): boolean {
    return true;
  }
  block(): void {}
}

class IoError {
  toDebugString(): string {
    return "closed";
  }
}

class InputStream {
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  read(most: bigint): Uint8Array {
    if (this.#bytes.length === 0) throw refusal({ tag: "closed" });
    const part = this.#bytes.subarray(0, Number(most));
    this.#bytes = this.#bytes.subarray(part.length);
    return part;
  }
  blockingRead(most: bigint): Uint8Array {
    return this.read(most);
  }
  skip(most: bigint): bigint {
    return BigInt(this.read(most).length);
  }
  subscribe(): Pollable {
    return new Pollable();
  }
}

class OutputStream {
  readonly #body: OutgoingBody;

  constructor(body: OutgoingBody) {
    this.#body = body;
  }
  checkWrite(): bigint {
    return BigInt(this.#body.room);
  }
  write(bytes: Uint8Array): void {
    this.#body.add(bytes);
  }
  blockingWriteAndFlush(bytes: Uint8Array): void {
    this.#body.add(bytes);
  }
  flush(): void {}
  blockingFlush(): void {}
  subscribe(): Pollable {
    return new Pollable();
  }
}

class IncomingBody {
  #bytes: Uint8Array | null;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  stream(): InputStream {
    if (this.#bytes === null) throw refusal(undefined);
    const stream = new InputStream(this.#bytes);
    this.#bytes = null;
    return stream;
  }
}

class IncomingRequest {
  readonly #head: RequestHeadRecord;
  #body: Uint8Array | null;

  constructor(head: RequestHeadRecord, body: Uint8Array) {
    this.#head = head;
    this.#body = body;
  }
  method(): { tag: string; val?: string } {
    const name = this.#head.method.toLowerCase();
    return METHODS.has(name) ? { tag: name } : { tag: "other", val: this.#head.method };
  }
  pathWithQuery(): string {
    return this.#head.path;
  }
  scheme(): { tag: string } {
    return { tag: this.#head.scheme === "https" ? "HTTPS" : "HTTP" };
  }
  authority(): string {
    return this.#head.authority;
  }
  headers(): Fields {
    return Fields.fixed(this.#head.headers);
  }
  consume(): IncomingBody {
    if (this.#body === null) throw refusal(undefined);
    const body = new IncomingBody(this.#body);
    this.#body = null;
    return body;
  }
}

class OutgoingBody {
  readonly pieces: Uint8Array[] = [];
  room: number = WASM_LIMITS.localBodyBytes;
  #written = false;

  write(): OutputStream {
    if (this.#written) throw refusal(undefined);
    this.#written = true;
    return new OutputStream(this);
  }
  add(bytes: Uint8Array): void {
    this.room -= bytes.length;
    if (this.room < 0) {
      throw new HostBudgetError(`The response is larger than ${WASM_LIMITS.localBodyBytes} bytes`);
    }
    this.pieces.push(bytes.slice());
  }
  /** Trailers do not go with an answer of a filter. */
  static finish(_body: OutgoingBody, _trailers: Fields | undefined): void {}
}

class OutgoingResponse {
  readonly #fields: Fields;
  #status = 200;
  readonly content = new OutgoingBody();
  #taken = false;

  constructor(fields: Fields) {
    this.#fields = fields;
  }
  statusCode(): number {
    return this.#status;
  }
  setStatusCode(status: number): void {
    this.#status = status;
  }
  headers(): Fields {
    return Fields.fixed(this.#fields.lines());
  }
  body(): OutgoingBody {
    if (this.#taken) throw refusal(undefined);
    this.#taken = true;
    return this.content;
  }

  record(): LocalResponse {
    const val: Uint8Array = concat(this.content.pieces);
    const headers = this.#fields.lines();
    return { status: this.#status, headers, body: { tag: "bytes", val }, details: "" };
  }
}

type Outcome = { tag: "ok"; val: OutgoingResponse } | { tag: "err"; val: { tag: string } };

/** Where a handler puts its answer. */
class ResponseOutparam {
  outcome: Outcome | null = null;

  static set(param: ResponseOutparam, outcome: Outcome): void {
    param.outcome ??= outcome;
  }
}

/** The interfaces, as the glue asks for them. What is copied for a guest is bounded by bodies and fuel. */
export const WASI_HTTP: Readonly<Record<string, object>> = {
  "wasi:http/types": {
    Fields,
    IncomingBody,
    IncomingRequest,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
  },
  "wasi:io/error": { Error: IoError },
  "wasi:io/poll": { Pollable, poll: (list: readonly Pollable[]) => list.map((_, at) => at) },
  "wasi:io/streams": { InputStream, OutputStream },
};

/** One request through a handler's `handle`; text when it gave no answer. */
export function answerBy(
  handle: (request: unknown, out: unknown) => void,
  head: RequestHeadRecord,
  body: Uint8Array,
): LocalResponse | string {
  const out = new ResponseOutparam();
  handle(new IncomingRequest(head, body), out);
  const { outcome } = out;
  if (outcome === null) return "The handler returned without a response";
  if (outcome.tag === "err") return `The handler failed: ${outcome.val.tag}`;
  return outcome.val.record();
}
