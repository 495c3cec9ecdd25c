/** One side of an HTTP/2 connection made out of numbers: mostly as the RFC has it, and where it goes wrong, only just. */
import * as f from "../../proxy/h2/frame.ts";
import { headFrames, joined, number32, PREFACE_BYTES, rawFrame } from "../support/h2_frames.ts";
import { type Form, ModelEncoder } from "./hpack_model.ts";

/** What to do next: any numbers. */
export type Op = readonly [kind: number, a: number, b: number, c: number];
export type Speaker = "client" | "server";

const FORMS: readonly Form[] = ["indexed", "incremental", "without", "never"];

const REQUEST_HEADS: readonly (readonly string[])[] = [
  [":method", "GET", ":scheme", "https", ":authority", "a.test", ":path", "/now"],
  [":method", "POST", ":scheme", "http", ":authority", "a.test:80", ":path", "/end"],
  [":method", "POST", ":scheme", "https", ":path", "/end", "host", "b.test"],
  [":method", "HEAD", ":scheme", "https", ":authority", "a.test", ":path", "/now?q=1"],
  [":method", "OPTIONS", ":scheme", "https", ":authority", "a.test", ":path", "*"],
  [":method", "PUT", ":scheme", "https", ":authority", "a.test", ":path", "/hold"],
  [":method", "CONNECT", ":authority", "a.test:443"],
  [
    ...[":method", "CONNECT", ":protocol", "websocket", ":scheme", "https"],
    ...[":authority", "a.test", ":path", "/up"],
  ],
];
const RESPONSE_HEADS: readonly (readonly string[])[] = [
  [":status", "200"],
  [":status", "204"],
  [":status", "404"],
  [":status", "304"],
  [":status", "200", "content-length", "7"],
];
const FIELDS: readonly (readonly [string, string])[] = [
  ["accept", "*/*"],
  ["cookie", "a=1"],
  ["cookie", "b=2"],
  ["content-type", "application/grpc"],
  ["content-length", "0"],
  ["content-length", "10"],
  ["te", "trailers"],
  ["x-long", "v".repeat(300)],
  ["x-latin", "\xe9\xff"],
  ["authorization", "Bearer x"],
  ["grpc-status", "0"],
];
/** What makes a message malformed (RFC 9113 8.1 to 8.3), or an odd one. */
const BAD_FIELDS: readonly (readonly [string, string])[] = [
  ["X-Upper", "1"],
  ["connection", "close"],
  ["transfer-encoding", "chunked"],
  ["te", "gzip"],
  ["content-length", "+1"],
  ["content-length", "5, 5"],
  ["x y", "1"],
  ["x:y", "1"],
  ["", "1"],
  ["x-a", "a\r\nb: c"],
  ["x-a", " a"],
  ["x-a", "\0"],
  [":path", "/again"],
  [":unknown", "1"],
  [":status", "100"],
  ["host", "other.test"],
];

class Script {
  readonly parts: Uint8Array[] = [];
  readonly #speaker: Speaker;
  readonly #hpack = new ModelEncoder();
  /** Streams whose half of ours is open, oldest first. */
  readonly #open: number[] = [];
  #nextId = 1;

  constructor(speaker: Speaker) {
    this.#speaker = speaker;
    if (speaker === "client") this.parts.push(PREFACE_BYTES);
    this.parts.push(rawFrame(f.SETTINGS, 0, 0));
  }

  add([kind, a, b, c]: Op): void {
    switch (kind % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#head(a, b, c);
      case 4:
      case 5:
      case 6:
        return this.#data(a, b, c);
      case 7:
        return this.#trailers(a, b);
      case 8:
        return this.#put(f.RST_STREAM, 0, this.#any(a), number32(b % 14));
      case 9:
        return this.#put(f.WINDOW_UPDATE, 0, a % 3 === 0 ? 0 : this.#any(a), number32(1 + c));
      case 10:
        return this.#settings(a, b, c);
      case 11:
        return this.#put(f.PING, 0, 0, [...number32(a), ...number32(b)]);
      case 12:
        return this.#put(f.PRIORITY, 0, this.#any(a), [...number32(0), 15]);
      case 13: // unknown types are to be ignored
        return this.#put(0x20 + (a % 100), b & 255, this.#any(a), [1, 2, 3].slice(c % 4));
      case 14:
        return this.#settingsAck(a);
      case 15:
        return this.#wild(a, b, c);
    }
  }

  /** A client opens streams; a server answers those that were opened for it, in order. */
  #head(a: number, b: number, c: number): void {
    const id = this.#nextId;
    this.#nextId += 2;
    const heads = this.#speaker === "client" ? REQUEST_HEADS : RESPONSE_HEADS;
    const list = [...heads[a % heads.length]!];
    if (this.#speaker === "server" && b % 4 === 0) {
      this.#block(id, [":status", "103", "link", "</a>"], false, b, c);
    }
    for (let n = b % 5; n > 0; n--) list.push(...FIELDS[(a + b + n * c) % FIELDS.length]!);
    if (a % 13 === 0) list.push(...BAD_FIELDS[b % BAD_FIELDS.length]!);
    const end = c % 3 === 0;
    this.#block(id, list, end, b, c);
    if (!end) this.#open.push(id);
  }

  #trailers(a: number, b: number): void {
    const id = this.#take(a);
    if (id === 0) return;
    const list = ["grpc-status", "0", ...(b % 9 === 0 ? BAD_FIELDS[a % BAD_FIELDS.length]! : [])];
    this.#block(id, list, true, a, b);
  }

  #block(id: number, list: readonly string[], end: boolean, b: number, c: number): void {
    const bytes: number[] = b % 7 === 0 ? this.#hpack.resize(c % 4096) : [];
    for (let i = 0; i < list.length; i += 2) {
      const form = FORMS[(b + i) % 4]!;
      const huffman = (b + c) % 2 === 0;
      bytes.push(...this.#hpack.field(list[i]!, list[i + 1]!, form, huffman, c % 2 === 0));
    }
    const most = c % 4 === 0 ? 1 + (b % 40) * 4 : 16_384;
    if (most === 16_384 && c % 5 === 0) { // padded, with a priority
      const payload = [2, ...number32(0), 15, ...bytes, 0, 0];
      return this.#put(f.HEADERS, 0x2c | (end ? 1 : 0), id, payload);
    }
    this.parts.push(headFrames(id, Uint8Array.from(bytes), end, Math.max(most, bytes.length >> 2)));
  }

  #data(a: number, b: number, c: number): void {
    const end = c % 4 === 0;
    const id = end ? this.#take(a) : this.#some(a);
    if (id === 0) return;
    const body = new Array<number>(b % 9 === 0 ? 0 : b % 23).fill(97 + (a % 26));
    if (c % 5 === 0) this.#put(f.DATA, 8 | (end ? 1 : 0), id, [3, ...body, 0, 0, 0]);
    else this.#put(f.DATA, end ? 1 : 0, id, body);
  }

  #settings(a: number, b: number, c: number): void {
    const ids = [1, 3, 4, 5, 6, 99];
    const value = [0, 1, 4096, 16_384, 65_535, c][b % 6]!;
    const id = ids[a % ids.length]!;
    this.#put(f.SETTINGS, 0, 0, [0, id, ...number32(id === 5 ? 16_384 + (c % 100) : value)]);
  }

  /** The first one is due, later ones are glitches. */
  #settingsAck(a: number): void {
    this.#put(f.SETTINGS, 1, 0, a % 20 === 0 ? [0] : []);
  }

  /** Something that is wrong in itself, or where it stands. */
  #wild(a: number, b: number, c: number): void {
    const types = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    const payload = Array.from({ length: c % 14 }, (_, i) => (a * (i + 1) + b) & 255);
    const length = b % 50 === 0 ? payload.length + 1 + (c % 3) : payload.length;
    const id = [0, 1, 2, 3, this.#nextId, this.#nextId + 10][a % 6]!;
    this.parts.push(rawFrame(types[(a + b) % 10]!, (b >> 3) & 255, id, payload, length));
  }

  #put(type: number, flags: number, id: number, payload: readonly number[]): void {
    this.parts.push(rawFrame(type, flags, id, payload));
  }
  #some(a: number): number {
    return this.#open[a % (this.#open.length || 1)] ?? 0;
  }
  #take(a: number): number {
    return this.#open.splice(a % (this.#open.length || 1), 1)[0] ?? 0;
  }
  /** Any stream there has been. */
  #any(a: number): number {
    return this.#nextId === 1 ? 1 : 1 + 2 * (a % ((this.#nextId - 1) / 2));
  }
}

export function conversation(speaker: Speaker, ops: readonly Op[]): Uint8Array<ArrayBuffer> {
  const script = new Script(speaker);
  for (const op of ops) script.add(op);
  return joined(script.parts);
}

/** Bytes put in, taken out, doubled or changed. */
export type Damage = readonly [at: number, drop: number, put: number, twice: number];

export function damaged(bytes: Uint8Array, damages: readonly Damage[]): Uint8Array<ArrayBuffer> {
  let out = bytes.slice();
  for (const [at, drop, put, twice] of damages) {
    const from = at % (out.length + 1);
    const added = twice % 8 === 0 ? out.subarray(from, from + 40) : [put & 255];
    out = twice % 3 === 0 && from < out.length
      ? out.with(from, put & 255)
      : joined([out.subarray(0, from), Uint8Array.from(added), out.subarray(from + (drop % 4))]);
  }
  return out;
}
