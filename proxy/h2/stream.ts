/**
 * One stream of an HTTP/2 connection (RFC 9113 section 5), the same for both roles.
 *
 *   in:   IDLE ──head──▶ OPEN ──END_STREAM──▶ ENDED            what the peer sends us
 *   out:  IDLE ──head()─▶ OPEN ──end────────▶ ENDED            what we send the peer
 *
 * Both ENDED, or a reset from either side: the stream is over, closed() is called, once.
 */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Source, Stream, StreamSink } from "../../core/stream.ts";
import { ByteQueue } from "./byte_queue.ts";
import { CANCEL, NO_ERROR, REFUSED_STREAM } from "./frame.ts";
import type { StreamWatch } from "./stream_watch.ts";

export const IDLE = 0 as const, OPEN = 1 as const, ENDED = 2 as const;
export type Half = typeof IDLE | typeof OPEN | typeof ENDED;

export type AnyHead = RequestHead | ResponseHead;

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly role: "server" | "client";
  sendHead(stream: H2Stream, head: AnyHead, end: boolean): void;
  sendTrailers(stream: H2Stream, fields: Fields): void;
  /** Sends now, or queues and pumps later. */
  sendData(stream: H2Stream, bytes: Uint8Array, end: boolean): void;
  sendReset(stream: H2Stream, code: number): void;
  /** `bytes` of body were taken: the peer may send as many again. */
  credit(stream: H2Stream, bytes: number): void;
  /** `bytes` more of body wait because the stream is paused; negative: fewer. */
  held(bytes: number): void;
  /** All of ours has been sent while the peer is still sending. */
  answered(stream: H2Stream): void;
  /** The stream is over: forget it. */
  over(stream: H2Stream): void;
}

export class H2Stream implements Stream<AnyHead> {
  readonly id: number;
  readonly #host: StreamHost;
  sink!: StreamSink<AnyHead>;
  feeder: Source | null = null;
  in: Half = IDLE;
  out: Half = IDLE;
  /** What we may still send, and what the peer may. The first can be negative (RFC 9113 6.9.2). */
  sendWindow: number;
  receiveWindow: number;
  /** Declared content-length of the incoming body less what has come; −1: not declared. */
  expected = -1;
  /** Body that windows or the socket keep from leaving. */
  readonly queue = new ByteQueue();
  endQueued = false;
  trailersQueued: Fields | null = null;
  /** In the connection's round of streams with something to send. */
  ready = false;
  feederPaused = false;
  /** In the connection's round of streams whose feeders may go on. */
  resumable = false;
  /** Body taken that the peer has not been told of yet. */
  uncredited = 0;
  /** The next one in its chain of the {@link StreamTable}. @internal */
  chained: H2Stream | null = null;
  /** Interim responses so far. */
  interim = 0;
  /** Bytes of body that have left, and that have come. */
  moved = 0;
  came = 0;
  /** Set at the first look at how long it waits. */
  watch: StreamWatch | null = null;
  /** Arrived while paused; null: what arrives is passed on at once. */
  #held: ByteQueue | null = null;
  #heldEnd = false;
  #heldTrailers: Fields | null = null;
  #pauses = 0;
  #over = false;
  /** For a request: the method was HEAD, so a response's content-length says nothing of its body. */
  bodiless = false;
  /** The request for a tunnel, and whether it has become one. */
  tunnel: RequestHead | null = null;
  switched = false;

  constructor(host: StreamHost, id: number, sendWindow: number, receiveWindow: number) {
    this.#host = host;
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }

  /** We hold the peer's message back. */
  get paused(): boolean {
    return this.#pauses > 0 || this.#held !== null;
  }
  get over(): boolean {
    return this.#over;
  }

  // ── Outgoing ──────────────────────────────────────────────────────────────

  info(head: AnyHead): void {
    if (!this.#over && this.out === IDLE) this.#host.sendHead(this, head, false);
  }
  head(head: AnyHead, end: boolean): void {
    if (this.#over || this.out !== IDLE) return;
    this.out = end ? ENDED : OPEN;
    this.#host.sendHead(this, head, end);
    if (end) this.sentEnd();
  }
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#over || this.out !== OPEN || this.endQueued) return;
    this.#host.sendData(this, bytes, end);
  }
  trailers(fields: Fields): void {
    if (this.#over || this.out !== OPEN || this.endQueued) return;
    if (this.queue.length > 0) {
      this.endQueued = true;
      this.trailersQueued = fields;
    } else this.#host.sendTrailers(this, fields);
  }
  abort(fault: Fault): void {
    this.reset(CANCEL, fault);
  }
  cancel(fault: Fault): void {
    this.reset(this.in === ENDED ? NO_ERROR : CANCEL, fault);
  }

  /** The last frame of ours has left. */
  sentEnd(): void {
    this.out = ENDED;
    this.#settle();
    if (!this.#over && this.in !== ENDED) this.#host.answered(this);
  }

  /** Ends the stream from our side; `silent` when the peer has ended it or is gone. */
  reset(code: number, fault: Fault, silent = false): void {
    if (this.#over) return;
    // A stream the peer has never heard of is not to be spoken of (RFC 9113 5.1, idle).
    if (!silent && (this.in !== IDLE || this.out !== IDLE)) this.#host.sendReset(this, code);
    if (this.#over) return; // that was one answer too many, and the connection with it
    // A request that has come whole is given up all the same while its answer is under way.
    const answering = this.#host.role === "server" && this.out !== ENDED;
    const complete = this.in === ENDED && this.#held === null && !answering;
    this.#finish();
    if (!complete) this.sink.abort(fault);
    this.sink.closed();
  }

  /** The peer reset the stream. After its whole message, NO_ERROR only asks us to stop sending (8.1). */
  peerReset(code: number, fault: Fault): void {
    if (this.#over) return;
    if (code !== NO_ERROR || this.in !== ENDED) return this.reset(code, fault, true);
    this.out = ENDED;
    this.endQueued = false;
    this.queue.clear();
    this.#freeFeeder();
    this.#settle();
  }

  // ── Incoming ──────────────────────────────────────────────────────────────

  receiveInfo(head: AnyHead): void {
    if (!this.#over) this.sink.info(head);
  }
  receiveHead(head: AnyHead, end: boolean): void {
    this.in = end ? ENDED : OPEN;
    this.sink.head(head, end);
    if (end) this.#settle();
  }
  receiveData(bytes: Uint8Array, end: boolean): void {
    if (end) this.in = ENDED;
    if (this.#pauses === 0 && this.#held === null) return this.#deliver(bytes, end);
    (this.#held ??= new ByteQueue()).push(bytes);
    if (end) this.#heldEnd = true;
    this.#host.held(bytes.length);
  }
  receiveTrailers(fields: Fields): void {
    this.in = ENDED;
    if (this.#pauses > 0 || this.#held !== null) {
      this.#held ??= new ByteQueue();
      this.#heldTrailers = fields;
      return;
    }
    this.sink.trailers(fields);
    this.#settle();
  }

  pause(): void {
    this.#pauses++;
  }
  resume(): void {
    if (this.#pauses > 0 && --this.#pauses === 0) this.#release();
  }

  #release(): void {
    while (this.#held !== null && this.#pauses === 0 && !this.#over) {
      const held = this.#held;
      if (held.length > 0) {
        const bytes = held.take(Infinity);
        this.#host.held(-bytes.length);
        this.#deliver(bytes, this.#heldEnd && held.length === 0);
        held.used();
        continue;
      }
      this.#held = null;
      if (this.#heldTrailers !== null) {
        this.sink.trailers(this.#heldTrailers);
        this.#settle();
      } else if (this.#heldEnd && this.in === ENDED) this.#deliver(NOTHING, true);
    }
  }

  #deliver(bytes: Uint8Array, end: boolean): void {
    if (end) {
      this.#held = null;
      this.#heldEnd = false;
    }
    this.sink.data(bytes, end);
    if (this.#over) return;
    if (end) this.#settle();
    else this.#host.credit(this, bytes.length);
  }

  #settle(): void {
    if (this.#over || this.in !== ENDED || this.out !== ENDED || this.#held !== null) return;
    this.#finish();
    this.sink.closed();
  }

  #finish(): void {
    this.#over = true;
    this.queue.clear();
    if (this.#held !== null) this.#host.held(-this.#held.length);
    this.#held = null;
    this.#freeFeeder();
    this.#host.over(this);
  }

  #freeFeeder(): void {
    if (!this.feederPaused) return;
    this.feederPaused = false;
    this.feeder?.resume();
  }
}

const NOTHING = new Uint8Array(0);

/** The fault for a stream an upstream reset: REFUSED_STREAM promises that nothing was done (RFC 9113 8.7). */
export function resetFault(code: number): Fault {
  if (code === REFUSED_STREAM) return FAULTS["h2.refused_stream"];
  return code === CANCEL || code === NO_ERROR ? FAULTS["upstream.reset"] : FAULTS["h2.reset"];
}
