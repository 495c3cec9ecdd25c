/** A request that waits for a connection: keeps what was pushed and replays it once there is one. */
import type { Fault } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Source, Stream, StreamSink } from "../../core/stream.ts";

export class QueuedStream implements Stream<RequestHead> {
  readonly id = 0;
  readonly #into: StreamSink<ResponseHead>;
  #stream: Stream<RequestHead> | null = null;
  #feeder: Source | null = null;
  #held = false;
  #head: RequestHead | null = null;
  #body: Uint8Array[] = [];
  #trailers: Fields | null = null;
  #end = false;
  #pauses = 0;
  cancelled = false;

  constructor(into: StreamSink<ResponseHead>) {
    this.#into = into;
  }

  get feeder(): Source | null {
    return this.#feeder;
  }
  set feeder(feeder: Source | null) {
    this.#feeder = feeder;
    if (this.#stream !== null) this.#stream.feeder = feeder;
  }

  /** Goes on over a codec that has a slot; false when the request was given up meanwhile. */
  attach(codec: ClientCodec<RequestHead, ResponseHead>): boolean {
    return this.attachTo((into) => codec.open(into));
  }

  /** The same, over whatever opens streams. */
  attachTo(open: (into: StreamSink<ResponseHead>) => Stream<RequestHead>): boolean {
    if (this.cancelled) return false;
    const stream = this.#stream = open(this.#into);
    stream.feeder = this.#feeder;
    for (let i = 0; i < this.#pauses; i++) stream.pause();
    if (this.#head !== null) {
      const last = this.#end && this.#trailers === null;
      stream.head(this.#head, last && this.#body.length === 0);
      this.#body.forEach((bytes, i) => stream.data(bytes, last && i === this.#body.length - 1));
      if (this.#trailers !== null) stream.trailers(this.#trailers);
    }
    this.#body = [];
    if (this.#held) this.#feeder?.resume();
    this.#held = false;
    return true;
  }

  /** Nothing will ever take it. */
  refuse(fault: Fault): void {
    if (this.cancelled || this.#stream !== null) return;
    this.cancelled = true;
    this.#into.abort(fault);
    this.#into.closed();
  }

  info(): void {}
  head(head: RequestHead, end: boolean): void {
    if (this.#stream !== null) return this.#stream.head(head, end);
    this.#head = head;
    this.#end = end;
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#stream !== null) return this.#stream.data(bytes, end);
    this.#body.push(bytes.slice());
    this.#end = end;
    // One chunk is enough to hold: the client waits until there is a connection.
    if (!this.#held && !end && this.#feeder !== null) {
      this.#held = true;
      this.#feeder.pause();
    }
  }
  trailers(fields: Fields): void {
    if (this.#stream !== null) return this.#stream.trailers(fields);
    this.#trailers = fields;
    this.#end = true;
  }
  abort(fault: Fault): void {
    this.cancel(fault);
  }
  pause(): void {
    this.#pauses++;
    this.#stream?.pause();
  }
  resume(): void {
    if (this.#pauses > 0) this.#pauses--;
    this.#stream?.resume();
  }
  cancel(fault: Fault): void {
    if (this.#stream !== null) return this.#stream.cancel(fault);
    if (this.cancelled) return;
    this.cancelled = true;
    this.#body = [];
    queueMicrotask(() => this.#into.closed());
  }
}
