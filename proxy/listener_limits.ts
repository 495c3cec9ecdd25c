/** What an accepted connection may do to us, with a bound for each; `--limit` changes them. */
import type { PatienceLimits } from "./patience.ts";

/** Named limits of accepted connections; `tests/integration/listener_limits_test.ts` drives each. */
export interface ListenerLimits extends PatienceLimits {
  /** More are closed as they come: the listener must not take the whole process with it. */
  readonly maxConnections: number;
  /** Without one byte in either direction in a tunnel (WebSocket, TCP). */
  readonly tunnelIdleMs: number;
  /** How long a running exchange may go on after its peer's certificate expired or was revoked. */
  readonly distrustGraceMs: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  maxConnections: 20_000,
  headTimeoutMs: 10_000,
  bodyTimeoutMs: 30_000,
  bodyMinRate: 100,
  idleTimeoutMs: 120_000,
  stallTimeoutMs: 300_000,
  tunnelIdleMs: 3_600_000,
  distrustGraceMs: 10_000,
};
