/** One exchange as a component's filter keeps it: on its books, and with the body bytes held for it. */
import { concat } from "../../core/bytes.ts";
import { COLLECT, CONTINUE, type FilterContext, type Verdict } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { NameRule } from "../permissions.ts";
import { ExchangeAccount } from "../route_costs.ts";
import type { BodyMode, Header, RequestHeadRecord, ResponseHeadRecord } from "./wit.ts";

export const REQUEST_WAY = 0 as const, RESPONSE_WAY = 1 as const;
export type Direction = typeof REQUEST_WAY | typeof RESPONSE_WAY;

/** By {@link Direction}. */
export const BODY = {
  phase: ["request-body", "response-body"],
  hook: ["onRequestBody", "onResponseBody"],
} as const;
export const TRAILERS = {
  phase: ["request-trailers", "response-trailers"],
  hook: ["onRequestTrailers", "onResponseTrailers"],
} as const;
const TOO_LARGE = ["proxy.buffer_full", "proxy.response_buffer_full"] as const;

export const EMPTY = new Uint8Array(0);

export abstract class ComponentExchange extends ExchangeAccount {
  /** Goes on without the filter from here. */
  skip = false;
  /** A local reply or a fault of this filter ended the exchange. */
  over = false;
  /** The last of the phases the filter asked for has been called: it has forgotten the exchange. */
  passed = false;
  readonly properties: Map<string, Uint8Array> = new Map();
  /** Body bytes held until the last has come, by direction. */
  readonly held: [Uint8Array[], Uint8Array[]] = [[], []];
  readonly heldBytes: [number, number] = [0, 0];

  /** The body once it is whole, maybe `bytes` themselves; null before, and when it has more than `most` bytes. */
  collect(
    ctx: FilterContext,
    bytes: Uint8Array,
    end: boolean,
    way: Direction,
    most: number,
  ): Uint8Array | null {
    this.heldBytes[way] += bytes.length;
    if (this.heldBytes[way] > most) {
      this.held[way].length = 0;
      this.over = true;
      ctx.fail(FAULTS[TOO_LARGE[way]]);
      return null;
    }
    // An empty piece that is not the last says that trailers follow: the body is whole.
    if (end || bytes.length === 0) return this.takeHeld(way, bytes);
    this.held[way].push(bytes.slice());
    return null;
  }

  /** What is held and what came last, in one; nothing is held any more. */
  takeHeld(way: Direction, last: Uint8Array): Uint8Array {
    const whole = joined(this.held[way], last);
    this.held[way].length = 0;
    return whole;
  }

  /** What a head meets whose body goes to the filter by `mode`. */
  bodyFollows(mode: BodyMode, fields: Fields, end: boolean): Verdict {
    if (end || this.skip || mode === "none") return CONTINUE;
    if (mode === "buffered") return COLLECT;
    // Pieces may change on their way, so nobody knows the length now.
    fields.remove("content-length");
    return CONTINUE;
  }
}

export function requestRecord(head: RequestHead, rule: NameRule): RequestHeadRecord {
  const { method, scheme, authority, path } = head;
  return { method, scheme, authority, path, headers: pairs(head.fields, rule) };
}

export function responseRecord(
  { status, fields }: ResponseHead,
  rule: NameRule,
): ResponseHeadRecord {
  return { status, headers: pairs(fields, rule) };
}

/** The lines the filter may see. */
export function pairs(fields: Fields, rule: NameRule): Header[] {
  return headersOf(rule.visible(fields.lines));
}

export function headersOf(lines: readonly string[]): Header[] {
  const out: Header[] = new Array(lines.length >> 1);
  for (let i = 0; i < lines.length; i += 2) out[i >> 1] = [lines[i]!, lines[i + 1]!];
  return out;
}

/** Pieces of a body and what comes last, in one. */
export function joined(pieces: readonly Uint8Array[], last: Uint8Array): Uint8Array {
  return pieces.length === 0 ? last : concat([...pieces, last]);
}
