/** HTTP/2 as a server: checks the preface, opens a stream per request, refuses what is over the limits. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../../core/message.ts";
import type { Accept, Wire } from "../../core/stream.ts";
import { BROKEN_BY, H2Connection, type H2Options } from "./connection.ts";
import * as f from "./frame.ts";
import { expectBody, requestHead } from "./heads.ts";
import { type AnyHead, H2Stream } from "./stream.ts";

const PREFACE = new TextEncoder().encode(f.PREFACE);

export interface H2ServerOptions extends H2Options {
  /** What requests have come by, whatever they say themselves; absent: what they say. */
  readonly scheme?: "http" | "https";
  /** The value of a `date` field, for responses that have none; left out: no field is added. */
  readonly date?: () => string;
}

export class H2Server extends H2Connection {
  readonly #accept: Accept<RequestHead, ResponseHead>;
  readonly #scheme: string | null;
  readonly #date: (() => string) | null;
  #prefaceSeen = 0;
  /** RFC 9113 6.8: first a GOAWAY that refuses nothing, then one that names the last stream. */
  #announced = false;

  constructor(wire: Wire, accept: Accept<RequestHead, ResponseHead>, options: H2ServerOptions) {
    super(wire, "server", options);
    this.#accept = accept;
    this.#scheme = options.scheme ?? null;
    this.#date = options.date ?? null;
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
    this.wire.write(f.goawayFrame(f.MAX_WINDOW, f.NO_ERROR, ""));
    // Its answer shows that every request sent before the peer knew has arrived.
    this.ping();
  }
  override pingAcked(): void {
    // A ping of before the GOAWAY says nothing of what came after it.
    if (!this.draining || this.#announced || this.pingsUnacked > 0) return;
    this.#announced = true;
    this.wire.write(f.goawayFrame(this.lastId, f.NO_ERROR, ""));
    if (this.streams.size === 0) this.drainedDry();
  }
  protected drainedDry(): void {
    if (this.#announced) this.wire.end();
  }

  isIdle(id: number): boolean {
    return id > this.lastId;
  }
  /** RFC 9110 15.5.9; the glitch is counted by the caller. */
  protected late(stream: H2Stream): void {
    const fault = FAULTS["downstream.timeout"];
    this.#refuse(stream.id, fault, true);
    stream.reset(f.NO_ERROR, fault);
  }
  protected broken(what: "stream" | "connection"): Fault {
    return BROKEN_BY.client[what];
  }
  protected lost(): Fault {
    return FAULTS["downstream.gone"];
  }
  /** A client that goes away still gets its answers. */
  goaway(): boolean {
    return true;
  }

  gotHead(id: number, lines: string[], end: boolean): void {
    this.lastId = id;
    // After our last GOAWAY a request may still cross it; over the limit is the client's mistake.
    if (this.#announced) return this.reset(id, f.REFUSED_STREAM);
    if (this.streams.size >= this.limits.concurrentStreams) {
      this.reset(id, f.REFUSED_STREAM);
      return void this.glitch("refused_stream");
    }
    const head = requestHead(lines);
    const length = head === null ? -2 : expectBody(head.fields, end, false);
    const cut = end && head?.upgrade !== undefined; // a tunnel that nothing could go through
    if (head === null || cut || length < -1) return void this.streamError(id, f.PROTOCOL_ERROR);
    if (this.#scheme !== null) head.scheme = this.#scheme;
    const stream = new H2Stream(this, id, this.peer.initialWindow, this.limits.streamWindowBytes);
    stream.expected = length;
    this.opened(stream);
    stream.sink = this.#accept(stream as never) as never;
    if (head.upgrade !== undefined) {
      stream.tunnel = head;
      stream.pause(); // nothing is passed on before the switch
    }
    stream.receiveHead(head, end);
  }

  /** RFC 9113 8.1: a whole answer before the whole request asks the client to stop sending. */
  answered(stream: H2Stream): void {
    if (stream.switched) return; // each direction of a tunnel ends by itself
    stream.reset(f.NO_ERROR, FAULTS["downstream.gone"]);
  }

  headTooLarge(id: number, end: boolean): void {
    if (!this.isIdle(id)) return void this.streamError(id, f.PROTOCOL_ERROR); // trailers
    this.lastId = id;
    this.#refuse(id, FAULTS["h2.head_too_large"], end);
    this.glitch("head_too_large");
  }

  /** Answers a request that becomes no exchange. */
  #refuse(id: number, fault: Fault, end: boolean): void {
    const fields = ["content-length", "0", "denim-fault", fault.code];
    this.#writeHead(id, fault.status, new Fields(fields), true);
    if (!end) this.reset(id, f.NO_ERROR);
  }

  sendHead(stream: H2Stream, head: AnyHead, end: boolean): void {
    const { status } = head as ResponseHead;
    if (stream.tunnel !== null && (status === 101 || status >= 200)) {
      return this.#answerTunnel(stream, head as ResponseHead, end);
    }
    this.#writeHead(stream.id, status, head.fields, end);
  }

  /** RFC 8441 5: 200 is what 101 is in HTTP/1.1, so no other success may look like it. */
  #answerTunnel(stream: H2Stream, head: ResponseHead, end: boolean): void {
    const { status, fields } = head;
    const request = stream.tunnel!;
    if (end || !switches(request, status)) {
      if (status >= 300) return this.#writeHead(stream.id, status, fields, end);
      const fault = FAULTS["tunnel.not_switched"];
      this.#writeHead(stream.id, fault.status, new Fields(["denim-fault", fault.code]), true);
      return stream.reset(f.NO_ERROR, fault);
    }
    fields.remove("content-length");
    this.#writeHead(stream.id, status === 101 ? 200 : status, fields, false);
    stream.switched = true;
    stream.resume();
  }

  #writeHead(id: number, status: number, fields: Fields, end: boolean): void {
    const { encoder } = this.sender;
    encoder.begin();
    encoder.field(":status", String(status));
    this.sender.fields(fields);
    // RFC 9110 6.6.1: who has a clock dates what came without.
    if (this.#date !== null && status >= 200 && !fields.has("date")) {
      encoder.field("date", this.#date());
    }
    this.sender.block(id, end);
  }
}
