/**
 * Bare TCP as a server codec: an accepted connection asks for one tunnel, as a CONNECT would, and before
 * its client has sent a byte: in MySQL or SMTP it is the server who speaks first.
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../../core/message.ts";
import type { Accept } from "../../core/stream.ts";
import type { ResettableWire } from "../tunnel.ts";
import { Pipe } from "./pipe.ts";

export class RawServer extends Pipe<RequestHead, ResponseHead> {
  readonly #accept: Accept<RequestHead, ResponseHead>;
  readonly #authority: string;
  #request: RequestHead | null = null;

  /** `authority`: `host:port` that routes see and that is asked for. */
  constructor(
    wire: ResettableWire,
    accept: Accept<RequestHead, ResponseHead>,
    authority: string,
  ) {
    super(wire);
    this.#accept = accept;
    this.#authority = authority;
  }

  connected(): void {
    this.press();
    this.#ask(this.#authority);
  }

  head(head: ResponseHead, end: boolean): void {
    if (!this.waiting || this.#request === null) return;
    if (!end && switches(this.#request, head.status)) return this.begin();
    this.fail(FAULTS["tunnel.refused"]);
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
    this.sink = this.#accept(this);
    this.sink.head(this.#request, false);
  }
}
