/** The engine of an HTTP/2 connection, the same for both roles: frames, flow control, limits, ending. */
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import {
  BUSY,
  type Codec,
  HEAD,
  IDLE as IDLE_PHASE,
  type Phase,
  type Wire,
} from "../../core/stream.ts";
import * as f from "./frame.ts";
import { contentLength, trailerFields } from "./heads.ts";
import { COMPRESSION_ERROR as BAD_BLOCK, HpackDecoder, TOO_LARGE } from "./hpack/decoder.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { H2_LIMITS, type H2Limits } from "./limits.ts";
import { FrameReader, type FrameSink } from "./reader.ts";
import { Sender } from "./sender.ts";
import { ownSettings, PeerSettings, SETTINGS_ACK } from "./settings.ts";
import {
  type AnyHead,
  ENDED,
  type H2Stream,
  IDLE,
  OPEN,
  resetFault,
  type StreamHost,
} from "./stream.ts";

export interface H2Options {
  readonly limits?: Partial<H2Limits>;
  /** For the glitch bucket only. */
  readonly nowMs: () => number;
}

/** Ids we reset lately: what the peer had already sent on them is not its fault. */
const RECENT_RESETS = 256;

export abstract class H2Connection implements Codec, FrameSink, StreamHost {
  readonly protocol = "h2";
  protected readonly wire: Wire;
  protected readonly limits: H2Limits;
  protected readonly peer = new PeerSettings();
  protected readonly streams = new Map<number, H2Stream>();
  protected readonly reader: FrameReader;
  readonly #role: "server" | "client";
  readonly #nowMs: () => number;
  readonly #decoder: HpackDecoder;
  readonly #encoder: HpackEncoder;
  readonly #sender: Sender;
  readonly #recentResets = new Set<number>();
  /** Highest stream id the peer (server role) or we (client role) opened. */
  protected lastId = 0;
  protected draining = false;
  protected failed = false;
  #settled = false;
  #settingsUnacked = 1;
  #receiveWindow = f.DEFAULT_WINDOW;
  #credit = 0;
  /** Header block under way: its stream, fragments, flags. */
  #blockId = 0;
  #block: Uint8Array[] = [];
  #blockBytes = 0;
  #blockFrames = 0;
  #blockEnds = false;
  /** DATA frame under way. */
  #dataStream: H2Stream | null = null;
  #dataEnds = false;
  #glitches = 0;
  #glitchesAtMs = 0;

  constructor(wire: Wire, role: "server" | "client", options: H2Options) {
    this.wire = wire;
    this.#role = role;
    this.#nowMs = options.nowMs;
    this.limits = { ...H2_LIMITS, ...options.limits };
    this.#decoder = new HpackDecoder(this.limits.tableBytes, {
      listBytes: this.limits.headerListBytes,
      fields: this.limits.headerFields,
    });
    this.#encoder = new HpackEncoder({ tableBytes: this.limits.tableBytes });
    this.#sender = new Sender(wire, this.#encoder, this.peer, this.limits);
    this.reader = new FrameReader(this, Math.max(f.MIN_MAX_FRAME_BYTES, this.limits.frameBytes));
  }

  /** A complete header list on a stream that has none yet, or interim ones. */
  protected abstract gotHead(id: number, lines: string[], end: boolean): void;
  /** A header block was over the limits; the table is right. */
  protected abstract headTooLarge(id: number): void;
  /** Streams whose id the peer may not have used yet. */
  protected abstract isIdle(id: number): boolean;

  get phase(): Phase {
    if (this.streams.size > 0) return BUSY;
    return this.#blockId !== 0 || !this.#settled ? HEAD : IDLE_PHASE;
  }

  /** Sends what a connection begins with. */
  protected begin(): void {
    this.wire.write(ownSettings(this.limits, this.#role));
    this.#grow(this.limits.connectionWindowBytes - f.DEFAULT_WINDOW);
  }

  // ── Codec ─────────────────────────────────────────────────────────────────

  receive(bytes: Uint8Array): void {
    if (!this.failed) this.reader.push(bytes);
  }
  eof(): void {
    this.wire.end();
  }
  drained(): void {
    this.#sender.drained();
  }
  abstract drain(): void;
  close(fault: Fault | null): void {
    this.failed = true;
    this.reader.stop();
    for (const stream of [...this.streams.values()]) {
      stream.reset(f.CANCEL, fault ?? this.lost(stream), true);
    }
  }
  /** Why a stream ends when the connection does. */
  protected abstract lost(stream: H2Stream): Fault;

  // ── Frames in (FrameSink) ─────────────────────────────────────────────────

  frame(type: number, flags: number, id: number, payload: Uint8Array): boolean {
    if (!this.#settled) {
      // RFC 9113 3.4: SETTINGS is the first frame of either side.
      if (type !== f.SETTINGS || (flags & f.FLAG_ACK) !== 0) {
        return this.error(f.PROTOCOL_ERROR, "settings first");
      }
      this.#settled = true;
    }
    if (this.#blockId !== 0 && (type !== f.CONTINUATION || id !== this.#blockId)) {
      return this.error(f.PROTOCOL_ERROR, "a header block was interrupted"); // 6.10
    }
    switch (type) {
      case f.DATA:
        return this.#paddedData(flags, id, payload);
      case f.HEADERS:
        return this.#headers(flags, id, payload);
      case f.CONTINUATION:
        return this.#continuation(flags, id, payload);
      case f.PRIORITY:
        return this.#priority(id, payload);
      case f.RST_STREAM:
        return this.#rst(id, payload);
      case f.SETTINGS:
        return this.#settings(flags, id, payload);
      case f.PUSH_PROMISE: // a server never gets one (8.4) and we as a client forbid them
        return this.error(f.PROTOCOL_ERROR, "push is not allowed");
      case f.PING:
        return this.#ping(flags, id, payload);
      case f.GOAWAY:
        if (id !== 0) return this.error(f.PROTOCOL_ERROR, "GOAWAY on a stream");
        if (payload.length < 8) return this.error(f.FRAME_SIZE_ERROR, "GOAWAY too short");
        return this.goaway(f.u32(payload, 0) & 0x7fffffff, f.u32(payload, 4));
      case f.WINDOW_UPDATE:
        return this.#windowUpdate(id, payload);
      default: // 4.1: unknown types are ignored
        return this.glitch();
    }
  }

  tooLong(type: number, id: number): void {
    // 4.2: it would break the header table or a window, so the connection goes.
    this.error(f.FRAME_SIZE_ERROR, `frame of type ${type} on stream ${id} is too long`);
  }

  dataBegins(flags: number, id: number, length: number): boolean {
    if (!this.#settled) return this.error(f.PROTOCOL_ERROR, "settings first");
    if (this.#blockId !== 0) return this.error(f.PROTOCOL_ERROR, "a header block was interrupted");
    return this.#dataHead(flags, id, length, length);
  }

  dataPiece(bytes: Uint8Array, last: boolean): boolean {
    const stream = this.#dataStream;
    const end = last && this.#dataEnds;
    if (last) this.#dataStream = null;
    this.#count(bytes.length);
    if (stream === null || stream.over) return !this.failed;
    if (bytes.length > 0 || end) stream.receiveData(bytes, end);
    return !this.failed;
  }

  #paddedData(flags: number, id: number, payload: Uint8Array): boolean {
    const padding = payload[0] ?? -1;
    if (padding < 0 || padding >= payload.length) return this.error(f.PROTOCOL_ERROR, "padding");
    const body = payload.slice(1, payload.length - padding);
    if (!this.#dataHead(flags, id, payload.length, body.length)) return false;
    const stream = this.#dataStream;
    this.#count(padding + 1);
    if (stream !== null) this.credit(stream, padding + 1);
    return this.dataPiece(body, true);
  }

  /** `cost` counts against the windows, `length` is body. */
  #dataHead(flags: number, id: number, cost: number, length: number): boolean {
    this.#dataStream = null;
    this.#dataEnds = (flags & f.FLAG_END_STREAM) !== 0;
    if (id === 0 || this.isIdle(id)) return this.error(f.PROTOCOL_ERROR, "DATA on an idle stream");
    this.#receiveWindow -= cost;
    if (this.#receiveWindow < 0) return this.error(f.FLOW_CONTROL_ERROR, "connection window");
    if (length === 0 && !this.#dataEnds && !this.glitch()) return false;
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#onClosed(id);
    if (stream.in !== OPEN) return this.#streamError(stream, f.STREAM_CLOSED);
    stream.receiveWindow -= cost;
    if (stream.receiveWindow < 0) return this.#streamError(stream, f.FLOW_CONTROL_ERROR);
    if (stream.expected >= 0) {
      stream.expected -= length;
      // 8.1.1: the declared length must be what the DATA frames come to.
      if (stream.expected < 0 || (this.#dataEnds && stream.expected !== 0)) {
        return this.#streamError(stream, f.PROTOCOL_ERROR);
      }
    }
    this.#dataStream = stream;
    return true;
  }

  #headers(flags: number, id: number, payload: Uint8Array): boolean {
    if (id === 0 || (id & 1) === 0) {
      return this.error(f.PROTOCOL_ERROR, "HEADERS on a wrong stream id");
    }
    let from = 0, to = payload.length;
    if (flags & f.FLAG_PADDED) {
      to -= payload[0] ?? 0;
      from = 1;
    }
    let selfDependent = false;
    if (flags & f.FLAG_PRIORITY) {
      if (to - from < 5) return this.error(f.FRAME_SIZE_ERROR, "HEADERS too short");
      selfDependent = (f.u32(payload, from) & 0x7fffffff) === id;
      from += 5;
    }
    if (from > to) return this.error(f.PROTOCOL_ERROR, "padding");
    this.#blockId = id;
    this.#blockEnds = (flags & f.FLAG_END_STREAM) !== 0;
    this.#blockBytes = to - from;
    this.#blockFrames = 0;
    if (flags & f.FLAG_END_HEADERS) {
      return this.#blockDone(payload.subarray(from, to), selfDependent);
    }
    if (this.#blockBytes > this.limits.headerBlockBytes) {
      return this.error(f.ENHANCE_YOUR_CALM, "header block");
    }
    this.#block = [payload.slice(from, to)];
    return true;
  }

  #continuation(flags: number, id: number, payload: Uint8Array): boolean {
    if (this.#blockId === 0 || id !== this.#blockId) {
      return this.error(f.PROTOCOL_ERROR, "CONTINUATION of nothing");
    }
    this.#blockBytes += payload.length;
    this.#blockFrames++;
    const { headerBlockBytes, continuationFrames } = this.limits;
    if (this.#blockBytes > headerBlockBytes || this.#blockFrames > continuationFrames) {
      return this.error(f.ENHANCE_YOUR_CALM, "header block");
    }
    if (payload.length === 0 && (flags & f.FLAG_END_HEADERS) === 0 && !this.glitch()) return false;
    this.#block.push(payload.slice());
    if ((flags & f.FLAG_END_HEADERS) === 0) return true;
    const whole = new Uint8Array(this.#blockBytes);
    let at = 0;
    for (const part of this.#block) {
      whole.set(part, at);
      at += part.length;
    }
    this.#block = [];
    return this.#blockDone(whole, false);
  }

  #blockDone(block: Uint8Array, selfDependent: boolean): boolean {
    const id = this.#blockId, end = this.#blockEnds;
    this.#blockId = 0;
    const lines: string[] = [];
    // Decoded whatever becomes of the stream: the table is the connection's.
    const result = this.#decoder.decode(block, lines);
    if (result === BAD_BLOCK) return this.error(f.COMPRESSION_ERROR, "header block");
    const stream = this.streams.get(id);
    if (stream === undefined && !this.isIdle(id)) return this.#onClosed(id);
    if (selfDependent) return this.streamErrorById(id, f.PROTOCOL_ERROR); // RFC 7540 5.3.1
    if (result === TOO_LARGE) {
      this.headTooLarge(id);
      return !this.failed;
    }
    if (stream === undefined || stream.in === IDLE) {
      this.gotHead(id, lines, end);
      return !this.failed;
    }
    if (stream.in === ENDED) return this.#streamError(stream, f.STREAM_CLOSED);
    const trailers = end ? trailerFields(lines) : null;
    if (trailers === null || stream.expected > 0) {
      return this.#streamError(stream, f.PROTOCOL_ERROR);
    }
    stream.receiveTrailers(trailers);
    return !this.failed;
  }

  #priority(id: number, payload: Uint8Array): boolean {
    if (id === 0) return this.error(f.PROTOCOL_ERROR, "PRIORITY on stream 0");
    if (payload.length !== 5) return this.streamErrorById(id, f.FRAME_SIZE_ERROR);
    if ((f.u32(payload, 0) & 0x7fffffff) === id) return this.streamErrorById(id, f.PROTOCOL_ERROR);
    return this.glitch(); // RFC 9113 5.3.2: deprecated, and good for nothing but floods
  }

  #rst(id: number, payload: Uint8Array): boolean {
    if (payload.length !== 4) return this.error(f.FRAME_SIZE_ERROR, "RST_STREAM");
    if (id === 0 || this.isIdle(id)) {
      return this.error(f.PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    }
    const stream = this.streams.get(id);
    if (stream === undefined) return this.glitch();
    const code = f.u32(payload, 0);
    // CVE-2023-44487: opening and resetting costs the peer nothing and us a request each.
    if (this.#role === "server" && !this.glitch()) return false;
    stream.reset(
      code,
      this.#role === "server"
        ? FAULTS["downstream.gone"]
        : resetFault(code, code === f.REFUSED_STREAM),
      true,
    );
    return !this.failed;
  }

  #settings(flags: number, id: number, payload: Uint8Array): boolean {
    if (id !== 0) return this.error(f.PROTOCOL_ERROR, "SETTINGS on a stream");
    if (flags & f.FLAG_ACK) {
      if (payload.length !== 0) return this.error(f.FRAME_SIZE_ERROR, "SETTINGS ack");
      if (this.#settingsUnacked === 0) return this.glitch();
      this.#settingsUnacked--;
      return true;
    }
    const before = this.peer.initialWindow;
    const error = this.peer.read(payload, this.#role === "client");
    if (error !== f.NO_ERROR) return this.error(error, "SETTINGS");
    this.#encoder.resize(this.peer.headerTableBytes);
    const delta = this.peer.initialWindow - before;
    for (const stream of this.streams.values()) {
      stream.sendWindow += delta;
      if (stream.sendWindow > f.MAX_WINDOW) return this.error(f.FLOW_CONTROL_ERROR, "SETTINGS");
    }
    this.wire.write(SETTINGS_ACK);
    if (!this.glitch()) return false;
    this.#sender.pumpAll(this.streams.values());
    this.peerSettings();
    return !this.failed;
  }
  /** The peer's settings changed. */
  protected peerSettings(): void {}

  #ping(flags: number, id: number, payload: Uint8Array): boolean {
    if (id !== 0) return this.error(f.PROTOCOL_ERROR, "PING on a stream");
    if (payload.length !== 8) return this.error(f.FRAME_SIZE_ERROR, "PING");
    if (flags & f.FLAG_ACK) {
      this.pingAcked();
      return !this.failed;
    }
    const ack = f.frame(8, f.PING, f.FLAG_ACK, 0);
    ack.set(payload, f.FRAME_HEADER_BYTES);
    this.wire.write(ack);
    return this.glitch();
  }
  protected pingAcked(): void {}

  protected abstract goaway(lastId: number, code: number): boolean;

  #windowUpdate(id: number, payload: Uint8Array): boolean {
    if (payload.length !== 4) return this.error(f.FRAME_SIZE_ERROR, "WINDOW_UPDATE");
    const increment = f.u32(payload, 0) & 0x7fffffff;
    if (id === 0) {
      if (increment === 0) return this.error(f.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      if (!this.#sender.widen(increment)) {
        return this.error(f.FLOW_CONTROL_ERROR, "connection window");
      }
      return !this.failed;
    }
    if (this.isIdle(id)) return this.error(f.PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    const stream = this.streams.get(id);
    if (stream === undefined) return true; // 5.1: may arrive after the stream has closed
    if (increment === 0) return this.#streamError(stream, f.PROTOCOL_ERROR);
    if (stream.sendWindow + increment > f.MAX_WINDOW) {
      return this.#streamError(stream, f.FLOW_CONTROL_ERROR);
    }
    stream.sendWindow += increment;
    this.#sender.pump(stream);
    return !this.failed;
  }

  // ── What streams ask for (StreamHost) ─────────────────────────────────────

  abstract sendHead(stream: H2Stream, head: AnyHead, end: boolean): void;
  protected get sender(): Sender {
    return this.#sender;
  }
  sendTrailers(stream: H2Stream, fields: Fields): void {
    this.#sender.trailers(stream, fields);
    stream.sentEnd();
  }
  sendData(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    this.#sender.data(stream, bytes, end);
  }
  sendReset(stream: H2Stream, code: number): void {
    this.reset(stream.id, code);
  }
  credit(stream: H2Stream, bytes: number): void {
    if (bytes === 0 || stream.over) return;
    stream.receiveWindow += bytes;
    stream.uncredited += bytes;
    if (stream.uncredited < this.limits.streamWindowBytes >> 1) return;
    this.wire.write(windowUpdate(stream.id, stream.uncredited));
    stream.uncredited = 0;
  }
  abstract answered(stream: H2Stream): void;
  over(stream: H2Stream): void {
    this.streams.delete(stream.id);
    if (this.draining && this.streams.size === 0 && !this.failed) this.drainedDry();
  }
  /** Draining, and the last stream is over. */
  protected abstract drainedDry(): void;

  // ── Errors ────────────────────────────────────────────────────────────────

  /** A connection error (RFC 9113 5.4.1): GOAWAY, then the end. Always false: stop reading. */
  protected error(code: number, about: string): false {
    if (this.failed) return false;
    this.failed = true;
    this.reader.stop();
    this.wire.write(goawayFrame(this.#role === "server" ? this.lastId : 0, code, about));
    const fault: Fault = {
      ...FAULTS["h2.connection_error"],
      detail: `HTTP/2 connection error ${code}: ${about}`,
    };
    for (const stream of [...this.streams.values()]) stream.reset(code, fault, true);
    this.wire.end();
    return false;
  }

  #streamError(stream: H2Stream, code: number): boolean {
    stream.reset(code, FAULTS["h2.stream_error"]);
    return this.glitch();
  }

  protected streamErrorById(id: number, code: number): boolean {
    const stream = this.streams.get(id);
    if (stream !== undefined) return this.#streamError(stream, code);
    if (this.isIdle(id)) this.lastId = Math.max(this.lastId, id);
    this.reset(id, code);
    return this.glitch();
  }

  protected reset(id: number, code: number): void {
    const bytes = f.frame(4, f.RST_STREAM, 0, id);
    f.putU32(bytes, f.FRAME_HEADER_BYTES, code);
    this.wire.write(bytes);
    this.#recentResets.add(id);
    if (this.#recentResets.size > RECENT_RESETS) {
      for (const oldest of this.#recentResets) {
        this.#recentResets.delete(oldest);
        break;
      }
    }
  }

  /** A frame on a stream that is over: ours to forgive if we reset it, an error otherwise (5.1). */
  #onClosed(id: number): boolean {
    if (this.#recentResets.has(id)) return true;
    return this.error(f.STREAM_CLOSED, `frame on closed stream ${id}`);
  }

  /** Counts something that is harmless once; false when it was once too often (see limits.ts). */
  protected glitch(): boolean {
    const now = this.#nowMs();
    const leaked = ((now - this.#glitchesAtMs) / 1000) * this.limits.glitchesPerSecond;
    this.#glitches = Math.max(0, this.#glitches - leaked) + 1;
    this.#glitchesAtMs = now;
    if (this.#glitches <= this.limits.glitches) return !this.failed;
    return this.error(f.ENHANCE_YOUR_CALM, "too many glitches");
  }

  // ── The connection's own window ───────────────────────────────────────────

  /** Given back at once: what streams hold is bounded by their own windows. */
  #count(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit >= this.limits.connectionWindowBytes >> 1) {
      this.#grow(this.#credit);
      this.#credit = 0;
    }
  }

  #grow(bytes: number): void {
    if (bytes <= 0) return;
    this.#receiveWindow += bytes;
    this.wire.write(windowUpdate(0, bytes));
  }
}

/** Reads a head's declared length into the stream; false when it is malformed. */
export function expectBody(stream: H2Stream, fields: Fields, end: boolean): boolean {
  const length = contentLength(fields);
  if (length === -2 || (end && length > 0 && !stream.bodiless)) return false;
  stream.expected = stream.bodiless ? -1 : length;
  return true;
}

export function goawayFrame(lastId: number, code: number, about: string): Uint8Array {
  const bytes = f.frame(8 + about.length, f.GOAWAY, 0, 0);
  f.putU32(bytes, f.FRAME_HEADER_BYTES, lastId);
  f.putU32(bytes, f.FRAME_HEADER_BYTES + 4, code);
  for (let i = 0; i < about.length; i++) bytes[f.FRAME_HEADER_BYTES + 8 + i] = about.charCodeAt(i);
  return bytes;
}

function windowUpdate(id: number, increment: number): Uint8Array {
  const bytes = f.frame(4, f.WINDOW_UPDATE, 0, id);
  f.putU32(bytes, f.FRAME_HEADER_BYTES, increment);
  return bytes;
}
