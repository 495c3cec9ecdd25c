/** HTTP/2 frames by hand, independent of our codec's own writer: for peers that follow no rule, and for models. */
import type { Wire } from "../../core/stream.ts";
import { slab } from "../../proxy/slab.ts";
import { CONTINUATION, DATA, HEADERS, PREFACE, SETTINGS } from "../../proxy/h2/frame.ts";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Uint8Array;
}

export const PREFACE_BYTES = Uint8Array.from(PREFACE, (c) => c.charCodeAt(0));

/** One frame; `length` may lie about the payload. */
export function rawFrame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array | readonly number[] = [],
  length = payload.length,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(9 + payload.length);
  bytes.set([length >>> 16, length >>> 8, length, type, flags], 0);
  bytes.set(number32(id), 5);
  bytes.set(payload, 9);
  return bytes;
}

export function number32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

/** A SETTINGS frame of `id, value` pairs. */
export function settingsFrame(...pairs: readonly (readonly [number, number])[]): Uint8Array {
  return rawFrame(
    SETTINGS,
    0,
    0,
    pairs.flatMap(([id, value]) => [id >>> 8, id & 255, ...number32(value)]),
  );
}

/** A header block as HEADERS and as many CONTINUATION as `most` bytes a frame make necessary. */
export function headFrames(id: number, block: Uint8Array, end: boolean, most = 16_384): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < block.length; at += most) {
    const last = at + most >= block.length;
    const type = at === 0 ? HEADERS : CONTINUATION;
    const flags = (at === 0 && end ? 1 : 0) | (last ? 4 : 0);
    parts.push(rawFrame(type, flags, id, block.subarray(at, at + most)));
  }
  return joined(parts);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whole frames at the front of `bytes`, and where they end. */
export function framesIn(bytes: Uint8Array): { frames: Frame[]; end: number } {
  const frames: Frame[] = [];
  let at = 0;
  while (bytes.length - at >= 9) {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (bytes.length - at < 9 + length) break;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at);
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      id: view.getUint32(5) & 0x7fffffff,
      payload: bytes.slice(at + 9, at + 9 + length),
    });
    at += 9 + length;
  }
  return { frames, end: at };
}

/** A wire that keeps what is written; `full` makes every write say that it is above its mark. */
export class ByteWire implements Wire {
  full = false;
  ended = false;
  destroyed = false;
  #written: Uint8Array[] = [];

  write(bytes: Uint8Array): boolean {
    // Not copied, as a socket would not: what is written may not change afterwards.
    if (!this.ended && !this.destroyed) this.#written.push(bytes);
    return !this.full;
  }
  wrote(from: number, to: number): boolean {
    return this.write(slab.bytes.slice(from, to));
  }
  text(latin1: string): boolean {
    return this.write(Uint8Array.from(latin1, (c) => c.charCodeAt(0)));
  }
  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  /** What was written since the last call. */
  taken(): Uint8Array<ArrayBuffer> {
    return joined(this.#written.splice(0));
  }
}

/** What was written, as lines to compare: body joined, and no window updates, whose steps depend on how input was cut. */
export function frameLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  let body = -1, text = "";
  const flush = (): void => {
    if (body >= 0) lines.push(`data ${body} ${text}`);
    body = -1;
    text = "";
  };
  for (const { type, flags, id, payload } of framesIn(bytes).frames) {
    if (type === 8) continue;
    if (type === DATA) {
      if (body !== id) flush();
      body = id;
      text += String.fromCharCode(...payload);
      if (flags & 1) lines.push(`end ${id}`);
    } else {
      flush();
      lines.push(`${type} ${flags} ${id} ${payload.join()}`);
    }
  }
  flush();
  return lines;
}
