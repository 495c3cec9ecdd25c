/** What an attempt says of its endpoint: the one rule by which outliers are ejected and breakers count. */
import type { Outcome } from "./filter.ts";
import { httpOfGrpc } from "./grpc.ts";

export const GOOD = 0 as const, BAD = 1 as const, NEUTRAL = 2 as const;
export type Judgement = typeof GOOD | typeof BAD | typeof NEUTRAL;

/** Judges one attempt. NEUTRAL: the endpoint had no part in how it ended. */
export function judge(outcome: Outcome): Judgement {
  const { fault, status, grpcStatus } = outcome;
  if (fault === null) return (grpcStatus > 0 ? httpOfGrpc(grpcStatus) : status) >= 500 ? BAD : GOOD;
  switch (fault.code) {
    case "timeout.request":
    case "timeout.backend":
    case "call.timeout":
      return BAD;
    case "upstream.stale": // it closed an idle connection, as it may
    case "h2.goaway": // it drains, or the next process has its place already
    case "upstream.overflow": // our own limit
      return NEUTRAL;
    default:
      return fault.source === "upstream" ? BAD : NEUTRAL;
  }
}
