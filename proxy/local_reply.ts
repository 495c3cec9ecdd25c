/** The one place that turns a fault into a response. */
import type { FilterContext, Verdict } from "../core/filter.ts";
import { type Fault, FAULTS } from "../core/fault.ts";
import { Fields } from "../core/fields.ts";

/** Overload is left at the earliest after about a second. */
const RETRY_AFTER_S = "1";

const encoder = new TextEncoder();

/** Answers with the fault's status, its code in `denim-fault`, and one sentence a person can act on. */
export function localReply(ctx: FilterContext, fault: Fault): Verdict {
  const fields = new Fields([
    "content-type",
    "text/plain; charset=utf-8",
    "denim-fault",
    fault.code,
  ]);
  if (fault === FAULTS["proxy.overloaded"]) fields.append("retry-after", RETRY_AFTER_S);
  const text = `${fault.detail} (${fault.code})\n`;
  return ctx.respond(fault.status, fields, encoder.encode(text));
}
