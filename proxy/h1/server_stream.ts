/** One exchange as the server codec hands it out. */
import type { Fault } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink } from "../../core/stream.ts";
import { FedStream } from "../fed_stream.ts";
import type { H1Server } from "./server.ts";

/** Until accept() has said where a request goes. */
const DEAF: StreamSink<RequestHead> = {
  info: () => {},
  head: () => {},
  data: () => {},
  trailers: () => {},
  abort: () => {},
  closed: () => {},
};

/** One exchange's handle: a new object each, so that a late call of an old exchange reaches nothing. */
export class ServerStream extends FedStream implements Stream<ResponseHead> {
  readonly method: string;
  /** The client speaks HTTP/1.0. */
  readonly old: boolean;
  sink: StreamSink<RequestHead> = DEAF;
  /** The request for a tunnel, and what its WebSocket handshake is answered with; null for all others. */
  tunnel: { readonly head: RequestHead; readonly accept: string } | null = null;
  readonly #server: H1Server;

  constructor(server: H1Server, id: number, method: string, old: boolean) {
    super(id);
    this.#server = server;
    this.method = method;
    this.old = old;
  }

  info(head: ResponseHead): void {
    this.#server.answerInfo(this, head);
  }
  head(head: ResponseHead, end: boolean): void {
    this.#server.answerHead(this, head, end);
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.#server.answerData(this, bytes, end);
  }
  trailers(fields: Fields): void {
    this.#server.answerTrailers(this, fields);
  }
  abort(_fault: Fault): void {
    this.#server.abandon(this);
  }
  pause(): void {
    this.#server.pauseStream(this);
  }
  resume(): void {
    this.#server.resumeStream(this);
  }
  cancel(_fault: Fault): void {
    this.#server.abandon(this);
  }
}
