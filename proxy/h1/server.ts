/**
 * HTTP/1.1 as a server (RFC 9112): one exchange at a time, requests behind it wait in order.
 *
 *            ┌──────────── response and request over ─────────────┐
 *            ▼                                                    │
 *   ──▶ READ_HEAD ──head──▶ READ_BODY ──last byte──▶ ANSWER ──────┤
 *            │                  │ response over first             │
 *            │                  ├── rest is here: SKIP ───────────┘
 *            ├─ for a tunnel ─▶ AWAIT_SWITCH ──101, 2xx──▶ TUNNEL (both directions end by themselves)
 *            │                  ├── 200 to a CONNECT to us: READ_HEAD, requests come through it
 *            │                  └── any other answer: ANSWER, then the connection closes
 *            └──refused────┐    └── rest is not ──┐      connection: close
 *                          ▼                      ▼               │
 *                       LINGER (wire ended, a bounded rest of the input is swallowed) ◀──┘
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import { type RequestHead, type ResponseHead, switches } from "../../core/message.ts";
import { type Accept, BUSY, type Codec, HEAD, IDLE, type Phase } from "../../core/stream.ts";
import { BodyReader, NONE } from "./framing.ts";
import { Intake } from "./intake.ts";
import { type H1Limits, withLimits } from "./limits.ts";
import { DONE, FAILED, HeadParser, REQUEST } from "./parser.ts";
import { refusal } from "./refusal.ts";
import { RequestReader } from "./request.ts";
import { ServerStream } from "./server_stream.ts";
import { type ResettableWire, Tunnel } from "../tunnel.ts";
import { ACCEPT_FIELD, acceptOf } from "./websocket.ts";
import { MessageWriter } from "./writer.ts";

export interface H1ServerOptions {
  /** What requests on this connection count as. */
  readonly scheme: "http" | "https";
  readonly limits?: Partial<H1Limits>;
  /** The value of a `date` field, for responses that have none; left out: no field is added. */
  readonly date?: () => string;
}

const READ_HEAD = 0, READ_BODY = 1, ANSWER = 2, SKIP = 3, AWAIT_SWITCH = 4, TUNNEL = 5;
const LINGER = 6, GONE = 7;
const EMPTY = new Uint8Array(0);
const NOT_HTTP = FAULTS["h1.not_http"];

export class H1Server implements Codec {
  readonly protocol = "h1";
  readonly #wire: ResettableWire;
  readonly #accept: Accept<RequestHead, ResponseHead>;
  readonly #limits: H1Limits;
  readonly #date: (() => string) | null;
  readonly #parser: HeadParser;
  readonly #reader: RequestReader;
  readonly #body: BodyReader;
  readonly #writer: MessageWriter;
  readonly #intake = new Intake();
  #tunnel: Tunnel | null = null;
  #state = READ_HEAD;
  #stream: ServerStream | null = null;
  #streams = 0;
  /** Pauses of the running stream that have not been resumed. */
  #pauses = 0;
  #wirePaused = false;
  #running = false;
  #eof = false;
  #draining = false;
  /** The running exchange is the last one. */
  #last = false;
  #discarded = 0;

  constructor(
    wire: ResettableWire,
    accept: Accept<RequestHead, ResponseHead>,
    options: H1ServerOptions,
  ) {
    this.#wire = wire;
    this.#accept = accept;
    this.#limits = withLimits(options.limits);
    this.#date = options.date ?? null;
    this.#parser = new HeadParser(REQUEST, this.#limits);
    this.#reader = new RequestReader(options.scheme);
    this.#body = new BodyReader(this.#limits);
    this.#writer = new MessageWriter(wire);
  }

  get phase(): Phase {
    switch (this.#state) {
      case READ_HEAD:
        return this.#parser.begun ? HEAD : IDLE;
      case LINGER:
        return HEAD; // a client that reads no end must not stay for ever
      case GONE:
        return IDLE;
      default:
        return BUSY;
    }
  }

  /** Once the answer has begun it is a conversation, in which a client may pause. */
  get awaitsBody(): boolean {
    return this.#state === READ_BODY && !this.#wirePaused && !this.#writer.begun;
  }

  receive(bytes: Uint8Array): void {
    if (this.#state === LINGER) return this.#discard(bytes.length);
    if (this.#state === GONE) return;
    this.#intake.push(bytes);
    this.#run();
    if (this.#intake.bytes !== null) this.#intake.own();
    this.#reader.release();
  }

  eof(): void {
    this.#eof = true;
    if (!this.#running) this.#settle();
  }

  expire(fault: Fault): boolean {
    if (this.#state === READ_HEAD && this.#parser.begun) {
      this.#refuse(fault);
      return true;
    }
    if (this.#state !== READ_BODY || this.#writer.begun) return false;
    this.#cut(fault);
    return true;
  }

  drained(): void {
    this.#stream?.release();
  }

  drain(): void {
    this.#draining = true;
    if (this.phase === IDLE && this.#state === READ_HEAD) this.#finish();
  }

  close(fault: Fault | null): void {
    if (this.#state === GONE) return;
    // Both ends of a tunnel have been said: what came before is passed on as soon as it is wanted.
    if (this.#state === TUNNEL && this.#eof && this.#tunnel!.sent && fault === null) return;
    this.#state = GONE;
    this.#intake.clear();
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    const { sink } = stream;
    stream.detach();
    sink.abort(fault ?? FAULTS["downstream.gone"]);
    sink.closed();
  }

  // ── Reading ─────────────────────────────────────────────────────────────────

  /** Reads what has come, as far as the state allows. A sink may call back into us: the loop goes on with what it left. */
  #run(): void {
    if (this.#running) return;
    this.#running = true;
    const intake = this.#intake;
    while (intake.bytes !== null) {
      if (this.#state === READ_HEAD) this.#readHead(intake.bytes);
      else if (this.#state === READ_BODY && this.#pauses === 0) this.#readBody(intake.bytes);
      else if (this.#state === SKIP) this.#skip(intake.bytes);
      else if (this.#state === TUNNEL && this.#pauses === 0) this.#readTunnel(intake.bytes);
      else break;
    }
    this.#running = false;
    this.#settle();
  }

  /** After reading: holds the socket back or lets it go on, and acts on its end once all before it is read. */
  #settle(): void {
    const state = this.#state;
    if (state >= LINGER) return;
    const hold = ((state === READ_BODY || state === TUNNEL) && this.#pauses > 0) ||
      this.#intake.held > this.#limits.heldBytes;
    if (hold !== this.#wirePaused) {
      this.#wirePaused = hold;
      if (hold) this.#wire.pause();
      else this.#wire.resume();
    }
    if (!this.#eof || this.#intake.bytes !== null) return;
    if (state === ANSWER) this.#last = true; // the client may still read
    else if (state === READ_HEAD) this.#finish();
    else if (state === AWAIT_SWITCH) return; // it may have said all it has to say
    else if (state === TUNNEL) this.#tunnelEnds();
    else this.#cut(FAULTS["downstream.gone"]);
  }

  #readHead(bytes: Uint8Array): void {
    const parser = this.#parser;
    const at = parser.feed(bytes, this.#intake.at);
    this.#intake.advance(at);
    if (parser.state === FAILED) return this.#refuse(parser.fault);
    if (parser.state !== DONE) return;
    const reader = this.#reader;
    const head = reader.read(parser);
    if (head === null) return this.#refuse(reader.fault);
    const end = reader.framing === NONE;
    this.#body.start(reader.framing, reader.length, reader.named);
    this.#state = end ? ANSWER : READ_BODY;
    this.#last = this.#draining || !reader.keepAlive;
    this.#pauses = 0;
    this.#writer.start();
    const stream = this.#stream = new ServerStream(this, ++this.#streams, head.method, reader.old);
    const sink = stream.sink = this.#accept(stream);
    if (head.upgrade !== undefined) {
      this.#state = AWAIT_SWITCH;
      const accept = head.upgrade === "websocket" ? acceptOf(reader.websocketKey) : "";
      stream.tunnel = { head, accept };
      if (this.#stream === stream) sink.head(head, false);
    } else if (this.#stream === stream) sink.head(head, end);
  }

  #readTunnel(bytes: Uint8Array): void {
    const from = this.#intake.at;
    this.#intake.advance(bytes.length);
    this.#stream!.sink.data(from === 0 ? bytes : bytes.subarray(from), false);
  }

  /** The client has sent its last byte; ours may still follow. */
  #tunnelEnds(): void {
    const tunnel = this.#tunnel!;
    if (tunnel.received || this.#pauses > 0) return;
    tunnel.received = true;
    this.#stream!.sink.data(EMPTY, true);
    this.#tunnelOver();
  }

  #tunnelOver(): void {
    if (this.#state !== TUNNEL || !this.#tunnel!.over) return;
    this.#state = GONE; // the wire closes by itself, once what is queued has left
    this.#leave();
  }

  #readBody(bytes: Uint8Array): void {
    const body = this.#body;
    const at = body.step(bytes, this.#intake.at);
    this.#intake.advance(at);
    const { sink } = this.#stream!;
    if (body.fault !== null) return this.#cut(body.fault);
    if (body.ended) {
      this.#state = ANSWER;
      if (body.trailers !== null) {
        if (body.to > body.from) sink.data(body.data(bytes), false);
        return sink.trailers(body.trailers);
      }
      return sink.data(body.data(bytes), true);
    }
    if (body.to > body.from) sink.data(body.data(bytes), false);
  }

  /** The rest of a request whose response has been written whole. */
  #skip(bytes: Uint8Array): void {
    const body = this.#body;
    this.#intake.advance(body.step(bytes, this.#intake.at));
    if (body.fault !== null) this.#finish();
    else if (body.ended) this.#next();
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded <= this.#limits.discardBytes) return;
    this.#state = GONE;
    this.#wire.destroy();
  }

  // ── Answering: called by the stream ─────────────────────────────────────────

  /** @internal */
  answerInfo(stream: ServerStream, head: ResponseHead): void {
    if (this.#stream !== stream || this.#writer.begun || stream.old) return;
    if (head.status >= 100 && head.status < 200 && head.status !== 101) this.#writer.info(head);
  }

  /** @internal */
  answerHead(stream: ServerStream, head: ResponseHead, end: boolean): void {
    if (this.#stream !== stream || this.#writer.begun) return;
    if (stream.tunnel !== null) {
      const request = stream.tunnel.head;
      if (!end && switches(request, head.status)) return this.#switch(stream, head);
      if (end && request.here === "taken" && head.status === 200) return this.#switchHere(head);
      // Whatever a client sends that took the tunnel for granted must not be read as a request.
      this.#state = ANSWER;
      this.#last = true;
    }
    // RFC 9110 15.2.2: 101 answers a request for it only.
    if (head.status < 200) return this.#cut(FAULTS["h1.unasked_switch"]);
    // An answer given before the request is read ends the connection, unless the rest is already here.
    if (this.#draining || (this.#state === READ_BODY && !this.#restIsHere())) this.#last = true;
    const { method, old } = stream;
    this.#writer.responseHead(head, end, { method, old, close: this.#last, date: this.#date });
    this.#wrote(stream);
  }

  /** The connection is a tunnel from here on. */
  #switch(stream: ServerStream, head: ResponseHead): void {
    const { accept } = stream.tunnel!;
    const extra = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: ";
    head.fields.remove(ACCEPT_FIELD);
    this.#writer.switchHead(head, accept === "" ? "" : `${extra}${accept}\r\n`);
    this.#tunnel = new Tunnel(this.#wire);
    this.#state = TUNNEL;
    this.#run(); // what came early
  }

  /** The tunnel ends in this codec: whatever the request said of its own connection, others follow. */
  #switchHere(head: ResponseHead): void {
    this.#writer.switchHead(head, "");
    this.#leave();
    this.#state = READ_HEAD;
    this.#run();
  }

  /** @internal */
  answerData(stream: ServerStream, bytes: Uint8Array, end: boolean): void {
    if (this.#state === TUNNEL && this.#stream === stream) {
      if (!this.#tunnel!.send(bytes, end)) stream.hold();
      return this.#tunnelOver();
    }
    if (this.#stream !== stream || !this.#writer.begun || this.#writer.ended) return;
    if (!this.#writer.data(bytes, end)) return this.#cut(FAULTS["proxy.internal"]);
    this.#wrote(stream);
  }

  /** @internal */
  answerTrailers(stream: ServerStream, fields: Fields): void {
    if (this.#stream !== stream || !this.#writer.begun || this.#writer.ended) return;
    if (!this.#writer.trailers(fields)) return this.#cut(FAULTS["proxy.internal"]);
    this.#wrote(stream);
  }

  /** The response will never finish: nothing is left but to end the connection. @internal */
  abandon(stream: ServerStream): void {
    if (this.#stream === stream) this.#end(stream);
  }

  /** @internal */
  pauseStream(stream: ServerStream): void {
    if (this.#stream !== stream) return;
    this.#pauses++;
    if (!this.#running) this.#settle();
  }

  /** @internal */
  resumeStream(stream: ServerStream): void {
    if (this.#stream !== stream || this.#pauses === 0) return;
    if (--this.#pauses === 0) this.#run();
  }

  #wrote(stream: ServerStream): void {
    if (!this.#writer.ended) return this.#writer.full ? stream.hold() : undefined;
    if (this.#writer.untilClose) this.#last = true;
    if (this.#state === ANSWER) return this.#next();
    // The response is over before the request.
    this.#leave();
    if (this.#last || !this.#restIsHere()) return this.#finish();
    this.#state = SKIP;
    this.#run();
  }

  /** Whether the rest of the request's body has come already. */
  #restIsHere(): boolean {
    return this.#body.endsWithin(this.#intake);
  }

  // ── Endings ─────────────────────────────────────────────────────────────────

  /** Both halves are over: on to the next request, or to the end. */
  #next(): void {
    this.#leave();
    if (this.#last || this.#draining) return this.#finish();
    if (this.#state >= LINGER) return;
    this.#state = READ_HEAD;
    this.#run();
  }

  /** The exchange is over, for the stream. */
  #leave(): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#stream = null;
    stream.detach();
    stream.sink.closed();
  }

  /** Sends what is queued and ends; what still comes is swallowed, so that the client can read to the end. */
  #finish(): void {
    if (this.#state >= LINGER) return;
    this.#state = LINGER;
    this.#discarded = this.#intake.held;
    this.#intake.clear();
    if (this.#wirePaused) {
      this.#wirePaused = false;
      this.#wire.resume();
    }
    this.#wire.end();
  }

  /** No exchange: answers with the fault's status and ends. */
  #refuse(fault: Fault): void {
    // RFC 9113 3.4: who begins in another protocol cannot read an answer in this one.
    if (fault === NOT_HTTP && this.#streams === 0) return this.#finish();
    this.#wire.text(refusal(fault, this.#parser.asksHead, this.#date));
    this.#finish();
  }

  /** The request can not be read to its end. */
  #cut(fault: Fault): void {
    const stream = this.#stream;
    if (stream === null) return this.#finish();
    const { begun } = this.#writer;
    const { sink } = stream;
    this.#stream = null; // what the sink does about it no longer concerns the wire
    stream.detach();
    sink.abort(fault);
    sink.closed();
    if (!begun && fault.source === "downstream" && !this.#eof) return this.#refuse(fault);
    this.#truncate();
  }

  /** The response can not be written to its end. */
  #end(stream: ServerStream): void {
    this.#stream = null;
    stream.detach();
    stream.sink.closed();
    this.#truncate();
  }

  /** Ends so that the client sees that something is missing. */
  #truncate(): void {
    if (this.#tunnel !== null) {
      this.#state = GONE;
      this.#intake.clear();
      return this.#tunnel.cut();
    }
    // Chunks and lengths show it by themselves; a body that ends with the connection only by a hard close.
    const clean = this.#writer.begun && this.#writer.untilClose;
    if (!clean) return this.#finish();
    this.#state = GONE;
    this.#intake.clear();
    this.#wire.destroy();
  }
}
