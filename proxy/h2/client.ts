/** HTTP/2 as a client: many requests on one connection. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { ClientCodec, Stream, StreamSink, Wire } from "../../core/stream.ts";
import { BROKEN_BY, H2Connection, type H2Options } from "./connection.ts";
import * as f from "./frame.ts";
import { expectBody, responseHead } from "./heads.ts";
import { type AnyHead, H2Stream, IDLE } from "./stream.ts";

const PREFACE = new TextEncoder().encode(f.PREFACE);
/** RFC 9113 5.1.1: ids are not reused; past this a new connection is needed. */
const LAST_ID = 0x7ffffff0;
/** Interim responses one request may get. */
const MAX_INTERIM = 10;

export class H2Client extends H2Connection implements ClientCodec<RequestHead, ResponseHead> {
  #nextId = 1;
  #goneAway = false;
  /** The peer's settings are known: what it takes, and that it has accepted us. */
  settled = false;

  constructor(wire: Wire, options: H2Options) {
    super(wire, "client", options);
    wire.write(PREFACE);
    this.begin();
  }

  get slots(): number {
    if (this.draining || this.failed || this.#goneAway || this.#nextId > LAST_ID) return 0;
    const most = Math.min(this.peer.concurrentStreams, this.limits.concurrentStreams);
    return Math.max(0, most - this.streams.size);
  }

  /** Requests under way. */
  get active(): number {
    return this.streams.size;
  }

  open(into: StreamSink<ResponseHead>): Stream<RequestHead> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new H2Stream(this, id, this.peer.initialWindow, this.limits.streamWindowBytes);
    stream.sink = into as StreamSink<AnyHead>;
    this.opened(stream);
    return stream as Stream<RequestHead>;
  }

  override peerSettings(): void {
    this.settled = true;
  }

  drain(): void {
    if (this.draining || this.failed) return;
    this.draining = true;
    if (this.streams.size === 0) this.drainedDry();
  }
  protected drainedDry(): void {
    this.wire.write(f.goawayFrame(0, f.NO_ERROR, ""));
    this.wire.end();
  }

  isIdle(id: number): boolean {
    return (id & 1) === 0 || id >= this.#nextId;
  }
  protected late(): void {} // how long an answer may take is for the timeouts of its route to say
  protected broken(what: "stream" | "connection"): Fault {
    return BROKEN_BY.upstream[what];
  }
  protected lost(stream: H2Stream): Fault {
    // Without a head sent the request cannot have been seen.
    return stream.out === IDLE ? FAULTS["h2.refused_stream"] : FAULTS["upstream.reset"];
  }

  /** RFC 9113 6.8: what is above the last id was not looked at, and may be tried elsewhere. */
  goaway(lastId: number): boolean {
    this.#goneAway = true;
    for (const stream of this.streams.all()) {
      if (stream.id > lastId) stream.reset(f.CANCEL, FAULTS["h2.goaway"], true);
    }
    this.draining = true;
    if (this.streams.size === 0 && !this.failed) this.drainedDry();
    return !this.failed;
  }

  gotHead(id: number, lines: string[], end: boolean): void {
    const stream = this.streams.get(id);
    if (stream === undefined) {
      return void this.error(f.PROTOCOL_ERROR, "HEADERS on a stream we did not open"); // 5.1.1
    }
    const head = responseHead(lines);
    if (head === null) return void this.streamError(id, f.PROTOCOL_ERROR);
    if (head.status < 200) {
      if (end || ++stream.interim > MAX_INTERIM) {
        return void this.streamError(id, f.PROTOCOL_ERROR);
      }
      return stream.receiveInfo(head);
    }
    if (stream.tunnel !== null && head.status < 300) return this.#switched(stream, head, end);
    if (head.status === 204 || head.status === 304) stream.bodiless = true;
    const length = expectBody(head.fields, end, stream.bodiless);
    if (length < -1) return void this.streamError(id, f.PROTOCOL_ERROR);
    stream.expected = length;
    stream.receiveHead(head, end);
  }

  answered(): void {}

  headTooLarge(id: number): void {
    const stream = this.streams.get(id);
    if (stream !== undefined) stream.reset(f.CANCEL, FAULTS["h1.response_too_large"]);
  }

  sendHead(stream: H2Stream, head: AnyHead, end: boolean): void {
    const { method, scheme, authority, path, fields, upgrade } = head as RequestHead;
    if (upgrade !== undefined) return this.#askTunnel(stream, head as RequestHead);
    stream.bodiless = method === "HEAD";
    const { encoder } = this.sender;
    encoder.begin();
    encoder.field(":method", method);
    encoder.field(":scheme", scheme);
    encoder.field(":authority", authority);
    encoder.field(":path", path);
    this.sender.fields(fields);
    this.sender.block(stream.id, end);
  }

  /** CONNECT (RFC 9113 8.5), with a protocol for a WebSocket (RFC 8441 4). */
  #askTunnel(stream: H2Stream, head: RequestHead): void {
    const { scheme, authority, path, fields, upgrade } = head;
    stream.tunnel = head;
    if (upgrade === "websocket" && !this.peer.connectProtocol) {
      return stream.reset(f.CANCEL, FAULTS["h2.no_websocket"], true);
    }
    const { encoder } = this.sender;
    encoder.begin();
    encoder.field(":method", "CONNECT");
    if (upgrade === "websocket") {
      encoder.field(":protocol", "websocket");
      encoder.field(":scheme", scheme);
      encoder.field(":path", path);
    }
    encoder.field(":authority", authority);
    this.sender.fields(fields);
    this.sender.block(stream.id, false);
  }

  #switched(stream: H2Stream, head: ResponseHead, end: boolean): void {
    if (end) return void this.streamError(stream.id, f.PROTOCOL_ERROR);
    stream.switched = true;
    head.fields.remove("content-length");
    if (stream.tunnel!.upgrade === "websocket") head.status = 101;
    stream.receiveHead(head, false);
  }
}
