/** HEADERS and CONTINUATION as they come in (RFC 9113 6.2, 6.10): one block at a time, decoded whatever becomes of it. */
import * as f from "./frame.ts";
import type { FrameHost } from "./frame_host.ts";
import { HeaderBlock } from "./header_block.ts";
import { trailerFields } from "./heads.ts";
import { COMPRESSION_ERROR as BAD_BLOCK, HpackDecoder, TOO_LARGE } from "./hpack/decoder.ts";
import { ENDED, IDLE } from "./stream.ts";

export class HeadReader {
  readonly #host: FrameHost;
  readonly #decoder: HpackDecoder;
  readonly #block: HeaderBlock;
  #begun = 0;

  constructor(host: FrameHost) {
    const { limits } = host;
    this.#host = host;
    this.#decoder = new HpackDecoder(limits.tableBytes, {
      listBytes: limits.headerListBytes,
      fields: limits.headerFields,
    });
    this.#block = new HeaderBlock(limits);
  }

  /** Incomplete blocks so far, the one under way included: tells one from the next. */
  get begun(): number {
    return this.#begun;
  }

  /** The stream whose block is incomplete; 0: none. */
  get open(): number {
    return this.#block.id;
  }

  headers(flags: number, id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if ((id & 1) === 0) return host.error(f.PROTOCOL_ERROR, "HEADERS on a wrong stream id");
    let from = 0, to = payload.length;
    if (flags & f.FLAG_PADDED) {
      to -= payload[0] ?? 0;
      from = 1;
    }
    let selfDependent = false;
    if (flags & f.FLAG_PRIORITY) {
      if (to - from < 5) return host.error(f.FRAME_SIZE_ERROR, "HEADERS too short");
      selfDependent = (f.u32(payload, from) & 0x7fffffff) === id;
      from += 5;
    }
    if (from > to) return host.error(f.PROTOCOL_ERROR, "padding");
    const ends = (flags & f.FLAG_END_STREAM) !== 0;
    const fragment = from === 0 && to === payload.length ? payload : payload.subarray(from, to);
    if (flags & f.FLAG_END_HEADERS) return this.#decode(id, ends, fragment, selfDependent);
    this.#begun++;
    this.#block.begin(id, ends);
    return this.#add(fragment);
  }

  continuation(flags: number, id: number, payload: Uint8Array): boolean {
    const host = this.#host;
    if (this.open === 0 || id !== this.open) {
      return host.error(f.PROTOCOL_ERROR, "CONTINUATION of nothing");
    }
    if (!this.#add(payload)) return false;
    if ((flags & f.FLAG_END_HEADERS) === 0) return payload.length > 0 || host.glitch("empty_frame");
    const { ends } = this.#block;
    return this.#decode(id, ends, this.#block.finish(), false);
  }

  #add(fragment: Uint8Array): boolean {
    const code = this.#block.add(fragment);
    return code === f.NO_ERROR || this.#host.error(code, "header block");
  }

  #decode(id: number, end: boolean, block: Uint8Array, selfDependent: boolean): boolean {
    const host = this.#host;
    const lines: string[] = [];
    // Decoded whatever becomes of the stream: the table is the connection's.
    const result = this.#decoder.decode(block, lines);
    if (result === BAD_BLOCK) return host.error(f.COMPRESSION_ERROR, "header block");
    const stream = host.streams.get(id);
    if (stream === undefined && !host.isIdle(id)) {
      return host.onClosed(id) && host.spend("closed_stream");
    }
    if (selfDependent) return host.streamError(id, f.PROTOCOL_ERROR); // RFC 7540 5.3.1
    if (result === TOO_LARGE) {
      host.headTooLarge(id, end);
      return !host.failed;
    }
    if (stream === undefined || stream.in === IDLE) {
      host.gotHead(id, lines, end);
      return !host.failed;
    }
    if (stream.in === ENDED) return host.streamError(id, f.STREAM_CLOSED);
    const trailers = end ? trailerFields(lines) : null;
    if (trailers === null || stream.expected > 0) return host.streamError(id, f.PROTOCOL_ERROR);
    stream.receiveTrailers(trailers);
    return !host.failed;
  }
}
