/** Bare TCP as a client codec: the request for a tunnel is granted as soon as the connection stands. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Stream, StreamSink } from "../../core/stream.ts";
import { Pipe } from "./pipe.ts";

export class RawClient extends Pipe<ResponseHead, RequestHead>
  implements ClientCodec<RequestHead, ResponseHead> {
  #lent = false;
  #stands = false;
  #asked = false;

  /** One tunnel, ever. */
  get slots(): number {
    return this.#lent || this.over ? 0 : 1;
  }

  open(into: StreamSink<ResponseHead>): Stream<RequestHead> {
    this.#lent = true;
    this.sink = into;
    return this;
  }

  connected(): void {
    this.#stands = true;
    this.#grant();
  }
  head(head: RequestHead, _end: boolean): void {
    // Routes send nothing else here; bytes of another message would reach the workload as they are.
    if (head.upgrade !== "connect") return this.fail(FAULTS["route.tunnel_only"]);
    this.#asked = true;
    this.#grant();
  }

  /** Nobody waits for a connection that carries nothing. */
  override drain(): void {
    if (this.#lent || this.over) return;
    this.finish();
    this.wire.end();
  }
  override close(fault: Fault | null): void {
    if (this.#lent) super.close(fault);
    else this.finish();
  }

  protected lost(): Fault {
    return this.waiting ? FAULTS["upstream.connect"] : FAULTS["upstream.reset"];
  }

  #grant(): void {
    if (!this.#stands || !this.#asked || !this.waiting) return;
    this.pause(); // what the server says first comes after the head
    this.begin();
    this.sink.head({ status: 200, fields: new Fields() }, false);
    this.resume();
  }
}
