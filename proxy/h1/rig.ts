/** For tests of codecs: a wire in memory, and sinks that write down what they are told. */
import type { Fault } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Source, Stream, StreamSink } from "../../core/stream.ts";
import type { ResettableWire } from "../tunnel.ts";
import { H1Client } from "./client.ts";
import type { H1Limits } from "./limits.ts";
import { slab } from "../slab.ts";
import { H1Server } from "./server.ts";

/** Latin-1 text as bytes. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** Bytes as latin-1 text. */
export function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** Collects what is written; `full` makes every write say that the wire is above its mark. */
export class MemoryWire implements ResettableWire {
  written = "";
  paused = false;
  ended = false;
  destroyed = false;
  wasReset = false;
  full = false;
  /** Pauses and resumes that came twice in a row: a wire's do not nest. */
  unbalanced = 0;

  write(bytes: Uint8Array): boolean {
    return this.text(textOf(bytes));
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(latin1: string): boolean {
    if (this.ended || this.destroyed) return true;
    this.written += latin1;
    return !this.full;
  }
  pause(): void {
    if (this.paused) this.unbalanced++;
    this.paused = true;
  }
  resume(): void {
    if (!this.paused) this.unbalanced++;
    this.paused = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  reset(): void {
    this.destroyed = this.wasReset = true;
  }
  /** What was written since the last call. */
  taken(): string {
    const text = this.written;
    this.written = "";
    return text;
  }
}

/** Events as lines; data that follows data is joined, so that two splits of one input can be compared. */
export class Recorder<H extends RequestHead | ResponseHead> implements StreamSink<H> {
  readonly log: string[] = [];
  readonly heads: H[] = [];
  fault: Fault | null = null;
  #data: string | null = null;

  info(head: H): void {
    this.#push(`info ${describe(head)}`);
  }
  head(head: H, end: boolean): void {
    this.heads.push(head);
    this.#push(`head ${describe(head)}`);
    if (end) this.#push("end");
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (bytes.length > 0) this.#data = (this.#data ?? "") + textOf(bytes);
    if (end) this.#push("end");
  }
  trailers(fields: Fields): void {
    this.#push(`trailers ${fields.lines.join("|")}`);
    this.#push("end");
  }
  abort(fault: Fault): void {
    this.fault = fault;
    this.#push(`abort ${fault.code}`);
  }
  closed(): void {
    this.#push("closed");
  }
  /** The events so far, pending data included. */
  events(): string[] {
    this.#flush();
    return this.log;
  }
  #push(line: string): void {
    this.#flush();
    this.log.push(line);
  }
  #flush(): void {
    if (this.#data !== null) this.log.push(`data ${this.#data}`);
    this.#data = null;
  }
}

function describe(head: RequestHead | ResponseHead): string {
  const fields = head.fields.lines.join("|");
  if ("status" in head) return `${head.status} ${fields}`;
  return `${head.method} ${head.scheme} ${head.authority} ${head.path} ${fields}`;
}

export interface Exchanged {
  readonly stream: Stream<ResponseHead>;
  readonly sink: Recorder<RequestHead>;
}

/** Called with each exchange a server accepts, when its head has come. */
export type Handler = (exchange: Exchanged, head: RequestHead, end: boolean) => void;

class HandledRecorder extends Recorder<RequestHead> {
  exchange!: Exchanged;
  readonly handler: Handler;
  constructor(handler: Handler) {
    super();
    this.handler = handler;
  }
  override head(head: RequestHead, end: boolean): void {
    super.head(head, end);
    this.handler(this.exchange, head, end);
  }
}

export interface ServerRig {
  readonly wire: MemoryWire;
  readonly server: H1Server;
  readonly exchanges: Exchanged[];
  send(text: string): void;
}

/** A server over a memory wire; without a handler nothing answers. */
export function serverRig(
  handler: Handler = () => {},
  options: { limits?: Partial<H1Limits>; scheme?: "http" | "https"; date?: () => string } = {},
): ServerRig {
  const wire = new MemoryWire();
  const exchanges: Exchanged[] = [];
  const server = new H1Server(
    wire,
    (stream) => {
      const sink = new HandledRecorder(handler);
      sink.exchange = { stream, sink };
      exchanges.push(sink.exchange);
      return sink;
    },
    { scheme: "http", ...options },
  );
  return { wire, server, exchanges, send: (text) => server.receive(bytesOf(text)) };
}

export interface ClientRig {
  readonly wire: MemoryWire;
  readonly client: H1Client;
  send(text: string): void;
  open(): { stream: Stream<RequestHead>; sink: Recorder<ResponseHead> };
}

export function clientRig(limits?: Partial<H1Limits>): ClientRig {
  const wire = new MemoryWire();
  const client = new H1Client(wire, limits === undefined ? {} : { limits });
  return {
    wire,
    client,
    send: (text) => client.receive(bytesOf(text)),
    open: () => {
      const sink = new Recorder<ResponseHead>();
      return { stream: client.open(sink), sink };
    },
  };
}

/** Calls `then` when the message that `sink` records, and that does not end with its head, is whole. */
export function whenWhole(sink: Recorder<RequestHead>, then: () => void): void {
  const { data, trailers } = sink;
  sink.data = (bytes, last) => {
    data.call(sink, bytes, last);
    if (last) then();
  };
  sink.trailers = (fields) => {
    trailers.call(sink, fields);
    then();
  };
}

/** What asks for a tunnel to a database. */
export const connectHead = (): RequestHead => ({
  method: "CONNECT",
  scheme: "http",
  authority: "db:5432",
  path: "/",
  fields: new Fields(),
  upgrade: "connect",
});

/** A feeder that counts. */
export class CountingSource implements Source {
  paused = 0;
  pauses = 0;
  pause(): void {
    this.paused++;
    this.pauses++;
  }
  resume(): void {
    this.paused--;
  }
  cancel(): void {}
}
