/** A plugin as a Filter: which hooks there are, and what a guest's actions mean to the exchange. */
import {
  CONTINUE,
  DONE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type FilterPlace,
  type Verdict,
} from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { EMPTY, type Half, StreamContext } from "./context.ts";
import { CALLBACKS } from "./guest.ts";
import { faultOf, type Plugin, reply } from "./plugin.ts";
import { createNetworkFilter } from "./network.ts";
import { HTTP, Side } from "./side.ts";

/** In a slot instead of a stream context: the exchange goes on without the filter. */
const SKIPPED = 1;

/** The streams of one filter in one plan: finds them in their slot, opens them, applies the fail mode. */
export class Streams {
  readonly plugin: Plugin;
  readonly #slot: number;
  readonly #failOpen: boolean;
  readonly #logs: boolean;
  readonly #place: FilterPlace | null;

  constructor(plugin: Plugin, env: Pick<FilterEnv, "slot" | "place">) {
    this.plugin = plugin;
    this.#slot = env.slot;
    this.#place = env.place ?? null;
    this.#failOpen = plugin.options.failOpen;
    const { exports } = plugin.compiled;
    this.#logs = exports.has(CALLBACKS.onLog) || exports.has(CALLBACKS.onDone);
  }

  /** The stream of an exchange, opened at its first hook; a verdict when the guest cannot be asked. */
  of(exchange: FilterContext): StreamContext | typeof CONTINUE | typeof DONE {
    const found = exchange.slots[this.#slot];
    if (found instanceof StreamContext) {
      if (found.skip) return CONTINUE;
      if (found.vm.dead !== null) return this.#without(exchange, faultOf(found.vm), found);
      return found.fuelLeft > 0 ? found : this.#spent(exchange, found);
    }
    if (found === SKIPPED) return CONTINUE;
    const opened = this.plugin.open(exchange, this.#place);
    if (opened === null) return this.#without(exchange, this.plugin.refusal, null);
    exchange.slots[this.#slot] = opened;
    return opened;
  }

  /** The stream whose guest is asked no more, when there has been one: it may hold bytes. */
  left(exchange: FilterContext): StreamContext | null {
    const found = exchange.slots[this.#slot];
    return found instanceof StreamContext ? found : null;
  }

  /**
   * After a callback for `stream`: CONTINUE when its action counts; DONE when a trap, a reset or a
   * local response took over.
   */
  after(exchange: FilterContext, stream: StreamContext): typeof CONTINUE | typeof DONE {
    const { vm } = stream;
    if (vm.dead === null && vm.touched.length === 0 && vm.effects.length === 0) return CONTINUE;
    this.plugin.settle(vm, stream);
    if (vm.dead !== null) return this.#without(exchange, faultOf(vm), stream);
    if (stream.reset) {
      exchange.fail(FAULTS["wasm.reset"]);
      return DONE;
    }
    if (stream.local !== null) {
      reply(stream, exchange);
      return DONE;
    }
    const resume = stream.unpause();
    if (resume !== 0) exchange.resume(resume);
    return CONTINUE;
  }

  end(exchange: FilterContext): void {
    let found = exchange.slots[this.#slot];
    // A filter without any other hook first hears of an exchange when it ends.
    if (found === undefined && this.#logs) found = this.plugin.open(exchange, this.#place);
    if (!(found instanceof StreamContext)) return;
    if (found.network && !found.skip) sayClosed(found);
    found.end();
    this.plugin.settle(found.vm, found);
  }

  /** Its calls have used what one exchange may; the instance is sound and stays. */
  #spent(exchange: FilterContext, stream: StreamContext): typeof CONTINUE | typeof DONE {
    this.plugin.overLimit("fuelPerRequest");
    return this.#without(exchange, FAULTS["wasm.out_of_fuel"], stream);
  }

  /** The fail mode: go on without the filter, or end the exchange with `fault`. */
  #without(
    exchange: FilterContext,
    fault: Fault,
    stream: StreamContext | null,
  ): typeof CONTINUE | typeof DONE {
    // Whatever follows passes untouched, above all the answer that says why.
    if (stream === null) exchange.slots[this.#slot] = SKIPPED;
    else this.plugin.bypass(stream, this.#failOpen ? exchange : null);
    if (this.#failOpen) return CONTINUE;
    exchange.fail(fault);
    return DONE;
  }
}

/** Whose end of a connection ended it. */
const UNKNOWN_PEER = 0, LOCAL = 1, REMOTE = 2;

function sayClosed({ vm, id, request, response, exchange }: StreamContext): void {
  const broke = exchange?.facts?.fault != null;
  const by = (half: Half): number => half.ended ? REMOTE : broke ? UNKNOWN_PEER : LOCAL;
  const stream = vm.contexts.get(id) ?? null;
  vm.enter(vm.guest.onDownstreamClose, stream, 0, id, by(request), 0);
  vm.enter(vm.guest.onUpstreamClose, stream, 0, id, by(response), 0);
}

/** What waits in a direction, and `bytes` after it; nothing waits any more. */
export function takeAll(half: Half, bytes: Uint8Array): Uint8Array {
  const { released, buffer } = half;
  if (released.length === 0 && buffer.length === 0) return bytes;
  half.released = half.buffer = EMPTY;
  return joined(joined(released, buffer), bytes);
}

export function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  if (second.length === 0) return first;
  const whole = new Uint8Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** A filter with just the hooks the module exports: the others cost an exchange nothing. */
export function createProxyWasmFilter(
  plugin: Plugin,
  env: Pick<FilterEnv, "slot" | "place">,
  closed: () => void,
): Filter {
  const streams = new Streams(plugin, env);
  if (plugin.options.network) return createNetworkFilter(streams, env.place, closed);
  const request = new Side(0, streams, HTTP), response = new Side(1, streams, HTTP);
  const has = (callback: keyof typeof CALLBACKS): boolean =>
    plugin.compiled.exports.has(CALLBACKS[callback]);
  const filter: { -readonly [K in keyof Filter]: Filter[K] } = {
    onEnd: (ctx: FilterContext): void => streams.end(ctx),
    close: closed,
  };
  if (has("onRequestHeaders")) {
    filter.onRequestHead = (ctx: FilterContext, _head: RequestHead, end: boolean): Verdict =>
      request.head(ctx, end);
  }
  if (has("onRequestBody")) {
    filter.onRequestData = (ctx: FilterContext, bytes: Uint8Array, end: boolean) =>
      request.data(ctx, bytes, end);
  }
  if (has("onRequestTrailers") || has("onRequestBody")) {
    filter.onRequestTrailers = (ctx: FilterContext, fields: Fields): Verdict =>
      request.trailers(ctx, fields);
  }
  if (has("onResponseHeaders")) {
    filter.onResponseHead = (ctx: FilterContext, _head: ResponseHead, end: boolean): Verdict =>
      response.head(ctx, end);
  }
  if (has("onResponseBody")) {
    filter.onResponseData = (ctx: FilterContext, bytes: Uint8Array, end: boolean) =>
      response.data(ctx, bytes, end);
  }
  if (has("onResponseTrailers") || has("onResponseBody")) {
    filter.onResponseTrailers = (ctx: FilterContext, fields: Fields): Verdict =>
      response.trailers(ctx, fields);
  }
  return filter;
}
