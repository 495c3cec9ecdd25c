/** DATA as it comes in: windows of the stream and of the connection, declared lengths (RFC 9113 6.1, 6.9). */
import * as f from "./frame.ts";
import type { FrameHost } from "./frame_host.ts";
import { type H2Stream, OPEN } from "./stream.ts";

export class DataReader {
  readonly #host: FrameHost;
  /** What the peer may still send on the connection, and what it has not been given back. */
  #window = f.DEFAULT_WINDOW;
  #owed = 0;
  /** Body in the hands of paused streams. */
  #held = 0;
  /** The DATA frame under way; null: nobody wants it. */
  #stream: H2Stream | null = null;
  #ends = false;

  constructor(host: FrameHost) {
    this.#host = host;
  }

  /** Opens the connection's window as wide as we allow. */
  begin(): void {
    this.#owed = this.#host.limits.connectionWindowBytes - f.DEFAULT_WINDOW;
    if (this.#owed > 0) this.#giveBack();
  }

  /** So much waits for slow readers that the peer may have to wait with whatever it sends. */
  get full(): boolean {
    return this.#held > this.#host.limits.heldBytes;
  }

  /** `cost` counts against the windows, `length` of it is body. */
  head(flags: number, id: number, cost: number, length: number): boolean {
    const host = this.#host;
    this.#stream = null;
    this.#ends = (flags & f.FLAG_END_STREAM) !== 0;
    if (id === 0 || host.isIdle(id)) return host.error(f.PROTOCOL_ERROR, "DATA on an idle stream");
    this.#window -= cost;
    if (this.#window < 0) return host.error(f.FLOW_CONTROL_ERROR, "connection window");
    if (length === 0 && !this.#ends && !host.glitch("empty_frame")) return false;
    const stream = host.streams.get(id);
    if (stream === undefined) return host.onClosed(id);
    if (stream.in !== OPEN) {
      // 8.1: no DATA before a response's final head; none after the end (5.1).
      return host.streamError(id, stream.in === 0 ? f.PROTOCOL_ERROR : f.STREAM_CLOSED);
    }
    stream.receiveWindow -= cost;
    stream.came += length;
    if (stream.receiveWindow < 0) return host.streamError(id, f.FLOW_CONTROL_ERROR);
    if (stream.expected >= 0) {
      stream.expected -= length;
      // 8.1.1: the declared length must be what the DATA frames come to.
      if (stream.expected < 0 || (this.#ends && stream.expected !== 0)) {
        return host.streamError(id, f.PROTOCOL_ERROR);
      }
    }
    this.#stream = stream;
    return true;
  }

  piece(bytes: Uint8Array, last: boolean): boolean {
    const stream = this.#stream;
    const end = last && this.#ends;
    if (last) this.#stream = null;
    if (stream !== null && !stream.over && (bytes.length > 0 || end)) {
      stream.receiveData(bytes, end);
    }
    this.#count(bytes.length);
    return !this.#host.failed;
  }

  padded(flags: number, id: number, payload: Uint8Array): boolean {
    const padding = payload[0] ?? -1;
    if (padding < 0 || padding >= payload.length) {
      return this.#host.error(f.PROTOCOL_ERROR, "padding");
    }
    const body = payload.slice(1, payload.length - padding);
    if (!this.head(flags, id, payload.length, body.length)) return false;
    this.#count(padding + 1);
    if (this.#stream !== null) this.credit(this.#stream, padding + 1);
    return this.piece(body, true);
  }

  /** `bytes` of a stream's body were taken: its window opens again, in steps of half of it. */
  credit(stream: H2Stream, bytes: number): void {
    if (bytes === 0 || stream.over) return;
    stream.uncredited += bytes;
    if (stream.uncredited < this.#host.limits.streamWindowBytes >> 1) return;
    stream.receiveWindow += stream.uncredited;
    this.#host.control(f.windowUpdateFrame(stream.id, stream.uncredited));
    stream.uncredited = 0;
  }

  /** Paused streams hold `bytes` more, or fewer. */
  held(bytes: number): void {
    this.#held += bytes;
    if (bytes < 0) this.#count(0);
  }

  #count(bytes: number): void {
    this.#owed += bytes;
    const { connectionWindowBytes, heldBytes } = this.#host.limits;
    if (this.#owed >= connectionWindowBytes >> 1 && this.#held <= heldBytes) this.#giveBack();
  }

  #giveBack(): void {
    if (this.#host.failed || this.#owed === 0) return;
    this.#window += this.#owed;
    const owed = this.#owed;
    this.#owed = 0;
    this.#host.control(f.windowUpdateFrame(0, owed));
  }
}
