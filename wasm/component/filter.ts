/** A component as a Filter: one call per phase it asked for; verdicts.ts says what comes of its answers. */
import {
  CONTINUE,
  DONE,
  type Filter,
  type FilterContext,
  type Verdict,
} from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { HeaderMap, RequestHeaders, ResponseHeaders } from "../proxy_wasm/headers.ts";
import { createWaitingFilter } from "./filter_calls.ts";
import { type ComponentPlugin, ComponentStream } from "./plugin.ts";
import {
  BODY,
  type Direction,
  EMPTY,
  pairs,
  REQUEST_WAY as REQUEST,
  requestRecord,
  RESPONSE_WAY as RESPONSE,
  responseRecord,
  TRAILERS,
} from "./exchange.ts";
import { NO_UNDO, Verdicts } from "./verdicts.ts";
import type { BodyMode, BodyVerdictRecord, VerdictRecord } from "./wit.ts";

/** In a slot instead of a stream: the exchange goes on without the filter, or was failed by it. */
const SKIPPED = 1, FAILED = 2;

/** A filter with just the hooks the component asked for: the others cost an exchange nothing. */
export function createComponentFilter(
  plugin: ComponentPlugin,
  slot: number,
  closed: () => void,
): Filter {
  const streams: Hooks = plugin.suspends
    ? createWaitingFilter(plugin, slot)
    : new Exchanges(plugin, slot);
  const { phases, requestBody, responseBody } = plugin.capabilities;
  const filter: { -readonly [K in keyof Filter]: Filter[K] } = { close: closed };
  if (phases.includes("request-headers") || requestBody === "buffered") {
    filter.onRequestHead = (ctx, head, end) => streams.requestHead(ctx, head, end);
  }
  if (phases.includes("request-body")) {
    filter.onRequestData = (ctx, bytes, end) => streams.data(ctx, bytes, end, REQUEST);
  }
  if (phases.includes("request-trailers") || phases.includes("request-body")) {
    filter.onRequestTrailers = (ctx, fields) => streams.trailers(ctx, fields, REQUEST);
  }
  if (phases.includes("response-headers") || responseBody === "buffered") {
    filter.onResponseHead = (ctx, head, end) => streams.responseHead(ctx, head, end);
  }
  if (phases.includes("response-body")) {
    filter.onResponseData = (ctx, bytes, end) => streams.data(ctx, bytes, end, RESPONSE);
  }
  if (phases.includes("response-trailers") || phases.includes("response-body")) {
    filter.onResponseTrailers = (ctx, fields) => streams.trailers(ctx, fields, RESPONSE);
  }
  filter.onEnd = (ctx) => streams.end(ctx);
  return filter;
}

/** Every phase a component may ask for; data hooks that wait give null. */
export interface Hooks {
  requestHead(ctx: FilterContext, head: RequestHead, end: boolean): Verdict;
  responseHead(ctx: FilterContext, head: ResponseHead, end: boolean): Verdict;
  data(ctx: FilterContext, bytes: Uint8Array, end: boolean, way: Direction): Uint8Array | null;
  trailers(ctx: FilterContext, fields: Fields, way: Direction): Verdict;
  end(ctx: FilterContext): void;
}

class Exchanges implements Hooks {
  readonly #plugin: ComponentPlugin;
  readonly #slot: number;
  readonly #failOpen: boolean;
  readonly #has: ReadonlySet<string>;
  readonly #modes: readonly [BodyMode, BodyMode];
  readonly #maxBody: number;
  readonly #verdicts: Verdicts;

  constructor(plugin: ComponentPlugin, slot: number) {
    this.#plugin = plugin;
    this.#slot = slot;
    this.#failOpen = plugin.options.failOpen;
    this.#has = new Set(plugin.capabilities.phases);
    this.#modes = [plugin.capabilities.requestBody, plugin.capabilities.responseBody];
    this.#maxBody = plugin.capabilities.maxBody;
    this.#verdicts = new Verdicts(plugin);
  }

  requestHead(ctx: FilterContext, head: RequestHead, end: boolean): Verdict {
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx);
    if (this.#has.has("request-headers")) {
      const record = requestRecord(head, this.#plugin.permits.read);
      this.#verdicts.pass(stream, "request-headers", end);
      const verdict = this.#call(stream, ctx, "onRequestHeaders", record, end);
      const went = this.#head(ctx, stream, verdict, new RequestHeaders(head, NO_UNDO));
      if (went !== CONTINUE) return went;
    }
    return stream.bodyFollows(this.#modes[REQUEST], head.fields, end);
  }

  responseHead(ctx: FilterContext, head: ResponseHead, end: boolean): Verdict {
    if (this.#isOwnReply(ctx)) return CONTINUE;
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx);
    if (this.#has.has("response-headers")) {
      const record = responseRecord(head, this.#plugin.permits.read);
      this.#verdicts.pass(stream, "response-headers", end);
      const verdict = this.#call(stream, ctx, "onResponseHeaders", record, end);
      const went = this.#head(ctx, stream, verdict, new ResponseHeaders(head, NO_UNDO));
      if (went !== CONTINUE) return went;
    }
    return stream.bodyFollows(this.#modes[RESPONSE], head.fields, end);
  }

  data(ctx: FilterContext, bytes: Uint8Array, end: boolean, way: Direction): Uint8Array {
    if (way === RESPONSE && this.#isOwnReply(ctx)) return bytes;
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx) === DONE ? EMPTY : bytes;
    if (stream.skip) return stream.takeHeld(way, bytes);
    stream.fed(bytes.length);
    if (this.#modes[way] === "streamed") return this.#body(ctx, stream, bytes, end, way);
    const whole = stream.collect(ctx, bytes, end, way, this.#maxBody);
    if (whole === null || (whole.length === 0 && !end)) return EMPTY;
    return this.#body(ctx, stream, whole, end, way);
  }

  trailers(ctx: FilterContext, fields: Fields, way: Direction): Verdict {
    if (way === RESPONSE && this.#isOwnReply(ctx)) return CONTINUE;
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx);
    // Trailers would overtake the body that is still held.
    if (stream.held[way].length > 0) {
      stream.over = true;
      return ctx.fail(FAULTS["wasm.body_length"]);
    }
    if (!this.#has.has(TRAILERS.phase[way]) || stream.skip) return CONTINUE;
    const lines = pairs(fields, this.#plugin.permits.read);
    const verdict = this.#call(stream, ctx, TRAILERS.hook[way], lines, undefined);
    return this.#head(ctx, stream, verdict, new HeaderMap(fields, NO_UNDO));
  }

  end(ctx: FilterContext): void {
    const stream = ctx.slots[this.#slot];
    if (!(stream instanceof ComponentStream) || stream.skip || stream.instance.dead !== null) {
      return;
    }
    if (stream.passed && !this.#has.has("log")) return;
    const outcome = ctx.response === null ? "no-response" : "";
    if (this.#call(stream, ctx, "onEnd", outcome, undefined) === null) {
      this.#plugin.bury(stream.instance, {
        exchange: ctx,
        account: stream.account,
        held: stream.held,
      });
    }
  }

  #streamOf(ctx: FilterContext): ComponentStream | null {
    const found = ctx.slots[this.#slot];
    if (found instanceof ComponentStream) {
      // Another exchange's trap may have taken the instance meanwhile.
      if (found.instance.dead !== null && !found.skip && !found.over) this.#lost(ctx, found);
      if (found.over) return null;
      if (found.fuelLeft <= 0 && !found.skip) {
        this.#plugin.overLimit("fuelPerRequest");
        if (this.#verdicts.fail(ctx, found, FAULTS["wasm.out_of_fuel"]) !== CONTINUE) return null;
      }
      return found;
    }
    if (found !== undefined) return null;
    const opened = this.#plugin.open(ctx);
    if (opened === null) {
      ctx.slots[this.#slot] = this.#failOpen ? SKIPPED : FAILED;
      if (!this.#failOpen) ctx.fail(this.#plugin.refusal);
      return null;
    }
    ctx.slots[this.#slot] = opened;
    return opened;
  }

  /** What this filter answered itself, or was answered for it, passes its response hooks untouched. */
  #isOwnReply(ctx: FilterContext): boolean {
    const found = ctx.slots[this.#slot];
    return found === FAILED || (found instanceof ComponentStream && found.over);
  }

  #without(ctx: FilterContext): Verdict {
    return ctx.slots[this.#slot] === SKIPPED ? CONTINUE : DONE;
  }

  #call(
    stream: ComponentStream,
    ctx: FilterContext,
    hook: Parameters<ComponentStream["instance"]["call"]>[0],
    message: unknown,
    end: boolean | undefined,
  ): VerdictRecord | BodyVerdictRecord | void | null {
    if (stream.skip) return { tag: "continue", val: { head: [] } };
    stream.instance.state.properties = stream.properties;
    return stream.instance.call(hook, ctx, stream.id, message, end, stream);
  }

  #head(
    ctx: FilterContext,
    stream: ComponentStream,
    verdict: VerdictRecord | BodyVerdictRecord | void | null,
    map: HeaderMap,
  ): Verdict {
    if (verdict === null) return this.#lost(ctx, stream);
    return this.#verdicts.head(ctx, stream, verdict as VerdictRecord, map);
  }

  /** `bytes` go on when the filter has nothing to say. */
  #body(
    ctx: FilterContext,
    stream: ComponentStream,
    bytes: Uint8Array,
    end: boolean,
    way: Direction,
  ): Uint8Array {
    const buffered = this.#modes[way] === "buffered";
    const last = buffered || end;
    if (last) this.#verdicts.pass(stream, BODY.phase[way], true);
    const verdict = this.#call(stream, ctx, BODY.hook[way], bytes, last);
    if (verdict === null) return this.#lost(ctx, stream) === CONTINUE ? bytes : EMPTY;
    const said = verdict as BodyVerdictRecord;
    return this.#verdicts.body(ctx, stream, said, bytes, { way, buffered, end });
  }

  /** The instance is dead: go on without it or fail, as the binding says. */
  #lost(ctx: FilterContext, stream: ComponentStream): Verdict {
    return this.#verdicts.fail(
      ctx,
      stream,
      this.#plugin.bury(stream.instance, {
        exchange: ctx,
        account: stream.account,
        held: stream.held,
      }),
    );
  }
}
