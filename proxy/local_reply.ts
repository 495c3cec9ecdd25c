/** The one place that turns a fault into a response. */
import type { FilterContext, Verdict } from "../core/filter.ts";
import type { Fault } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";

const encoder = new TextEncoder();

/** Answers with the fault's status, its code in `denim-fault`, and one sentence a person can act on. */
export function localReply(ctx: FilterContext, fault: Fault): Verdict {
  const fields = new Fields([
    "content-type",
    "text/plain; charset=utf-8",
    "denim-fault",
    fault.code,
  ]);
  const text = `${fault.detail} (${fault.code})\n`;
  return ctx.respond(fault.status, fields, encoder.encode(text));
}
