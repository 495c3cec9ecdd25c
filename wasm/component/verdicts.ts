/** What the answers of a component mean to its exchange: edits made, replies sent, failures told. */
import { CONTINUE, type FilterContext, type Verdict } from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { HeaderMap, replyLines, RequestHeaders, ResponseHeaders } from "../proxy_wasm/headers.ts";
import { type ComponentExchange, type Direction, EMPTY, REQUEST_WAY } from "./exchange.ts";
import type { ComponentPlugin } from "./plugin.ts";
import { lastPhase } from "./wit.ts";
import type {
  BodyVerdictRecord,
  Content,
  Edits,
  Ending,
  HeaderOp,
  LocalResponse,
  VerdictRecord,
} from "./wit.ts";

const encoder = new TextEncoder();

/** A char that is no byte: cut down to one on the wire, U+010A would be a line feed. */
const WIDE = /[^\0-\xff]/;

/** Edits are made after the call has come back, so there is nothing to undo. */
export const NO_UNDO = { changed(): void {} };

export class Verdicts {
  readonly #plugin: ComponentPlugin;
  readonly #failOpen: boolean;
  readonly #last: string | null;

  constructor(plugin: ComponentPlugin) {
    this.#plugin = plugin;
    this.#failOpen = plugin.options.failOpen;
    this.#last = lastPhase(plugin.capabilities.phases);
  }

  /** The same reckoning as the SDK's: after its last phase a guest has forgotten the exchange. */
  pass(exchange: ComponentExchange, phase: string, end: boolean): void {
    const last = this.#last;
    if (
      phase === last ||
      (end && last === (phase === "request-headers" ? "request-body" : "response-body"))
    ) {
      exchange.passed = true;
    }
  }

  /** What a head or trailers verdict does. */
  head(
    ctx: FilterContext,
    exchange: ComponentExchange,
    said: VerdictRecord,
    map: HeaderMap,
  ): Verdict {
    if (said.tag !== "continue") return this.#ending(ctx, exchange, said);
    this.#edit(map, said.val);
    return CONTINUE;
  }

  /** What a body verdict does: the bytes that go on; `untouched` when the filter has nothing to say. */
  body(
    ctx: FilterContext,
    exchange: ComponentExchange,
    verdict: BodyVerdictRecord,
    untouched: Uint8Array,
    how: { readonly way: Direction; readonly buffered: boolean; readonly end: boolean },
  ): Uint8Array {
    const { way, buffered, end } = how;
    if (verdict.tag === "pass") return untouched;
    if (verdict.tag !== "continue") {
      return this.#ending(ctx, exchange, verdict) === CONTINUE ? untouched : EMPTY;
    }
    const head = way === REQUEST_WAY ? ctx.request : ctx.response;
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

  /** Go on without the filter or fail, as the binding says. */
  fail(ctx: FilterContext, exchange: ComponentExchange, fault: Fault): Verdict {
    if (this.#failOpen) {
      exchange.skip = true;
      return CONTINUE;
    }
    exchange.over = true;
    return ctx.fail(fault);
  }

  #ending(ctx: FilterContext, exchange: ComponentExchange, verdict: Ending): Verdict {
    switch (verdict.tag) {
      case "respond":
        if (!this.#may("local-reply", "respond")) return CONTINUE;
        exchange.over = true;
        return this.#respond(ctx, verdict.val);
      case "reset":
        if (!this.#may("local-reply", "reset")) return CONTINUE;
        this.#plugin.options.log.debug("wasm.reset", { reason: verdict.val });
        exchange.over = true;
        return ctx.fail(FAULTS["wasm.reset"]);
      case "failed":
        return this.fail(ctx, exchange, this.#plugin.threw(verdict.val));
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

  #edit(map: HeaderMap, edits: Edits | { head: HeaderOp[]; status?: number | undefined }): void {
    const { path, method, authority, status } = edits as Edits;
    const none = edits.head.length === 0 && path === undefined && method === undefined &&
      authority === undefined && status === undefined;
    if (none || !this.#may("headers-write", "edit headers")) return;
    for (const op of edits.head) {
      if (op.tag === "remove") {
        if (this.#mayHeader("remove", op.val)) this.#refused(map.remove(op.val), op.val);
      } else {
        const [name, value] = op.val;
        if (!this.#mayHeader("write", name)) continue;
        const done = !WIDE.test(value) &&
          (op.tag === "set" ? map.set(name, value) : map.add(name, value));
        this.#refused(done, name);
      }
    }
    if (path !== undefined && this.#mayHeader("write", ":path")) {
      this.#refused(map.set(":path", path), ":path");
    }
    if (method !== undefined && this.#mayHeader("write", ":method")) {
      this.#refused(map.set(":method", method), ":method");
    }
    if (authority !== undefined && this.#mayHeader("write", ":authority")) {
      this.#refused(map.set(":authority", authority), ":authority");
    }
    if (status !== undefined && this.#mayHeader("write", ":status")) {
      this.#refused(map.set(":status", String(status)), ":status");
    }
  }

  #refused(done: boolean, name: string): void {
    if (!done) this.#plugin.options.log.warn("wasm.bad_header", { header: name });
  }

  #mayHeader(rule: "write" | "remove", name: string): boolean {
    if (this.#plugin.permits[rule].allows(name.toLowerCase())) return true;
    this.#plugin.denied(`${rule} header ${name.slice(0, 100)}`);
    return false;
  }

  #may(capability: string, call: string): boolean {
    if (this.#plugin.options.capabilities.has(capability)) return true;
    this.#plugin.denied(call);
    return false;
  }
}

function bytesOf(content: Content): Uint8Array {
  return content.tag === "text" ? encoder.encode(content.val) : content.val;
}
