/** For tests: an H2Server on a fake wire, and a client that sends whatever frames it is told to. */
import assert from "node:assert/strict";
import type { Fault } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink, Wire } from "../../core/stream.ts";
import * as f from "./frame.ts";
import type { Glitch } from "./glitches.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { H2_LIMITS, type H2Limits } from "./limits.ts";
import { slab } from "../slab.ts";
import { H2Server } from "./server.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

/** Collects what is written; `accepts: false` is a peer that does not read. */
export class FakeWire implements Wire {
  accepts = true;
  ended = false;
  #bytes: Uint8Array[] = [];

  write(bytes: Uint8Array): boolean {
    this.#bytes.push(bytes.slice());
    return this.accepts;
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(): boolean {
    throw new Error("HTTP/2 writes no text");
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.ended = true;
  }

  /** The frames written since the last call, after so many bytes that are none. */
  take(skip = 0): Frame[] {
    const bytes = new Uint8Array(this.#bytes.reduce((sum, part) => sum + part.length, 0));
    let end = 0;
    for (const part of this.#bytes.splice(0)) {
      bytes.set(part, end);
      end += part.length;
    }
    const frames: Frame[] = [];
    for (let at = skip; at < bytes.length;) {
      const length = (bytes[at]! << 16) | f.u16(bytes, at + 1);
      const payload = bytes.subarray(at + f.FRAME_HEADER_BYTES, at + f.FRAME_HEADER_BYTES + length);
      frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        id: f.u32(bytes, at + 5),
        payload,
      });
      at += f.FRAME_HEADER_BYTES + length;
    }
    return frames;
  }
}

/** What the server made of one request. */
export class Exchange implements StreamSink<RequestHead> {
  readonly events: string[] = [];
  readonly stream: Stream<ResponseHead>;
  request: RequestHead | null = null;
  bytes = 0;
  /** Called before anything else at each event. */
  on: (event: string) => void = () => {};

  constructor(stream: Stream<ResponseHead>) {
    this.stream = stream;
  }
  info(): void {}
  head(head: RequestHead, end: boolean): void {
    this.request = head;
    this.#add(end ? "head end" : "head");
  }
  data(bytes: Uint8Array, end: boolean): void {
    this.bytes += bytes.length;
    this.#add(end ? "data end" : "data");
  }
  trailers(_fields: Fields): void {
    this.#add("trailers");
  }
  abort(fault: Fault): void {
    this.#add(`abort ${fault.code}`);
  }
  closed(): void {
    this.#add("closed");
  }
  #add(event: string): void {
    this.events.push(event);
    this.on(event);
  }
}

export const REQUEST: readonly string[] = [
  ":method",
  "POST",
  ":scheme",
  "http",
  ":authority",
  "a.test",
  ":path",
  "/",
];

/** A header block of `lines`, by an encoder that remembers nothing. */
export function block(...lines: string[]): Uint8Array {
  const encoder = new HpackEncoder({ tableBytes: 4096 });
  encoder.begin();
  for (let i = 0; i < lines.length; i += 2) encoder.field(lines[i]!, lines[i + 1]!);
  return encoder.finish().slice();
}

export class H2Rig {
  readonly wire = new FakeWire();
  readonly server: H2Server;
  readonly exchanges: Exchange[] = [];
  readonly glitches: Glitch[] = [];
  /** Why the server ended the connection: code and reason. */
  failure: { code: number; about: string; glitches: ReadonlyMap<Glitch, number> } | null = null;
  nowMs = 0;
  /** Called for each new exchange, before its head. */
  accepted: (x: Exchange) => void = () => {};

  /** `greet: false`: the preface and the first SETTINGS are left to the test. */
  constructor(limits: Partial<H2Limits> = {}, greet = true) {
    this.server = new H2Server(this.wire, (stream) => {
      const x = new Exchange(stream);
      this.exchanges.push(x);
      this.accepted(x);
      return x;
    }, {
      limits: { ...H2_LIMITS, ...limits },
      nowMs: () => this.nowMs,
      events: {
        glitch: (what) => void this.glitches.push(what),
        failed: (code, about, glitches) => this.failure = { code, about, glitches },
      },
    });
    if (!greet) return;
    this.server.receive(new TextEncoder().encode(f.PREFACE));
    this.send(f.SETTINGS, 0, 0);
    this.send(f.SETTINGS, f.FLAG_ACK, 0);
    this.glitches.length = 0; // the first SETTINGS is counted, but not what a test is about
    this.wire.take();
  }

  /** Code of the error it ended the connection with; null while it goes on. */
  get code(): number | null {
    return this.failure === null ? null : this.failure.code;
  }

  send(type: number, flags: number, id: number, payload: Uint8Array = new Uint8Array(0)): void {
    const bytes = f.frame(payload.length, type, flags, id);
    bytes.set(payload, f.FRAME_HEADER_BYTES);
    this.server.receive(bytes);
  }

  /** HEADERS that open a stream; the exchange, if the server took it. */
  open(id: number, end = false, ...more: string[]): Exchange | null {
    const before = this.exchanges.length;
    const flags = f.FLAG_END_HEADERS | (end ? f.FLAG_END_STREAM : 0);
    this.send(f.HEADERS, flags, id, block(...REQUEST, ...more));
    return this.exchanges[before] ?? null;
  }

  reset(id: number, code = f.CANCEL): void {
    this.server.receive(f.resetFrame(id, code));
  }
  widen(id: number, bytes: number): void {
    this.server.receive(f.windowUpdateFrame(id, bytes));
  }
  settings(...pairs: readonly (readonly [number, number])[]): void {
    const payload = new Uint8Array(pairs.length * 6);
    pairs.forEach(([name, value], i) => {
      payload[i * 6 + 1] = name;
      f.putU32(payload, i * 6 + 2, value);
    });
    this.send(f.SETTINGS, 0, 0, payload);
  }

  /** Does it until the server has had enough; how often that was. */
  until(most: number, act: (nth: number) => void): number {
    for (let n = 1; n <= most; n++) {
      act(n);
      if (this.failure !== null) return n;
    }
    return Infinity;
  }

  /** Seconds go by, with a look at each. */
  wait(seconds: number, each: () => void = () => {}): void {
    for (let i = 0; i < seconds; i++) {
      each();
      this.nowMs += 1000;
      this.server.sweep(this.nowMs);
    }
  }

  /** The error code of the last RST_STREAM for `id`; null when there was none. Takes all frames. */
  resetOf(id: number): number | null {
    const found = this.wire.take().findLast((one) => one.type === f.RST_STREAM && one.id === id);
    return found === undefined ? null : f.u32(found.payload, 0);
  }
}

/** The connection was ended for being an attack, and the reason says so. */
export function assertCalm(rig: H2Rig, about: RegExp): void {
  assert.equal(rig.code, f.ENHANCE_YOUR_CALM);
  assert.match(rig.failure!.about, about);
  assert.equal(rig.wire.take().at(-1)?.type, f.GOAWAY);
  assert.equal(rig.wire.ended, true);
}

export const OK = (): ResponseHead => ({ status: 200, fields: new Fields() });
/** Whatever makes an exchange give up. */
export const FAULT: Fault = { code: "x", source: "proxy", status: 0, sent: true, detail: "" };
