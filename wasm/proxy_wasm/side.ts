/** One direction of every exchange through a plugin: heads, bodies and trailers, paused and let go as the guest says. */
import {
  COLLECT,
  CONTINUE,
  DONE,
  type FilterContext,
  PAUSE,
  type Verdict,
} from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import { WASM_LIMITS } from "../limits.ts";
import { ACTION_CONTINUE, ACTION_STOP_ALL } from "./abi.ts";
import { EMPTY, type Half, type StreamContext, UNKNOWN } from "./context.ts";
import { joined, type Streams, takeAll } from "./filter.ts";
import { type Callback } from "./guest.ts";
import { HeaderMap } from "./headers.ts";

/** The callbacks of both directions, for HTTP and for connections. */
export interface SideCallbacks {
  readonly headers: readonly Callback[];
  readonly body: readonly Callback[];
  readonly trailers: readonly Callback[];
}

export const HTTP: SideCallbacks = {
  headers: ["onRequestHeaders", "onResponseHeaders"],
  body: ["onRequestBody", "onResponseBody"],
  trailers: ["onRequestTrailers", "onResponseTrailers"],
};

export class Side {
  readonly #direction: 0 | 1;
  readonly #streams: Streams;
  readonly #headers: Callback;
  readonly #body: Callback;
  readonly #trailers: Callback;

  constructor(direction: 0 | 1, streams: Streams, callbacks: SideCallbacks) {
    this.#direction = direction;
    this.#streams = streams;
    this.#headers = callbacks.headers[direction]!;
    this.#body = callbacks.body[direction]!;
    this.#trailers = callbacks.trailers[direction]!;
  }

  head(ctx: FilterContext, end: boolean): Verdict {
    const stream = this.#streams.of(ctx);
    if (typeof stream === "number") return stream;
    const { vm } = stream;
    const half = stream.half(this.#direction);
    const map = stream.headers(this.#direction)!;
    map.writable = true;
    half.continued = false;
    const action = vm.enter(
      vm.guest[this.#headers],
      stream,
      ACTION_CONTINUE,
      stream.id,
      map.count,
      end ? 1 : 0,
    );
    const verdict = this.#streams.after(ctx, stream);
    if (verdict !== CONTINUE) return verdict;
    if (stream.skip || action === ACTION_CONTINUE || half.continued) {
      map.writable = false;
      return CONTINUE;
    }
    half.paused = true;
    if (!end && vm.guest[this.#body] !== undefined && this.#bodyFollows(action, stream)) {
      half.collecting = true;
      return COLLECT;
    }
    return PAUSE;
  }

  /**
   * Whether a stream that pauses with its head goes on to its body all the same: in Higress it does unless it
   * stopped everything; in Envoy it does not, but one that nothing else could ever wake must mean that.
   */
  #bodyFollows(action: number, stream: StreamContext): boolean {
    const { plugin } = this.#streams;
    if (plugin.options.compat === "higress") return action < ACTION_STOP_ALL;
    return !plugin.canWake(stream);
  }

  data(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null {
    const stream = this.#streams.of(ctx);
    if (stream === DONE) return EMPTY;
    if (stream === CONTINUE) return this.#without(ctx, bytes, end);
    const { vm } = stream;
    const half = stream.half(this.#direction);
    if (half.declared === UNKNOWN) {
      half.declared = lengthOf(stream.headers(this.#direction)!.fields);
    }
    if (half.held) {
      if (half.paused) return null; // somebody else's resume
      half.held = false;
      return this.#pass(ctx, stream, takeAll(half, EMPTY), end);
    }
    // An empty chunk that is not the last says that trailers follow: what is held must go first. Who holds
    // it until it is whole is told that it is, or trailers would carry a body past every filter that waits.
    const last = end || bytes.length === 0;
    if (last && !end && (!half.paused || half.buffer.length === 0)) {
      return this.#pass(ctx, stream, takeAll(half, EMPTY), end);
    }
    half.seen += bytes.length;
    half.ended = last;
    stream.fed(bytes.length);
    half.buffer = joined(half.buffer, bytes);
    if (half.buffer.length > WASM_LIMITS.bodyBytes) return this.#tooLarge(ctx, half, bytes);
    half.before = half.buffer;
    half.open = true;
    half.continued = false;
    const action = vm.enter(
      vm.guest[this.#body],
      stream,
      ACTION_CONTINUE,
      stream.id,
      half.buffer.length,
      last ? 1 : 0,
    );
    half.open = false;
    if (vm.dead !== null) half.buffer = half.before;
    const verdict = this.#streams.after(ctx, stream);
    if (verdict !== CONTINUE) return EMPTY;
    if (stream.skip || action === ACTION_CONTINUE || half.continued) {
      half.paused = false;
      return this.#pass(ctx, stream, takeAll(half, EMPTY), end);
    }
    half.paused = true;
    // What came just now is gone after this call.
    if (half.buffer.buffer === bytes.buffer) half.buffer = half.buffer.slice();
    if (!last) return EMPTY;
    half.held = true;
    return null;
  }

  trailers(ctx: FilterContext, fields: Fields): Verdict {
    const stream = this.#streams.of(ctx);
    if (typeof stream === "number") return stream;
    const { vm } = stream;
    const half = stream.half(this.#direction);
    // Trailers would overtake the body the guest still holds.
    if (half.buffer.length + half.released.length > 0) return ctx.fail(FAULTS["wasm.body_length"]);
    const map = new HeaderMap(fields, vm);
    if (this.#direction === 0) stream.requestTrailers = map;
    else stream.responseTrailers = map;
    half.continued = false;
    const action = vm.enter(
      vm.guest[this.#trailers],
      stream,
      ACTION_CONTINUE,
      stream.id,
      map.count,
      0,
    );
    const verdict = this.#streams.after(ctx, stream);
    if (verdict !== CONTINUE) return verdict;
    if (stream.skip || action === ACTION_CONTINUE || half.continued) {
      map.writable = false;
      return CONTINUE;
    }
    half.paused = true;
    return PAUSE;
  }

  /** A body without the guest: what had been held back for it, and the new bytes. */
  #without(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array {
    const stream = this.#streams.left(ctx);
    if (stream === null) return bytes;
    const half = stream.half(this.#direction);
    this.#begin(stream, half);
    const again = half.held; // then the buffer ends in these very bytes
    half.held = false;
    return this.#pass(ctx, stream, takeAll(half, again ? EMPTY : bytes), end);
  }

  /** What the head promises counts from the first byte on: later filters may still have changed it. */
  #begin(stream: StreamContext, half: Half): void {
    if (half.declared !== UNKNOWN) return;
    half.declared = lengthOf(stream.headers(this.#direction)!.fields);
  }

  /** Lets bytes go on, and holds the guest to the length its head has promised. */
  #pass(ctx: FilterContext, stream: StreamContext, out: Uint8Array, end: boolean): Uint8Array {
    const half = stream.half(this.#direction);
    half.passed += out.length;
    if (half.collecting && (out.length > 0 || end)) this.#released(stream, half, end);
    if (half.declared < 0) return out;
    if (half.passed <= half.declared && (!end || half.passed === half.declared)) return out;
    stream.vm.host.log.warn("wasm.body_length", {
      declared: half.declared,
      passed: half.passed,
      hint: "remove content-length in the headers callback of this direction",
    });
    ctx.fail(FAULTS["wasm.body_length"]);
    return EMPTY;
  }

  /** A collected head goes on now, with the length its body has come to. */
  #released(stream: StreamContext, half: Half, end: boolean): void {
    half.collecting = false;
    const map = stream.headers(this.#direction)!;
    const { fields } = map;
    if (lengthOf(fields) >= 0) {
      if (end) fields.set("content-length", String(half.passed));
      else if (half.passed > 0) fields.remove("content-length");
    }
    half.declared = end ? -1 : lengthOf(fields);
    map.writable = false;
  }

  #tooLarge(ctx: FilterContext, half: Half, bytes: Uint8Array): Uint8Array {
    const fault = this.#direction === 0 ? "proxy.buffer_full" : "proxy.response_buffer_full";
    half.buffer = half.released = EMPTY;
    ctx.fail({
      ...FAULTS[fault],
      detail: `${
        FAULTS[fault].detail
      } of ${WASM_LIMITS.bodyBytes} bytes (${bytes.length} more came)`,
    });
    return EMPTY;
  }
}

function lengthOf(fields: Fields): number {
  const value = fields.get("content-length");
  return value === undefined ? -1 : Number(value);
}
