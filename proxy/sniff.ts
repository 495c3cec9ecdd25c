/**
 * The first codec of a plaintext connection: tells HTTP/2 with prior knowledge (RFC 9113 3.3) from
 * HTTP/1.1 by the first bytes, then hands the connection over.
 *
 *   "PRI * HTTP/2.0…" to its last byte ──▶ HTTP/2        anything else ──▶ HTTP/1.1
 *
 * What has been held back is always the beginning of the preface, so a count is all it remembers.
 */
import { type Codec, HEAD, IDLE, type Phase, type Wire } from "../core/stream.ts";
import { PREFACE as TEXT } from "./h2/frame.ts";

const PREFACE = new TextEncoder().encode(TEXT);

export class Sniffer implements Codec {
  readonly protocol = "h1";
  readonly #wire: Wire;
  readonly #choose: (h2: boolean) => Codec;
  /** Bytes of the preface that have come. */
  #seen = 0;
  #draining = false;

  /** `choose` puts the codec in this one's place and returns it. */
  constructor(wire: Wire, choose: (h2: boolean) => Codec) {
    this.#wire = wire;
    this.#choose = choose;
  }

  get phase(): Phase {
    return this.#seen === 0 ? IDLE : HEAD;
  }

  receive(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== PREFACE[this.#seen]) {
        return void this.#settle(false, bytes.subarray(at));
      }
      if (++this.#seen === PREFACE.length) return void this.#settle(true, bytes.subarray(at + 1));
    }
  }
  eof(): void {
    if (this.#seen === 0) this.#wire.end();
    else this.#settle(false, EMPTY).eof();
  }
  drained(): void {}
  drain(): void {
    this.#draining = true;
    if (this.#seen === 0) this.#wire.end();
  }
  close(): void {}

  /** The chosen codec gets all there was, as if it had been there from the first byte. */
  #settle(h2: boolean, rest: Uint8Array): Codec {
    const codec = this.#choose(h2);
    if (this.#seen > 0) codec.receive(PREFACE.slice(0, this.#seen));
    if (rest.length > 0) codec.receive(rest);
    if (this.#draining) codec.drain();
    return codec;
  }
}

const EMPTY = new Uint8Array(0);
