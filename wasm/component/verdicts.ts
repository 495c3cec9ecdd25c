/** What the answers of a component mean to its exchange: edits made, replies sent, failures told. */
import { concat } from "../../core/bytes.ts";
import { CONTINUE, type FilterContext, type Verdict } from "../../core/filter.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import { Fields } from "../../core/fields.ts";
import { HeaderMap, replyLines, RequestHeaders, ResponseHeaders } from "../proxy_wasm/headers.ts";
import type { NameRule } from "../permissions.ts";
import type { ComponentPlugin } from "./plugin.ts";
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

export const REQUEST_WAY = 0 as const, RESPONSE_WAY = 1 as const;
export type Direction = typeof REQUEST_WAY | typeof RESPONSE_WAY;

export const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();

/** A char that is no byte: cut down to one on the wire, U+010A would be a line feed. */
const WIDE = /[^\0-\xff]/;

/** Edits are made after the call has come back, so there is nothing to undo. */
export const NO_UNDO = { changed(): void {} };

/** How far an exchange has come with its filter. */
export interface Progress {
  /** Goes on without the filter from here. */
  skip: boolean;
  /** A local reply or a fault of this filter ended the exchange. */
  over: boolean;
  /** The last of the phases the filter asked for has been called: it has forgotten the exchange. */
  passed: boolean;
}

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
  pass(progress: Progress, phase: string, end: boolean): void {
    const last = this.#last;
    if (
      phase === last ||
      (end && last === (phase === "request-headers" ? "request-body" : "response-body"))
    ) {
      progress.passed = true;
    }
  }

  /** What a head or trailers verdict does. */
  head(ctx: FilterContext, progress: Progress, said: VerdictRecord, map: HeaderMap): Verdict {
    if (said.tag !== "continue") return this.#ending(ctx, progress, said);
    this.#edit(map, said.val);
    return CONTINUE;
  }

  /** What a body verdict does: the bytes that go on; `untouched` when the filter has nothing to say. */
  body(
    ctx: FilterContext,
    progress: Progress,
    verdict: BodyVerdictRecord,
    untouched: Uint8Array,
    how: { readonly way: Direction; readonly buffered: boolean; readonly end: boolean },
  ): Uint8Array {
    const { way, buffered, end } = how;
    if (verdict.tag === "pass") return untouched;
    if (verdict.tag !== "continue") {
      return this.#ending(ctx, progress, verdict) === CONTINUE ? untouched : EMPTY;
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
  fail(ctx: FilterContext, progress: Progress, fault: Fault): Verdict {
    if (this.#failOpen) {
      progress.skip = true;
      return CONTINUE;
    }
    progress.over = true;
    return ctx.fail(fault);
  }

  #ending(ctx: FilterContext, progress: Progress, verdict: Ending): Verdict {
    switch (verdict.tag) {
      case "respond":
        if (!this.#may("local-reply", "respond")) return CONTINUE;
        progress.over = true;
        return this.#respond(ctx, verdict.val);
      case "reset":
        if (!this.#may("local-reply", "reset")) return CONTINUE;
        this.#plugin.options.log.debug("wasm.reset", { reason: verdict.val });
        progress.over = true;
        return ctx.fail(FAULTS["wasm.reset"]);
      case "failed":
        return this.fail(ctx, progress, this.#plugin.threw(verdict.val));
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

/** Pieces of a body and what comes last, in one. */
export function joined(pieces: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  return pieces.length === 0 ? last : concat([...pieces, last]);
}

/** The lines the filter may see. */
export function pairs(fields: Fields, rule: NameRule): Header[] {
  const lines = rule.visible(fields.lines);
  const out: Header[] = new Array(lines.length >> 1);
  for (let i = 0; i < lines.length; i += 2) out[i >> 1] = [lines[i]!, lines[i + 1]!];
  return out;
}

function bytesOf(content: Content): Uint8Array {
  return content.tag === "text" ? encoder.encode(content.val) : content.val;
}
