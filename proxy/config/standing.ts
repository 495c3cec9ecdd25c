/** The filter every chain begins with: what a hop must say of itself and must not let through. */
import { latin1 } from "../../core/bytes.ts";
import { CONTINUE, type Filter, type FilterContext, type Verdict } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Random } from "../../core/clock.ts";
import { addressOf } from "../entry.ts";
import { hopsIn, type Via } from "./via.ts";

export type Role = "inbound" | "outbound" | "gateway";

/** The standing filter of a listener's role. */
export function standingFilters(role: Role, via: Via, random: Random): Filter[] {
  return [new Standing(role, via, new RequestIds(random))];
}

/**
 * On every listener: nobody but a proxy says who the caller is. Where the caller is a stranger (an edge,
 * and an inbound listener without mTLS) nobody else says where the request came from either, and what a
 * proxy passed on comes with what we know instead. Every request has an id.
 */
class Standing implements Filter {
  readonly #role: Role;
  readonly #via: Via;
  readonly #ids: RequestIds;

  constructor(role: Role, via: Via, ids: RequestIds) {
    this.#role = role;
    this.#via = via;
    this.#ids = ids;
  }

  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    const role = this.#role;
    const stranger = role === "gateway" || (role === "inbound" && ctx.peer === "");
    const { fields } = head;
    const { lines } = fields;
    let hops = 0, named = false;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i]!;
      const first = name.charCodeAt(0);
      // All names that concern us begin with x, f or v: one look spares most fields the rest.
      if (first === V) {
        if (name === "via") hops += hopsIn(lines[i + 1]!);
      } else if (first !== X && first !== F) continue;
      else if (name === "x-request-id" && !stranger) named = true;
      else {
        const claim = claimOf(name);
        if (claim === NONE || (claim === ORIGIN && !stranger)) continue;
        fields.remove(name);
        i -= 2;
      }
    }
    if (hops > 0 && this.#via.loops(fields, hops)) return ctx.fail(FAULTS["route.loop"]);
    if (head.version !== undefined) this.#via.onRequest(fields, head.version);
    if (stranger) {
      fields.append("x-forwarded-for", addressOf(ctx.remote));
      fields.append("x-forwarded-host", head.authority);
      fields.append("x-forwarded-proto", head.scheme);
    }
    if (!named) fields.append("x-request-id", this.#ids.next());
    if (role === "inbound" && !stranger) fields.append("x-denim-peer", ctx.peer);
    return CONTINUE;
  }

  /** What we answer ourselves nobody has passed on. */
  onResponseHead(_ctx: FilterContext, head: ResponseHead): Verdict {
    if (head.version !== undefined) this.#via.onResponse(head.fields, head.version);
    return CONTINUE;
  }
}

const V = 0x76, X = 0x78, F = 0x66;

/** What a field claims: who the caller is, where the request first came from, or neither. */
const NONE = 0, IDENTITY = 1, ORIGIN = 2;

function claimOf(name: string): typeof NONE | typeof IDENTITY | typeof ORIGIN {
  // Servers that make variables of fields take both signs for the same one.
  if (name.includes("_")) name = name.replaceAll("_", "-");
  if (name === "x-forwarded-client-cert" || name.startsWith("x-denim-")) return IDENTITY;
  if (name.startsWith("x-forwarded-") || ORIGINS.has(name)) return ORIGIN;
  return NONE;
}

/** An id is an edge's to give as well: one that a stranger chose can be anybody's. */
const ORIGINS: ReadonlySet<string> = new Set(["forwarded", "x-real-ip", "x-request-id"]);

/** Ids by which requests are found in logs: 64 random bits and a count, as hexadecimal digits; no secret. */
class RequestIds {
  /** The last one. Made of bytes, an id is a flat string: of two strings it would be joined at its first use. */
  readonly #digits = new Uint8Array(24).fill(ZERO);

  constructor(random: Random) {
    for (let i = 0; i < 16; i++) this.#digits[i] = HEX.charCodeAt(Math.floor(random() * 16));
  }

  next(): string {
    const digits = this.#digits;
    for (let i = digits.length - 1; i >= 16; i--) {
      const digit = digits[i]!;
      digits[i] = digit === NINE ? A : digit + 1;
      if (digit !== LAST) break;
      digits[i] = ZERO;
    }
    return latin1(digits, 0, digits.length);
  }
}

const HEX = "0123456789abcdef";
const ZERO = 0x30, NINE = 0x39, A = 0x61, LAST = 0x66;
