/**
 * HTTP/1.1 as a client (RFC 9112): one exchange at a time, and the connection is used again only when
 * both halves of the last one ended cleanly and nothing came that no request asked for.
 *
 *            ┌────── both halves over, keep-alive, no byte left ──────┐
 *            ▼                                                        │
 *   ──▶ IDLE ──open──▶ READ_HEAD ──final head──▶ READ_BODY ──last byte──▶ OVER
 *        │                 └──101, 2xx to a CONNECT──▶ TUNNEL (never used again)
 *        │ any byte        │  ▲ 1xx │                                  │
 *        ▼                 │  └─────┘                                  │ request unfinished, close,
 *      DEAD ◀──────────────┴──── malformed, cut, cancelled ◀───────────┘ or unasked bytes
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../../core/message.ts";
import {
  BUSY,
  type ClientCodec,
  IDLE,
  type Phase,
  type Stream,
  type StreamSink,
} from "../../core/stream.ts";
import { asResponseFault } from "./faults.ts";
import { FedStream } from "../fed_stream.ts";
import { BodyReader, NONE, UNTIL_CLOSE } from "./framing.ts";
import { Intake } from "./intake.ts";
import { type H1Limits, withLimits } from "./limits.ts";
import { DONE, FAILED, HeadParser, RESPONSE } from "./parser.ts";
import { ResponseReader } from "./response.ts";
import { type ResettableWire, Tunnel } from "../tunnel.ts";
import { ACCEPT_FIELD, acceptOf, KEY_FIELD, newKey, VERSION_FIELD } from "./websocket.ts";
import { MessageWriter } from "./writer.ts";

export interface H1ClientOptions {
  readonly limits?: Partial<H1Limits>;
  /** Makes a Sec-WebSocket-Key; for tests. */
  readonly websocketKey?: () => string;
}

const READY = 0, READ_HEAD = 1, READ_BODY = 2, TUNNEL = 3, DEAD = 4;
const EMPTY = new Uint8Array(0);

export class H1Client implements ClientCodec<RequestHead, ResponseHead> {
  readonly protocol = "h1";
  /** Why the connection ended while no stream was open to be told; for the log. */
  fault: Fault | null = null;
  readonly #wire: ResettableWire;
  readonly #limits: H1Limits;
  readonly #parser: HeadParser;
  readonly #reader = new ResponseReader();
  readonly #body: BodyReader;
  readonly #writer: MessageWriter;
  readonly #intake = new Intake();
  readonly #newKey: () => string;
  #tunnel: Tunnel | null = null;
  #state = READY;
  #stream: ClientStream | null = null;
  #streams = 0;
  /** A byte of the running exchange's response has come. */
  #heard = false;
  #interim = 0;
  #pauses = 0;
  #wirePaused = false;
  #running = false;
  #eof = false;
  #draining = false;

  constructor(wire: ResettableWire, options: H1ClientOptions = {}) {
    this.#wire = wire;
    this.#limits = withLimits(options.limits);
    this.#newKey = options.websocketKey ?? newKey;
    this.#parser = new HeadParser(RESPONSE, this.#limits);
    this.#body = new BodyReader(this.#limits);
    this.#writer = new MessageWriter(wire);
  }

  get phase(): Phase {
    return this.#stream === null ? IDLE : BUSY;
  }

  get slots(): number {
    return this.#state === READY && this.#stream === null && !this.#draining && !this.#eof ? 1 : 0;
  }

  /** Opened without a free slot, the stream fails as one on a closed connection does. */
  open(into: StreamSink<ResponseHead>): Stream<RequestHead> {
    const free = this.slots === 1;
    const stream = new ClientStream(free ? this : null, into, ++this.#streams);
    if (!free) return stream;
    this.#stream = stream;
    this.#heard = false;
    this.#interim = 0;
    this.#pauses = 0;
    this.#writer.start();
    return stream;
  }

  receive(bytes: Uint8Array): void {
    if (this.#state === DEAD || bytes.length === 0) return;
    // The length of a SETTINGS frame, with which HTTP/2 begins, has 0 for its first byte, and no other
    // protocol does. Nothing like a line would follow that could be waited for.
    if (!this.#heard && bytes[0] === 0) return this.#fail(FAULTS["upstream.speaks_h2"]);
    if (this.#state === READY) return this.#fail(FAULTS["h1.unasked_bytes"]);
    this.#heard = true;
    this.#intake.push(bytes);
    this.#run();
    if (this.#intake.bytes !== null) this.#intake.own();
    this.#reader.release();
  }

  eof(): void {
    this.#eof = true;
    if (!this.#running) this.#settle();
  }

  drained(): void {
    this.#stream?.release();
  }

  drain(): void {
    this.#draining = true;
    if (this.#stream !== null || this.#state === DEAD) return;
    this.#state = DEAD;
    this.#wire.end();
  }

  close(fault: Fault | null): void {
    if (this.#state === DEAD) return;
    // Of a tunnel all has come that will; the client hears no other end than the one it was told.
    if (this.#state === TUNNEL && this.#tunnel!.received && fault === null) {
      this.#state = DEAD;
      return this.#leave(this.#stream!);
    }
    // What came before the connection went is still delivered, when it is whole or may be.
    if (this.#eof && fault === null && (this.#intake.bytes !== null || this.#pauses > 0)) return;
    this.#fail(fault ?? this.#lost());
  }

  // ── Reading ─────────────────────────────────────────────────────────────────

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    const intake = this.#intake;
    while (intake.bytes !== null && this.#pauses === 0) {
      if (this.#state === READ_HEAD) this.#readHead(intake.bytes);
      else if (this.#state === READ_BODY) this.#readBody(intake.bytes);
      else if (this.#state === TUNNEL) this.#readTunnel(intake.bytes);
      else break;
    }
    this.#running = false;
    this.#settle();
  }

  /** After reading: holds the socket back or lets it go on, and acts on its end once all before it is read. */
  #settle(): void {
    if (this.#state === DEAD) return;
    const hold = this.#stream !== null && this.#pauses > 0;
    if (hold !== this.#wirePaused) {
      this.#wirePaused = hold;
      if (hold) this.#wire.pause();
      else this.#wire.resume();
    }
    if (!this.#eof || this.#intake.bytes !== null) return;
    const stream = this.#stream;
    if (stream === null) return this.drain();
    if (this.#pauses > 0) return;
    if (this.#state === TUNNEL) return this.#tunnelEnds(stream);
    if (this.#state !== READ_BODY || this.#body.framing !== UNTIL_CLOSE) {
      return this.#fail(this.#lost());
    }
    stream.sink.data(EMPTY, true);
    if (this.#stream === stream) this.#over();
  }

  #readHead(bytes: Uint8Array): void {
    const parser = this.#parser;
    this.#intake.advance(parser.feed(bytes, this.#intake.at));
    if (parser.state === FAILED) return this.#fail(asResponseFault(parser.fault));
    if (parser.state !== DONE) return;
    const stream = this.#stream!;
    const reader = this.#reader;
    const head = reader.read(parser, stream.method);
    if (head === null) return this.#fail(reader.fault);
    if (stream.request !== null && switches(stream.request, head.status)) {
      return this.#switch(stream, head);
    }
    if (head.status < 200) return this.#readInterim(stream, head);
    const end = reader.framing === NONE;
    this.#body.start(reader.framing, reader.length, reader.named);
    this.#state = READ_BODY;
    stream.sink.head(head, end);
    if (end && this.#stream === stream) this.#over();
  }

  /** The upstream agrees to the tunnel; a WebSocket's only with the right answer to our key. */
  #switch(stream: ClientStream, head: ResponseHead): void {
    const { fields } = head;
    if (stream.accept !== "") {
      const answers = fields.all(ACCEPT_FIELD);
      const right = answers.length === 1 && answers[0] === stream.accept && this.#reader.keepAlive;
      if (!right || this.#reader.upgrade?.toLowerCase() !== "websocket") {
        return this.#fail(FAULTS["h1.bad_switch"]);
      }
      fields.remove(ACCEPT_FIELD);
    }
    this.#tunnel = new Tunnel(this.#wire);
    this.#state = TUNNEL;
    stream.sink.head(head, false);
  }

  #readTunnel(bytes: Uint8Array): void {
    const from = this.#intake.at;
    this.#intake.advance(bytes.length);
    this.#stream!.sink.data(from === 0 ? bytes : bytes.subarray(from), false);
  }

  /** The upstream has sent its last byte; the client's may still follow. */
  #tunnelEnds(stream: ClientStream): void {
    if (this.#tunnel!.received) return;
    this.#tunnel!.received = true;
    stream.sink.data(EMPTY, true);
    this.#tunnelOver(stream);
  }

  #tunnelOver(stream: ClientStream): void {
    if (this.#stream !== stream || !this.#tunnel!.over) return;
    this.#state = DEAD; // the wire closes by itself, once what is queued has left
    this.#leave(stream);
  }

  #readInterim(stream: ClientStream, head: ResponseHead): void {
    // RFC 9110 15.2.2: 101 answers an Upgrade field, and none is ever passed on.
    if (head.status === 101) return this.#fail(FAULTS["h1.unasked_switch"]);
    if (++this.#interim > this.#limits.interimResponses) {
      return this.#fail(FAULTS["h1.too_many_interim"]);
    }
    stream.sink.info(head);
  }

  #readBody(bytes: Uint8Array): void {
    const body = this.#body;
    this.#intake.advance(body.step(bytes, this.#intake.at));
    if (body.fault !== null) return this.#fail(asResponseFault(body.fault));
    const stream = this.#stream!;
    const { sink } = stream;
    const { from, to, ended, trailers } = body;
    if (ended && trailers === null) sink.data(body.data(bytes), true);
    else if (to > from) sink.data(body.data(bytes), false);
    if (!ended || this.#stream !== stream) return;
    if (trailers !== null) sink.trailers(trailers);
    if (this.#stream === stream) this.#over();
  }

  // ── Sending: called by the stream ───────────────────────────────────────────

  /** @internal */
  sendHead(stream: ClientStream, head: RequestHead, end: boolean): void {
    if (this.#stream !== stream || this.#writer.begun) return;
    stream.method = head.method;
    if (head.upgrade !== undefined) return this.#sendTunnelHead(stream, head);
    if (!this.#writer.requestHead(head, end)) return this.#fail(FAULTS["proxy.internal"]);
    this.#state = READ_HEAD;
    this.#wrote(stream);
  }

  #sendTunnelHead(stream: ClientStream, head: RequestHead): void {
    let target = head.authority, extra = "";
    if (head.upgrade === "websocket") {
      const key = this.#newKey();
      head.fields.remove(KEY_FIELD);
      head.fields.set(VERSION_FIELD, "13");
      stream.accept = acceptOf(key);
      target = head.path;
      extra = `connection: upgrade\r\nupgrade: websocket\r\n${KEY_FIELD}: ${key}\r\n`;
    }
    stream.request = head;
    if (!this.#writer.tunnelHead(head, target, extra)) return this.#fail(FAULTS["proxy.internal"]);
    this.#state = READ_HEAD;
  }

  /** @internal */
  sendData(stream: ClientStream, bytes: Uint8Array, end: boolean): void {
    if (this.#state === TUNNEL && this.#stream === stream) {
      if (!this.#tunnel!.send(bytes, end)) stream.hold();
      return this.#tunnelOver(stream);
    }
    if (this.#stream !== stream || !this.#writer.begun || this.#writer.ended) return;
    if (!this.#writer.data(bytes, end)) return this.#fail(FAULTS["proxy.internal"]);
    this.#wrote(stream);
  }

  /** @internal */
  sendTrailers(stream: ClientStream, fields: Fields): void {
    if (this.#stream !== stream || !this.#writer.begun || this.#writer.ended) return;
    if (!this.#writer.trailers(fields)) return this.#fail(FAULTS["proxy.internal"]);
    this.#wrote(stream);
  }

  /** HTTP/1.1 can stop an exchange only by closing its connection. @internal */
  cancelStream(stream: ClientStream): void {
    if (this.#stream !== stream) return;
    this.#die();
    this.#leave(stream);
  }

  /** @internal */
  pauseStream(stream: ClientStream): void {
    if (this.#stream !== stream) return;
    this.#pauses++;
    if (!this.#running) this.#settle();
  }

  /** @internal */
  resumeStream(stream: ClientStream): void {
    if (this.#stream !== stream || this.#pauses === 0) return;
    if (--this.#pauses === 0) this.#run();
  }

  #wrote(stream: ClientStream): void {
    if (this.#writer.full && !this.#writer.ended) stream.hold();
  }

  // ── Endings ─────────────────────────────────────────────────────────────────

  /** The response is over: the connection is free again, or it ends. */
  #over(): void {
    const stream = this.#stream!;
    // Who was asked for a tunnel may yet act as if it were one: such a connection carries nothing else.
    const clean = stream.request === null && this.#writer.ended && this.#reader.keepAlive &&
      !this.#eof;
    if (clean && this.#intake.bytes === null && !this.#draining) this.#state = READY;
    else {
      if (clean && this.#intake.bytes !== null) this.fault = FAULTS["h1.unasked_bytes"];
      this.#die();
    }
    this.#leave(stream);
  }

  #fail(fault: Fault): void {
    const stream = this.#stream;
    this.#die();
    if (stream === null) {
      this.fault = fault;
      return;
    }
    this.#stream = null;
    stream.detach();
    stream.sink.abort(fault);
    stream.sink.closed();
  }

  #die(): void {
    this.#state = DEAD;
    this.#intake.clear();
    if (this.#tunnel !== null) this.#tunnel.cut();
    else this.#wire.destroy();
  }

  #leave(stream: ClientStream): void {
    this.#stream = null;
    stream.detach();
    stream.sink.closed();
  }

  /** Why a connection that just ended ended, as far as a retry is concerned. */
  #lost(): Fault {
    if (this.#heard) return FAULTS["upstream.reset"];
    return FAULTS[this.#streams > 1 ? "upstream.stale" : "upstream.refused"];
  }
}

/** One exchange's handle: a new object each, so that a late call of an old exchange reaches nothing. */
class ClientStream extends FedStream implements Stream<RequestHead> {
  readonly sink: StreamSink<ResponseHead>;
  method = "";
  /** The request for a tunnel, and the Sec-WebSocket-Accept it wants; null and "" for all others. */
  request: RequestHead | null = null;
  accept = "";
  readonly #client: H1Client | null;
  #failed = false;

  /** Without a client the stream is dead from the start, and says so at its first push. */
  constructor(client: H1Client | null, sink: StreamSink<ResponseHead>, id: number) {
    super(id);
    this.#client = client;
    this.sink = sink;
  }

  info(): void {} // requests have no interim heads
  head(head: RequestHead, end: boolean): void {
    if (this.#client !== null) return this.#client.sendHead(this, head, end);
    if (this.#failed) return;
    this.#failed = true;
    this.sink.abort(FAULTS["upstream.stale"]);
    this.sink.closed();
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.#client?.sendData(this, bytes, end);
  }
  trailers(fields: Fields): void {
    this.#client?.sendTrailers(this, fields);
  }
  abort(_fault: Fault): void {
    this.#client?.cancelStream(this);
  }
  pause(): void {
    this.#client?.pauseStream(this);
  }
  resume(): void {
    this.#client?.resumeStream(this);
  }
  cancel(_fault: Fault): void {
    this.#client?.cancelStream(this);
  }
}
