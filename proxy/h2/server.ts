/** HTTP/2 as a server: checks the preface, opens a stream per request, refuses what is over the limits. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Accept, Wire } from "../../core/stream.ts";
import { expectBody, goawayFrame, H2Connection, type H2Options } from "./connection.ts";
import * as f from "./frame.ts";
import { requestHead } from "./heads.ts";
import { type AnyHead, H2Stream } from "./stream.ts";

const PREFACE = new TextEncoder().encode(f.PREFACE);

export interface H2ServerOptions extends H2Options {
  /** What requests are said to have come by. */
  readonly scheme?: "http" | "https";
}

export class H2Server extends H2Connection {
  readonly #accept: Accept<RequestHead, ResponseHead>;
  #prefaceSeen = 0;
  /** RFC 9113 6.8: first a GOAWAY that refuses nothing, then one that names the last stream. */
  #announced = false;

  constructor(wire: Wire, accept: Accept<RequestHead, ResponseHead>, options: H2ServerOptions) {
    super(wire, "server", options);
    this.#accept = accept;
    this.begin();
  }

  override receive(bytes: Uint8Array): void {
    if (this.#prefaceSeen < PREFACE.length) {
      let at = 0;
      while (at < bytes.length && this.#prefaceSeen < PREFACE.length) {
        if (bytes[at++] !== PREFACE[this.#prefaceSeen++]) {
          this.error(f.PROTOCOL_ERROR, "not an HTTP/2 preface");
          return;
        }
      }
      bytes = bytes.subarray(at);
    }
    super.receive(bytes);
  }

  drain(): void {
    if (this.draining || this.failed) return;
    this.draining = true;
    this.wire.write(goawayFrame(f.MAX_WINDOW, f.NO_ERROR, ""));
    // Its answer shows that every request sent before the peer knew has arrived.
    this.wire.write(f.frame(8, f.PING, 0, 0));
  }
  protected override pingAcked(): void {
    if (!this.draining || this.#announced) return;
    this.#announced = true;
    this.wire.write(goawayFrame(this.lastId, f.NO_ERROR, ""));
    if (this.streams.size === 0) this.drainedDry();
  }
  protected drainedDry(): void {
    if (this.#announced) this.wire.end();
  }

  protected isIdle(id: number): boolean {
    return id > this.lastId;
  }
  protected lost(): Fault {
    return FAULTS["downstream.gone"];
  }
  /** A client that goes away still gets its answers. */
  protected goaway(): boolean {
    return true;
  }

  protected gotHead(id: number, lines: string[], end: boolean): void {
    this.lastId = id;
    if (this.#announced || this.streams.size >= this.limits.concurrentStreams) {
      this.reset(id, f.REFUSED_STREAM);
      this.glitch();
      return;
    }
    const head = requestHead(lines);
    const stream = this.#open(id);
    if (head === null || !expectBody(stream, head.fields, end)) {
      this.streamErrorById(id, f.PROTOCOL_ERROR);
      return;
    }
    this.streams.set(id, stream);
    stream.sink = this.#accept(stream as never) as never;
    stream.receiveHead(head, end);
  }

  /** RFC 9113 8.1: a whole answer before the whole request asks the client to stop sending. */
  answered(stream: H2Stream): void {
    stream.reset(f.NO_ERROR, FAULTS["downstream.gone"]);
  }

  protected headTooLarge(id: number): void {
    this.lastId = Math.max(this.lastId, id);
    const stream = this.#open(id);
    this.sendHead(stream, {
      status: 431,
      fields: new Fields(["content-length", "0", "denim-fault", "h2.head_too_large"]),
    }, true);
    this.reset(id, f.NO_ERROR);
    this.glitch();
  }

  sendHead(stream: H2Stream, head: AnyHead, end: boolean): void {
    const { encoder } = this.sender;
    encoder.begin();
    encoder.field(":status", String((head as ResponseHead).status));
    this.sender.fields(head.fields);
    this.sender.block(stream, end);
  }

  #open(id: number): H2Stream {
    return new H2Stream(this, id, this.peer.initialWindow, this.limits.streamWindowBytes);
  }
}
