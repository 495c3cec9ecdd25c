/**
 * Bare TCP as a server codec: an accepted connection asks for one tunnel, as a CONNECT would, and before
 * its client has sent a byte: in MySQL or SMTP it is the server who speaks first.
 *
 * With TLS that passes through it is the client who does, and the name in its hello is what is asked for.
 * A refused TLS client is told by an alert (RFC 8446 6.2), any other by a reset.
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../../core/message.ts";
import { type Accept, BUSY, HEAD, type Phase } from "../../core/stream.ts";
import type { ResettableWire } from "../tunnel.ts";
import { ClientHelloReader, FAILED, READING } from "./client_hello.ts";
import { Pipe } from "./pipe.ts";

const DECODE_ERROR = 50, INTERNAL_ERROR = 80, UNRECOGNIZED_NAME = 112;

export interface RawServerOptions {
  /** `host:port` that routes see, where no TLS client names another host. */
  readonly authority: string;
  /** The first bytes are a TLS client's hello. */
  readonly tls?: boolean;
}

export class RawServer extends Pipe<RequestHead, ResponseHead> {
  /** Why there never was an exchange. */
  refusal: Fault | null = null;
  readonly #accept: Accept<RequestHead, ResponseHead>;
  readonly #authority: string;
  readonly #hello: ClientHelloReader | null;
  #request: RequestHead | null = null;
  /** It has been told that there is no tunnel, and should go. */
  #refused = false;

  constructor(
    wire: ResettableWire,
    accept: Accept<RequestHead, ResponseHead>,
    { authority, tls = false }: RawServerOptions,
  ) {
    super(wire);
    this.#accept = accept;
    this.#authority = authority;
    this.#hello = tls ? new ClientHelloReader() : null;
  }

  override get phase(): Phase {
    return this.#request === null || this.#refused ? HEAD : BUSY;
  }
  protected override get sniffing(): boolean {
    return this.#hello !== null && this.#hello.state === READING;
  }

  connected(): void {
    if (this.#hello === null) this.#ask(this.#authority);
  }

  override receive(bytes: Uint8Array): void {
    if (!this.sniffing || this.over) return super.receive(bytes);
    const hello = this.#hello!;
    hello.feed(bytes);
    if (hello.state === FAILED) return this.#refuse(hello.fault);
    super.receive(bytes);
    if (hello.state === READING) return;
    const port = this.#authority.slice(this.#authority.lastIndexOf(":"));
    this.#ask(hello.name === "" ? this.#authority : hello.name + port);
  }

  override eof(): void {
    if (this.#request !== null) return super.eof();
    this.finish();
    this.wire.end();
  }

  head(head: ResponseHead, end: boolean): void {
    if (!this.waiting || this.#request === null) return;
    if (!end && switches(this.#request, head.status)) return this.begin();
    if (this.#hello === null) return this.fail(FAULTS["tunnel.refused"]);
    const { sink } = this;
    this.#alert(head.status === 404 ? UNRECOGNIZED_NAME : INTERNAL_ERROR);
    sink.abort(FAULTS["tunnel.refused"]);
    sink.closed();
  }

  override drain(): void {
    if (this.#request !== null) return;
    this.finish();
    this.wire.end();
  }
  override close(fault: Fault | null): void {
    if (this.#request !== null) super.close(fault);
    else this.finish();
  }

  protected lost(): Fault {
    return FAULTS["downstream.gone"];
  }

  #ask(authority: string): void {
    this.#request = {
      method: "CONNECT",
      scheme: "http",
      authority,
      path: "/",
      fields: new Fields(),
      upgrade: "connect",
    };
    this.press();
    this.sink = this.#accept(this);
    this.sink.head(this.#request, false);
  }

  /** No exchange: what the client began with cannot be routed. */
  #refuse(fault: Fault): void {
    this.refusal = fault;
    if (fault !== FAULTS["tls.not_tls"]) return this.#alert(DECODE_ERROR);
    this.finish();
    this.wire.reset();
  }

  #alert(description: number): void {
    this.#refused = true;
    this.finish();
    this.wire.write(new Uint8Array([21, 3, 3, 0, 2, 2, description]));
    this.wire.end();
  }
}
