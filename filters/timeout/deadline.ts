/**
 * gRPC in the timeout filter. A call may bring a deadline of its own (`grpc-timeout`), counted from its
 * head, and may be a stream that lives for hours with long silences. So for gRPC requests:
 *
 *   deadline    the client's, always; what is left of it is what a later attempt says
 *   requestMs   from the end of the request on: a stream that the client keeps open is under no limit
 *   untilHead   no limit at all, since a server answers a stream when it has something to say
 *
 * Whatever else comes by the same route keeps the plain rules.
 */
import { FAULTS } from "../../core/fault.ts";
import { CONTINUE, type Filter, type FilterContext } from "../../core/filter.ts";
import type { Fields } from "../../core/fields.ts";
import { grpcTimeout, grpcTimeoutMs, isGrpc } from "../../core/grpc.ts";
import { RequestTimer, type Timeouts } from "./timers.ts";

/** The clock of one gRPC call. */
class CallTimer extends RequestTimer {
  /** Monotonic milliseconds; Infinity: the client set none. */
  deadlineAtMs = Infinity;
  requestEnded = false;
  /** An attempt is under way. */
  attempting = false;
}

/** The filter `plain` with the rules above for gRPC requests. */
export function withDeadlines(plain: Filter, timeouts: Timeouts): Filter {
  const { requestMs, backendRequestMs, untilHead } = timeouts.config;
  const limitMs = untilHead ? 0 : requestMs;
  // A filter that limits attempts only stands behind one that keeps the deadline.
  const keepsDeadline = requestMs > 0 || backendRequestMs === 0;
  const call = (ctx: FilterContext): CallTimer | null => {
    const timers = timeouts.state(ctx);
    return timers instanceof CallTimer ? timers : null;
  };
  const begin = (ctx: FilterContext, fields: Fields): CallTimer => {
    const timer = new CallTimer(ctx, timeouts);
    timeouts.keep(ctx, timer);
    const text = keepsDeadline ? fields.get("grpc-timeout") : undefined;
    const ms = text === undefined ? -1 : grpcTimeoutMs(text); // a malformed one is for the server to refuse
    if (ms < 0) return timer;
    timer.deadlineAtMs = timeouts.nowMs() + ms;
    timer.fault = FAULTS["timeout.deadline"];
    timeouts.arm(timer, ms);
    return timer;
  };
  const requestEnds = (ctx: FilterContext, timer: CallTimer): void => {
    timer.requestEnded = true;
    if (timer.attempting) timeouts.armAttempt(ctx);
    if (limitMs === 0 || timeouts.nowMs() + limitMs >= timer.deadlineAtMs) return;
    timer.fault = FAULTS["timeout.request"];
    timeouts.arm(timer, limitMs);
  };

  return {
    ...plain,
    onRequestHead: (ctx, head, end) => {
      if (!isGrpc(head.fields)) return plain.onRequestHead?.(ctx, head, end) ?? CONTINUE;
      const timer = begin(ctx, head.fields);
      if (end) requestEnds(ctx, timer);
      return CONTINUE;
    },
    onRequestData: (ctx, bytes, end) => {
      const timer = call(ctx);
      if (timer === null) return plain.onRequestData?.(ctx, bytes, end) ?? bytes;
      if (end) requestEnds(ctx, timer);
      return bytes;
    },
    onRequestTrailers: (ctx) => {
      const timer = call(ctx);
      if (timer !== null) requestEnds(ctx, timer);
      return CONTINUE;
    },
    onResponseHead: (ctx, head, end) =>
      call(ctx) === null ? plain.onResponseHead?.(ctx, head, end) ?? CONTINUE : CONTINUE,
    onAttempt: (ctx, nth) => {
      const timer = call(ctx);
      if (timer === null) return plain.onAttempt?.(ctx, nth) ?? CONTINUE;
      if (nth > 1 && timer.deadlineAtMs < Infinity) {
        const leftMs = timer.deadlineAtMs - timeouts.nowMs();
        ctx.request.fields.set("grpc-timeout", grpcTimeout(leftMs));
      }
      timer.attempting = backendRequestMs > 0;
      if (timer.requestEnded && timer.attempting) timeouts.armAttempt(ctx);
      return CONTINUE;
    },
  };
}
