/** The arrows of the data path: every part pushes into a Sink and is held back through a Source. */
import type { Fault } from "./fault.ts";
import type { Fields } from "./fields.ts";

/** Where a message is pushed: heads of interim responses, one head, data, maybe trailers. `end` is true at most once. */
export interface Sink<H> {
  /** An interim response (1xx other than 101), any number before head(). Requests have none. */
  info(head: H): void;
  head(head: H, end: boolean): void;
  /** The bytes are there for the call only: they lie where the next read lands. Who keeps any copies them. */
  data(bytes: Uint8Array, end: boolean): void;
  /** Ends the message, with trailer fields. */
  trailers(fields: Fields): void;
  /** The message will never finish. Terminal; nothing follows but closed(). */
  abort(fault: Fault): void;
}

/** Where a message comes from. pause() nests: two pauses need two resumes. */
export interface Source {
  pause(): void;
  resume(): void;
  /** Gives the message up: the codec stops it on the wire as cheaply as the protocol allows. */
  cancel(fault: Fault): void;
}

/** A codec's handle on one stream: push the outgoing message in, hold the incoming one back. */
export interface Stream<Out> extends Sink<Out>, Source {
  readonly id: number;
  /** Paused while this stream's unsent bytes are above its high-water mark. Set by the owner of the sink. */
  feeder: Source | null;
}

/** What a codec reports about one stream. */
export interface StreamSink<In> extends Sink<In> {
  /** Both halves are over and the stream left the codec. Exactly once, last. */
  closed(): void;
}

/** What a codec may ask of its connection. All writes of a tick leave in one system call. */
export interface Wire {
  /** Queues bytes, which may change afterwards. False: above the high-water mark, wait for drained(). */
  write(bytes: Uint8Array): boolean;
  /** The same for what lies in `[from, to)` of the slab that is in use (proxy/slab.ts), without a copy. */
  wrote(from: number, to: number): boolean;
  /** Queues a latin-1 string; cheaper than encoding it first. */
  text(latin1: string): boolean;
  /** Stops and restarts reading from the socket. Not nested. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** Nothing under way · reading a head · an exchange under way: what connection timeouts look at. */
export const IDLE = 0 as const, HEAD = 1 as const, BUSY = 2 as const;
export type Phase = typeof IDLE | typeof HEAD | typeof BUSY;

/** A connection's protocol engine. Does no I/O, reads no clock, never throws. */
export interface Codec {
  readonly protocol: "h1" | "h2" | "tcp";
  readonly phase: Phase;
  /** A server codec's: bytes of a request body are wanted, and we do not hold them back. */
  readonly awaitsBody?: boolean;
  /** The connection stands and the codec is in place: for protocols in which nobody need say a word first. */
  connected?(): void;
  /** A server codec's: why it ended before there was an exchange, for the log; null: it did not. */
  readonly refusal?: Fault | null;
  /** Feeds bytes, which do not outlive the call, as they came off the socket; any split gives the same events. */
  receive(bytes: Uint8Array): void;
  /**
   * A server codec's: the client takes too long over its request. Answers with the fault and ends, if an
   * answer can still be read as one; false: nothing can be said, close the connection.
   */
  expire?(fault: Fault): boolean;
  /** Called each second with the monotonic time: ends streams whose peer lets them wait too long. */
  sweep?(nowMs: number): void;
  /** The peer will send no more; it may still read. */
  eof(): void;
  /** What was queued has been sent: feeders may go on. */
  drained(): void;
  /** No new exchange: finish what is under way, then end the wire. */
  drain(): void;
  /** The socket is gone: every open stream is aborted (with `fault`, or the codec's own reason) and closed. */
  close(fault: Fault | null): void;
}

/** What a server codec calls when a peer opens a stream. */
export type Accept<In, Out> = (stream: Stream<Out>) => StreamSink<In>;

/** What a client codec offers. */
export interface ClientCodec<Out, In> extends Codec {
  /** Streams it can still open now; 0 when busy, draining or closed. */
  readonly slots: number;
  open(into: StreamSink<In>): Stream<Out>;
}
