/** Ends an exchange, or one attempt of it, that takes too long. */
import { CONTINUE, type Filter, type FilterEnv } from "../../core/filter.ts";
import { parseTimeoutConfig } from "./config.ts";
import { withDeadlines } from "./deadline.ts";
import { Timeouts } from "./timers.ts";

/**
 * Builds the filter with the hooks its configuration needs and no others.
 *
 * In a chain with retry, a filter with `backendRequestMs` stands after retry: attempt hooks run in
 * chain order, so the attempt's clock then starts when the back-off is over. Before retry it works
 * too, but the back-off counts as part of the attempt.
 */
export function createTimeoutFilter(config: unknown, env: FilterEnv): Filter {
  const parsed = parseTimeoutConfig(config);
  const timeouts = new Timeouts(parsed, env);
  const filter: Filter = {
    onEnd: (ctx) => timeouts.disarmAll(ctx),
    onResponseHead: (ctx, head) => {
      if (ctx.request.upgrade !== undefined) timeouts.switched(ctx, head.status);
      return CONTINUE;
    },
  };
  if (parsed.requestMs > 0) {
    filter.onRequestHead = (ctx) => {
      timeouts.armRequest(ctx);
      return CONTINUE;
    };
  }
  if (parsed.requestMs > 0 && parsed.untilHead) {
    filter.onRequestData = (ctx, bytes) => {
      if (ctx.response === null) timeouts.armRequest(ctx);
      return bytes;
    };
    filter.onResponseHead = (ctx, head) => {
      timeouts.disarmRequest(ctx);
      if (ctx.request.upgrade !== undefined) timeouts.switched(ctx, head.status);
      return CONTINUE;
    };
  }
  if (parsed.backendRequestMs > 0) {
    filter.onAttempt = (ctx) => {
      timeouts.armAttempt(ctx);
      return CONTINUE;
    };
    filter.onOutcome = (ctx, outcome) => {
      timeouts.attemptSettled(ctx, outcome);
      return CONTINUE;
    };
  }
  return parsed.grpc ? withDeadlines(filter, timeouts) : filter;
}
