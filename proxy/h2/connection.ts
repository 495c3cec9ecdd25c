/**
 * An HTTP/2 connection (RFC 9113), the same for both roles: which frame goes to which reader, errors,
 * limits, ending. server.ts and client.ts add what differs.
 *
 *   socket ─▶ FrameReader ─▶ HeadReader · DataReader · ControlReader ─▶ H2Stream ─▶ exchange
 *   socket ◀──────────────────────── Sender ◀────────────────────────── H2Stream ◀─ exchange
 */
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
import { ControlReader } from "./control_reader.ts";
import { DataReader } from "./data_reader.ts";
import * as f from "./frame.ts";
import type { FrameHost } from "./frame_host.ts";
import { type Glitch, Glitches } from "./glitches.ts";
import { HeadReader } from "./head_reader.ts";
import { H2_LIMITS, type H2Limits } from "./limits.ts";
import { Liveness } from "./liveness.ts";
import { FrameReader, type FrameSink } from "./reader.ts";
import { Sender } from "./sender.ts";
import { ownSettings, PeerSettings } from "./settings.ts";
import type { AnyHead, H2Stream, StreamHost } from "./stream.ts";
import { StreamTable } from "./stream_table.ts";
import { StreamWatch } from "./stream_watch.ts";

export interface H2Options {
  readonly limits?: Partial<H2Limits>;
  /** For the bucket of glitches only. */
  readonly nowMs: () => number;
  readonly events?: H2Events;
}

/** Who is told what a peer does wrong. */
export interface H2Events {
  glitch(what: Glitch): void;
  /** We end the connection for an error (RFC 9113 5.4.1): its code, why, and all glitches it ever had. */
  failed(code: number, about: string, glitches: ReadonlyMap<Glitch, number>): void;
}

const NOBODY: H2Events = { glitch() {}, failed() {} };

/** What a DATA frame explains of the peer's control frames; see limits.ts. */
const FRAMES_PER_DATA = 10;

export abstract class H2Connection implements Codec, FrameSink, StreamHost, FrameHost {
  readonly protocol = "h2";
  readonly role: "server" | "client";
  readonly limits: H2Limits;
  readonly peer = new PeerSettings();
  readonly streams = new StreamTable();
  readonly sender: Sender;
  readonly glitches: Glitches;
  failed = false;
  protected readonly wire: Wire;
  /** Highest stream id opened. */
  protected lastId = 0;
  protected draining = false;
  readonly #reader: FrameReader;
  readonly #heads: HeadReader;
  readonly #body: DataReader;
  readonly #controls: ControlReader;
  readonly #liveness = new Liveness();
  readonly #events: H2Events;
  readonly #resets = new Set<number>();
  #settled = false;
  #controlQueued = 0;
  /** Since when our SETTINGS, or the rest of a header block, have been waited for; 0: not seen waiting. */
  #settingsSinceMs = 0;
  #blockSinceMs = 0;
  #blockSeen = 0;

  constructor(wire: Wire, role: "server" | "client", options: H2Options) {
    this.wire = wire;
    this.role = role;
    this.limits = { ...H2_LIMITS, ...options.limits };
    this.#events = options.events ?? NOBODY;
    this.glitches = new Glitches(this.limits, options.nowMs, (what) => this.#events.glitch(what));
    this.sender = new Sender(
      wire,
      this.limits,
      () => this.glitches.earn(FRAMES_PER_DATA),
    );
    this.#reader = new FrameReader(this, Math.max(f.MIN_MAX_FRAME_BYTES, this.limits.frameBytes));
    this.#heads = new HeadReader(this);
    this.#body = new DataReader(this);
    this.#controls = new ControlReader(this);
  }

  abstract isIdle(id: number): boolean;
  abstract gotHead(id: number, lines: string[], end: boolean): void;
  abstract headTooLarge(id: number, end: boolean): void;
  abstract goaway(lastId: number, code: number): boolean;
  abstract sendHead(stream: H2Stream, head: AnyHead, end: boolean): void;
  abstract answered(stream: H2Stream): void;
  abstract drain(): void;
  pingAcked(): void {}
  peerSettings(): void {}
  /** The body of a stream comes too slowly. */
  protected abstract late(stream: H2Stream): void;
  /** Why a stream ends when the connection does. */
  protected abstract lost(stream: H2Stream): Fault;
  /** Whom a broken rule is held against. */
  protected abstract broken(what: "stream" | "connection"): Fault;
  /** Draining, and the last stream is over. */
  protected abstract drainedDry(): void;

  // ── Codec ─────────────────────────────────────────────────────────────────

  /** One that has ended, or waits for a peer that was told to go, counts as slow: it may not take for ever. */
  get phase(): Phase {
    if (this.failed) return HEAD;
    if (this.streams.size > 0) return BUSY;
    return this.#heads.open !== 0 || !this.#settled || this.draining ? HEAD : IDLE_PHASE;
  }
  receive(bytes: Uint8Array): void {
    this.#liveness.heard = true;
    if (!this.failed) this.#reader.push(bytes);
  }
  eof(): void {
    this.wire.end();
  }
  drained(): void {
    this.#controlQueued = 0;
    this.sender.drained();
  }
  close(fault: Fault | null): void {
    this.failed = true;
    this.#reader.stop();
    for (const stream of this.streams.all()) {
      stream.reset(f.CANCEL, fault ?? this.lost(stream), true);
    }
  }
  sweep(nowMs: number): void {
    if (this.failed || !this.#answersInTime(nowMs) || !this.#isThere(nowMs)) return;
    const wanted = this.role === "server" && !this.#body.full;
    for (const stream of this.streams.all()) {
      const watch = stream.watch ??= new StreamWatch(stream, nowMs);
      const patience = watch.look(stream, this.limits, nowMs, wanted);
      if (patience === "stalled") stream.reset(f.CANCEL, this.broken("stream"));
      else if (patience === "late") this.late(stream);
      if (patience !== "stay" && !this.glitch("stalled")) return;
    }
  }

  /** Servers ask: what a client waits for may come late, and gRPC servers take pings of clients amiss. */
  #isThere(nowMs: number): boolean {
    if (this.role === "client" || this.draining) return true;
    const answer = this.#liveness.look(this.limits, nowMs, this.streams.size > 0);
    if (answer === "ping") this.ping();
    return answer !== "gone" || this.error(f.ENHANCE_YOUR_CALM, "the client answers no ping");
  }

  #answersInTime(nowMs: number): boolean {
    const { settingsTimeoutMs, headTimeoutMs } = this.limits;
    if (this.#controls.settingsUnacked === 0) this.#settingsSinceMs = 0;
    else if (this.#settingsSinceMs === 0) this.#settingsSinceMs = nowMs;
    else if (nowMs - this.#settingsSinceMs > settingsTimeoutMs) {
      return this.error(f.SETTINGS_TIMEOUT, "SETTINGS are not acknowledged"); // RFC 9113 6.5.3
    }
    const { open, begun } = this.#heads;
    if (open === 0 || begun !== this.#blockSeen) {
      this.#blockSeen = begun;
      this.#blockSinceMs = nowMs;
    } else if (nowMs - this.#blockSinceMs > headTimeoutMs) {
      return this.error(f.ENHANCE_YOUR_CALM, "a header block takes too long");
    }
    return true;
  }

  /** Sends what a connection begins with. */
  protected begin(): void {
    this.wire.write(ownSettings(this.limits, this.role));
    this.#body.begin();
  }

  // ── Frames in (FrameSink) ─────────────────────────────────────────────────

  frame(type: number, flags: number, id: number, payload: Uint8Array): boolean {
    if (!this.#inOrder(type, flags, id)) return false;
    switch (type) {
      case f.DATA:
        return this.#body.padded(flags, id, payload);
      case f.HEADERS:
        return this.#heads.headers(flags, id, payload);
      case f.CONTINUATION:
        return this.#heads.continuation(flags, id, payload);
      case f.PRIORITY:
        return this.#controls.priority(id, payload);
      case f.RST_STREAM:
        return this.#controls.reset(id, payload);
      case f.SETTINGS:
        return this.#controls.settings(flags, id, payload);
      case f.PUSH_PROMISE: // a server never gets one (8.4) and we as a client forbid them
        return this.error(f.PROTOCOL_ERROR, "push is not allowed");
      case f.PING:
        return this.#controls.ping(flags, id, payload);
      case f.GOAWAY:
        return this.#controls.goaway(id, payload);
      case f.WINDOW_UPDATE:
        return this.#controls.windowUpdate(id, payload);
      default: // 4.1: unknown types are ignored
        return this.spend("unknown_frame");
    }
  }
  tooLong(type: number, id: number): void {
    // 4.2: it would break the header table or a window, so the connection goes.
    this.error(f.FRAME_SIZE_ERROR, `frame of type ${type} on stream ${id} is too long`);
  }
  dataBegins(flags: number, id: number, length: number): boolean {
    return this.#inOrder(f.DATA, flags, id) && this.#body.head(flags, id, length, length);
  }
  dataPiece(bytes: Uint8Array, last: boolean): boolean {
    return this.#body.piece(bytes, last);
  }

  /** RFC 9113 3.4: SETTINGS comes first. 6.10: nothing comes between the frames of a header block. */
  #inOrder(type: number, flags: number, id: number): boolean {
    if (!this.#settled) {
      if (type !== f.SETTINGS || (flags & f.FLAG_ACK) !== 0) {
        return this.error(f.PROTOCOL_ERROR, "settings first");
      }
      this.#settled = true;
    }
    const { open } = this.#heads;
    if (open === 0 || (type === f.CONTINUATION && id === open)) return true;
    return this.error(f.PROTOCOL_ERROR, "a header block was interrupted");
  }

  // ── What streams ask for (StreamHost) ─────────────────────────────────────

  sendTrailers(stream: H2Stream, fields: Fields): void {
    this.sender.trailers(stream, fields);
    stream.sentEnd();
  }
  sendData(stream: H2Stream, bytes: Uint8Array, end: boolean): void {
    this.sender.data(stream, bytes, end);
  }
  sendReset(stream: H2Stream, code: number): void {
    this.reset(stream.id, code);
  }
  credit(stream: H2Stream, bytes: number): void {
    this.#body.credit(stream, bytes);
  }
  held(bytes: number): void {
    this.#body.held(bytes);
  }
  over(stream: H2Stream): void {
    this.streams.delete(stream.id);
    if (this.draining && this.streams.size === 0 && !this.failed) this.drainedDry();
  }
  protected opened(stream: H2Stream): void {
    this.streams.add(stream);
    this.glitches.opened();
  }

  // ── Errors and limits (FrameHost) ─────────────────────────────────────────

  error(code: number, about: string): false {
    if (this.failed) return false;
    this.failed = true;
    this.#reader.stop();
    this.wire.write(f.goawayFrame(this.role === "server" ? this.lastId : 0, code, about));
    this.#events.failed(code, about, this.glitches.counts);
    const fault = {
      ...this.broken("connection"),
      detail: `HTTP/2 connection error ${code}: ${about}`,
    };
    for (const stream of this.streams.all()) stream.reset(code, fault, true);
    this.wire.end();
    return false;
  }
  streamError(id: number, code: number): boolean {
    const stream = this.streams.get(id);
    if (stream !== undefined) stream.reset(code, this.broken("stream"));
    else {
      if (this.isIdle(id)) this.lastId = Math.max(this.lastId, id);
      this.reset(id, code);
    }
    // CVE-2025-8671: a peer that makes us reset is counted as one that resets.
    return this.glitch("stream_error");
  }
  /** A frame on a stream that is over: ours to forgive if we reset it, an error otherwise (5.1). */
  onClosed(id: number): boolean {
    if (this.#resets.has(id)) return true;
    return this.error(f.STREAM_CLOSED, `frame on closed stream ${id}`);
  }
  glitch(what: Glitch): boolean {
    return this.glitches.add(what) ? !this.failed : this.#tooMany(what);
  }
  spend(what: Glitch): boolean {
    return this.glitches.spend(what) ? !this.failed : this.#tooMany(what);
  }
  control(bytes: Uint8Array): boolean {
    if (this.wire.write(bytes)) return true;
    this.#controlQueued += bytes.length;
    if (this.#controlQueued <= this.limits.queuedControlBytes) return true;
    return this.error(f.ENHANCE_YOUR_CALM, "answers are not read");
  }

  protected get pingsUnacked(): number {
    return this.#controls.pingsUnacked;
  }
  protected ping(): void {
    this.#controls.pingsUnacked++;
    this.wire.write(f.frame(8, f.PING, 0, 0));
  }
  protected reset(id: number, code: number): void {
    this.#resets.add(id);
    if (this.#resets.size > this.limits.rememberedResets) {
      this.#resets.delete(this.#resets.values().next().value!);
    }
    this.control(f.resetFrame(id, code));
  }

  #tooMany(last: Glitch): false {
    return this.error(f.ENHANCE_YOUR_CALM, `too many glitches, the last one ${last}`);
  }
}

/** The faults of a peer that is our client, and of one that is our upstream. */
export const BROKEN_BY: Readonly<
  Record<"client" | "upstream", Record<"stream" | "connection", Fault>>
> = {
  client: {
    stream: FAULTS["h2.client_stream_error"],
    connection: FAULTS["h2.client_connection_error"],
  },
  upstream: { stream: FAULTS["h2.stream_error"], connection: FAULTS["h2.connection_error"] },
};
