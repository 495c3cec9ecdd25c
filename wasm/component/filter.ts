/** A component as a Filter: one call per phase it asked for, and what its verdicts mean to the exchange. */
import {
  COLLECT,
  CONTINUE,
  DONE,
  type Filter,
  type FilterContext,
  type Verdict,
} from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import { HeaderMap, replyLines, RequestHeaders, ResponseHeaders } from "../proxy_wasm/headers.ts";
import { type ComponentPlugin, ComponentStream } from "./plugin.ts";
import { lastPhase } from "./wit.ts";
import type {
  BodyVerdictRecord,
  Content,
  Edits,
  Ending,
  Header,
  HeaderOp,
  LocalResponse,
  VerdictRecord,
} from "./wit.ts";

const REQUEST = 0 as const, RESPONSE = 1 as const;
type Direction = typeof REQUEST | typeof RESPONSE;

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
/** In a slot instead of a stream: the exchange goes on without the filter, or was failed by it. */
const SKIPPED = 1, FAILED = 2;
const REQUEST_BODY = "request-body", RESPONSE_BODY = "response-body";

/** A char that is no byte: cut down to one on the wire, U+010A would be a line feed. */
const WIDE = /[^\0-\xff]/;

/** Edits are made after the call has come back, so there is nothing to undo. */
const NO_UNDO = { changed(): void {} };

/** A filter with just the hooks the component asked for: the others cost an exchange nothing. */
export function createComponentFilter(
  plugin: ComponentPlugin,
  slot: number,
  closed: () => void,
): Filter {
  const streams = new Exchanges(plugin, slot);
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

class Exchanges {
  readonly #plugin: ComponentPlugin;
  readonly #slot: number;
  readonly #failOpen: boolean;
  readonly #has: ReadonlySet<string>;
  readonly #modes: readonly [string, string];
  readonly #maxBody: number;
  readonly #last: string | null;

  constructor(plugin: ComponentPlugin, slot: number) {
    this.#plugin = plugin;
    this.#slot = slot;
    this.#failOpen = plugin.options.failOpen;
    this.#has = new Set(plugin.capabilities.phases);
    this.#modes = [plugin.capabilities.requestBody, plugin.capabilities.responseBody];
    this.#maxBody = plugin.capabilities.maxBody;
    this.#last = lastPhase(plugin.capabilities.phases);
  }

  requestHead(ctx: FilterContext, head: RequestHead, end: boolean): Verdict {
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx);
    if (this.#has.has("request-headers")) {
      const { method, scheme, authority, path } = head;
      const record = { method, scheme, authority, path, headers: pairs(head.fields) };
      this.#pass(stream, "request-headers", end);
      const verdict = this.#call(stream, ctx, "onRequestHeaders", record, end);
      const went = this.#head(ctx, stream, verdict, new RequestHeaders(head, NO_UNDO));
      if (went !== CONTINUE) return went;
    }
    return this.#bodyFollows(stream, head.fields, end, REQUEST);
  }

  responseHead(ctx: FilterContext, head: ResponseHead, end: boolean): Verdict {
    if (this.#isOwnReply(ctx)) return CONTINUE;
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx);
    if (this.#has.has("response-headers")) {
      const record = { status: head.status, headers: pairs(head.fields) };
      this.#pass(stream, "response-headers", end);
      const verdict = this.#call(stream, ctx, "onResponseHeaders", record, end);
      const went = this.#head(ctx, stream, verdict, new ResponseHeaders(head, NO_UNDO));
      if (went !== CONTINUE) return went;
    }
    return this.#bodyFollows(stream, head.fields, end, RESPONSE);
  }

  data(ctx: FilterContext, bytes: Uint8Array, end: boolean, way: Direction): Uint8Array {
    if (way === RESPONSE && this.#isOwnReply(ctx)) return bytes;
    const stream = this.#streamOf(ctx);
    if (stream === null) return this.#without(ctx) === DONE ? EMPTY : bytes;
    if (stream.skip) return this.#takeHeld(stream, way, bytes);
    stream.fed(bytes.length);
    if (this.#modes[way] === "streamed") return this.#body(ctx, stream, bytes, bytes, end, way);
    stream.heldBytes[way] += bytes.length;
    if (stream.heldBytes[way] > this.#maxBody) {
      stream.held[way].length = 0;
      stream.over = true;
      ctx.fail(FAULTS[way === REQUEST ? "proxy.buffer_full" : "proxy.response_buffer_full"]);
      return EMPTY;
    }
    // An empty piece that is not the last says that trailers follow: the body is whole.
    if (!end && bytes.length > 0) {
      stream.held[way].push(bytes.slice());
      return EMPTY;
    }
    const whole = this.#takeHeld(stream, way, bytes);
    if (whole.length === 0 && !end) return whole;
    return this.#body(ctx, stream, whole, whole, end, way);
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
    if (!this.#has.has(way === REQUEST ? "request-trailers" : "response-trailers") || stream.skip) {
      return CONTINUE;
    }
    const hook = way === REQUEST ? "onRequestTrailers" : "onResponseTrailers";
    const verdict = this.#call(stream, ctx, hook, pairs(fields), undefined);
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
      this.#plugin.bury(stream.instance);
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
        if (this.#fail(ctx, found, FAULTS["wasm.out_of_fuel"]) !== CONTINUE) return null;
      }
      return found;
    }
    if (found !== undefined) return null;
    const opened = this.#plugin.open();
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

  /** The same reckoning as the SDK's: after its last phase a guest has forgotten the exchange. */
  #pass(stream: ComponentStream, phase: string, end: boolean): void {
    const last = this.#last;
    if (
      phase === last ||
      (end && last === (phase === "request-headers" ? REQUEST_BODY : RESPONSE_BODY))
    ) {
      stream.passed = true;
    }
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

  /** What a head or trailers verdict does. */
  #head(
    ctx: FilterContext,
    stream: ComponentStream,
    verdict: VerdictRecord | BodyVerdictRecord | void | null,
    map: HeaderMap,
  ): Verdict {
    const said = verdict as VerdictRecord | null;
    if (said === null) return this.#lost(ctx, stream);
    if (said.tag !== "continue") return this.#ending(ctx, stream, said);
    this.#edit(map, said.val);
    return CONTINUE;
  }

  /** What a body verdict does; `untouched` goes on when the filter has nothing to say. */
  #body(
    ctx: FilterContext,
    stream: ComponentStream,
    bytes: Uint8Array,
    untouched: Uint8Array,
    end: boolean,
    way: Direction,
  ): Uint8Array {
    const buffered = this.#modes[way] === "buffered";
    const hook = way === REQUEST ? "onRequestBody" : "onResponseBody";
    if (buffered || end) this.#pass(stream, way === REQUEST ? REQUEST_BODY : RESPONSE_BODY, true);
    const verdict = this.#call(stream, ctx, hook, bytes, buffered || end) as
      | BodyVerdictRecord
      | null;
    if (verdict === null) return this.#lost(ctx, stream) === CONTINUE ? untouched : EMPTY;
    if (verdict.tag === "pass") return untouched;
    if (verdict.tag !== "continue") {
      return this.#ending(ctx, stream, verdict) === CONTINUE ? untouched : EMPTY;
    }
    const head = way === REQUEST ? ctx.request : ctx.response;
    if (buffered && head !== null) {
      const map = "status" in head
        ? new ResponseHeaders(head, NO_UNDO)
        : new RequestHeaders(head, NO_UNDO);
      this.#edit(map, verdict.val);
    }
    const { body } = verdict.val;
    if (body === undefined || !this.#may("body-write", "replace body")) return untouched;
    const made = bytesOf(body);
    // The head still waits, and the length is known again; a message with trailers states none.
    if (buffered && head !== null) {
      if (end) head.fields.set("content-length", String(made.length));
      else head.fields.remove("content-length");
    }
    return made;
  }

  #ending(
    ctx: FilterContext,
    stream: ComponentStream,
    verdict: Ending,
  ): Verdict {
    switch (verdict.tag) {
      case "respond":
        if (!this.#may("local-reply", "respond")) return CONTINUE;
        stream.over = true;
        return this.#respond(ctx, verdict.val);
      case "reset":
        if (!this.#may("local-reply", "reset")) return CONTINUE;
        this.#plugin.options.log.debug("wasm.reset", { reason: verdict.val });
        stream.over = true;
        return ctx.fail(FAULTS["wasm.reset"]);
      case "failed":
        return this.#fail(ctx, stream, this.#plugin.threw(verdict.val));
    }
  }

  #respond(ctx: FilterContext, reply: LocalResponse): Verdict {
    const lines = replyLines(reply.headers.flat());
    const wide = reply.headers.some(([, value]) => WIDE.test(value));
    const valid = lines !== null && !wide && reply.status >= 200 && reply.status <= 599;
    if (!valid) {
      this.#plugin.options.log.warn("wasm.bad_reply", { status: reply.status });
      return ctx.fail(FAULTS["wasm.trapped"]);
    }
    const body = bytesOf(reply.body);
    return ctx.respond(reply.status, new Fields(lines), body.length === 0 ? undefined : body);
  }

  /** The instance is dead: go on without it or fail, as the binding says. */
  #lost(ctx: FilterContext, stream: ComponentStream): Verdict {
    return this.#fail(ctx, stream, this.#plugin.bury(stream.instance));
  }

  #fail(ctx: FilterContext, stream: ComponentStream, fault: Fault): Verdict {
    if (this.#failOpen) {
      stream.skip = true;
      return CONTINUE;
    }
    stream.over = true;
    return ctx.fail(fault);
  }

  #bodyFollows(stream: ComponentStream, fields: Fields, end: boolean, way: Direction): Verdict {
    const mode = this.#modes[way];
    if (end || stream.skip || mode === "none") return CONTINUE;
    if (mode === "buffered") return COLLECT;
    // Pieces may change on their way, so nobody knows the length now.
    fields.remove("content-length");
    return CONTINUE;
  }

  #edit(map: HeaderMap, edits: Edits | { head: HeaderOp[]; status?: number | undefined }): void {
    const { path, method, authority, status } = edits as Edits;
    const none = edits.head.length === 0 && path === undefined && method === undefined &&
      authority === undefined && status === undefined;
    if (none || !this.#may("headers-write", "edit headers")) return;
    for (const op of edits.head) {
      if (op.tag === "remove") this.#refused(map.remove(op.val), op.val);
      else {
        const [name, value] = op.val;
        const done = !WIDE.test(value) &&
          (op.tag === "set" ? map.set(name, value) : map.add(name, value));
        this.#refused(done, name);
      }
    }
    if (path !== undefined) this.#refused(map.set(":path", path), ":path");
    if (method !== undefined) this.#refused(map.set(":method", method), ":method");
    if (authority !== undefined) this.#refused(map.set(":authority", authority), ":authority");
    if (status !== undefined) this.#refused(map.set(":status", String(status)), ":status");
  }

  #refused(done: boolean, name: string): void {
    if (!done) this.#plugin.options.log.warn("wasm.bad_header", { header: name });
  }

  #may(capability: string, call: string): boolean {
    if (this.#plugin.options.capabilities.has(capability)) return true;
    this.#plugin.denied(call);
    return false;
  }

  #takeHeld(stream: ComponentStream, way: Direction, last: Uint8Array): Uint8Array {
    const pieces = stream.held[way];
    if (pieces.length === 0) return last;
    const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, last.length));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    whole.set(last, at);
    pieces.length = 0;
    return whole;
  }
}

function bytesOf(content: Content): Uint8Array {
  return content.tag === "text" ? encoder.encode(content.val) : content.val;
}

function pairs(fields: Fields): Header[] {
  const { lines } = fields;
  const out: Header[] = new Array(lines.length >> 1);
  for (let i = 0; i < lines.length; i += 2) out[i >> 1] = [lines[i]!, lines[i + 1]!];
  return out;
}
