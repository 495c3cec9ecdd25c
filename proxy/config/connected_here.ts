/** CONNECT to a Service of HTTP, as clients send it that tunnel whatever their HTTP_PROXY leads to. */
import type { Filter, FilterContext, Verdict } from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { RequestHead } from "../../core/message.ts";

/**
 * Agrees to the tunnel and ends it here: what comes through it are requests like all others, which are
 * routed, counted and retried one by one. Only a workload's own way out does so; elsewhere it is refused.
 */
export class ConnectedHere implements Filter {
  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    if (head.here === undefined) return ctx.fail(FAULTS["route.no_tunnel"]);
    head.here = "taken";
    return ctx.respond(200);
  }
}
