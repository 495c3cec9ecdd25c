/**
 * Bare bytes as a codec: a connection that is one tunnel and nothing else, so codec and stream are one
 * object. What protocols TCP and TLS are carried by at either end of the mesh.
 *
 *   WAITING ──the far end stands──▶ OPEN ──both directions ended──▶ OVER
 *      └──refused, given up, socket gone──┴──reset from either side──▶ OVER
 *
 * Each direction ends by itself (a TCP half-close), and a cut one ends in a TCP reset: a client must not
 * take a broken transfer for a whole one.
 */
import type { Fault } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import { BUSY, type Codec, type Phase, type Stream, type StreamSink } from "../../core/stream.ts";
import { FedStream } from "../fed_stream.ts";
import { type ResettableWire, Tunnel } from "../tunnel.ts";

const WAITING = 0, OPEN = 1, OVER = 2;
const EMPTY = new Uint8Array(0);

export abstract class Pipe<In, Out> extends FedStream implements Codec, Stream<Out> {
  readonly protocol = "tcp";
  protected readonly wire: ResettableWire;
  protected sink!: StreamSink<In>; // set before the state leaves WAITING
  readonly #tunnel: Tunnel;
  #state: typeof WAITING | typeof OPEN | typeof OVER = WAITING;
  /** Came while nobody took it: what was sniffed at, and what the socket had read when it was paused. */
  #early: Uint8Array[] = [];
  #pauses = 0;
  #wirePaused = false;
  #running = false;
  #eof = false;
  #gone = false;

  constructor(wire: ResettableWire) {
    super(1);
    this.wire = wire;
    this.#tunnel = new Tunnel(wire);
  }

  /** What it means that the socket went before both directions had ended. */
  protected abstract lost(): Fault;
  abstract connected(): void;
  abstract head(head: Out, end: boolean): void;

  get phase(): Phase {
    return BUSY;
  }
  protected get waiting(): boolean {
    return this.#state === WAITING;
  }
  protected get over(): boolean {
    return this.#state === OVER;
  }
  /** Whether the socket is read though nobody takes its bytes yet. */
  protected get sniffing(): boolean {
    return false;
  }

  // ── The socket's side ─────────────────────────────────────────────────────

  receive(bytes: Uint8Array): void {
    if (this.#state === OVER || bytes.length === 0) return;
    this.#early.push(bytes);
    this.#run();
    const last = this.#early.length - 1;
    if (last >= 0) this.#early[last] = this.#early[last]!.slice(); // gone when its read is over
  }
  eof(): void {
    this.#eof = true;
    this.#run();
  }
  drained(): void {
    this.release();
  }
  /** A tunnel has no way to say that it ends soon: it goes on until it ends or is cut. */
  drain(): void {}
  close(fault: Fault | null): void {
    if (this.#state === OVER) return;
    this.#gone = true;
    // The peer has said all it had to say and left: that is no loss, until somebody talks to it again.
    if (fault !== null || this.#state === WAITING || !this.#eof) {
      return this.fail(fault ?? this.lost());
    }
    this.release();
  }

  // ── The stream's side ─────────────────────────────────────────────────────

  info(): void {}
  data(bytes: Uint8Array, end: boolean): void {
    if (this.#state !== OPEN) return;
    if (this.#gone && bytes.length > 0) return this.fail(this.lost());
    if (!this.#tunnel.send(bytes, end)) this.hold();
    this.#settle();
  }
  trailers(_fields: Fields): void {
    this.data(EMPTY, true);
  }
  abort(fault: Fault): void {
    this.cancel(fault);
  }
  cancel(_fault: Fault): void {
    if (this.#state === OVER) return;
    this.finish();
    this.sink.closed();
    this.wire.reset();
  }
  pause(): void {
    this.#pauses++;
    this.press();
  }
  resume(): void {
    if (this.#pauses > 0 && --this.#pauses === 0) this.#run();
  }

  // ── Both ──────────────────────────────────────────────────────────────────

  /** The far end stands: from here on bytes pass. */
  protected begin(): void {
    this.#state = OPEN;
    this.#run();
  }

  protected fail(fault: Fault): void {
    if (this.#state === OVER) return;
    this.finish();
    this.sink.abort(fault);
    this.sink.closed();
    this.wire.reset();
  }

  /** Holds the socket back while nobody takes its bytes. */
  protected press(): void {
    const waits = this.#state === WAITING && !this.sniffing;
    const hold = this.#state !== OVER && (waits || this.#pauses > 0);
    if (hold === this.#wirePaused) return;
    this.#wirePaused = hold;
    if (hold) this.wire.pause();
    else this.wire.resume();
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    while (this.#state === OPEN && this.#pauses === 0 && this.#early.length > 0) {
      this.sink.data(this.#early.shift()!, false);
    }
    this.#running = false;
    this.press();
    const ends = this.#eof && this.#state === OPEN && this.#pauses === 0;
    if (!ends || this.#early.length > 0 || this.#tunnel.received) return;
    this.#tunnel.received = true;
    this.sink.data(EMPTY, true);
    this.#settle();
  }

  #settle(): void {
    if (this.#state !== OPEN || !this.#tunnel.over) return;
    this.finish(); // the wire closes by itself, once what is queued has left
    this.sink.closed();
  }

  /** Nothing passes any more; the wire is the caller's to end. */
  protected finish(): void {
    this.#state = OVER;
    this.#early = [];
    this.press();
    this.detach();
  }
}
