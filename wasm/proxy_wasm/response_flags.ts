/** Envoy's response flags: one bit for each way an exchange can go wrong that it has a name for. */
import type { Fault } from "../../core/fault.ts";

const FLAGS: Readonly<Record<string, number>> = {
  "backend.no_endpoint": 0x2, // no healthy upstream
  "timeout.request": 0x4, // upstream request timeout
  "timeout.backend": 0x4,
  "timeout.deadline": 0x4,
  "upstream.reset": 0x10, // upstream remote reset
  "upstream.stale": 0x40, // upstream connection termination
  "breaker.overflow": 0x80, // upstream overflow
  "breaker.open": 0x80,
  "route.none": 0x100, // no route found
  "route.unknown_host": 0x100,
  "route.no_backend": 0x100,
  "ext_authz.unavailable": 0x1000, // unauthorized external service
  "downstream.gone": 0x4000, // downstream connection termination
};

/** For faults of connecting, whatever went wrong there. */
const UPSTREAM_CONNECTION_FAILURE = 0x20;

export function responseFlags(fault: Fault | null): number {
  if (fault === null) return 0;
  if (Object.hasOwn(FLAGS, fault.code)) return FLAGS[fault.code]!;
  return fault.source === "upstream" && !fault.sent ? UPSTREAM_CONNECTION_FAILURE : 0;
}
