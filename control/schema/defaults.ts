/** What holds where neither a policy nor MeshConfig says otherwise. */
import { WASM_LIMITS } from "../../wasm/limits.ts";
import type { RetryCondition, RetryConfig } from "../../filters/retry/config.ts";
import type { OutlierSpec, PoolSpec } from "./snapshot.ts";

export const TIMEOUT_DEFAULTS = { requestMs: 15_000, backendRequestMs: 0 } as const;

/** Once, and only what is safe to repeat; the budget keeps a failing backend from getting double load. */
export const RETRY_DEFAULTS: RetryConfig = {
  attempts: 1,
  codes: [502, 503, 504],
  on: ["connect-failure", "reset", "status"],
  backoffMs: 25,
  backoffMaxMs: 250,
  budgetPercent: 20,
  budgetIntervalMs: 10_000,
  minRetriesPerSecond: 10,
};

/** Conditions of an HTTPRoute's own `retry`, which the Gateway API wants to cover all of these. */
export const ROUTE_RETRY_ON: readonly RetryCondition[] = [
  "connect-failure",
  "reset",
  "status",
  "timeout",
];

/**
 * Between a sidecar and its app only what never left is sent again: the app may have closed an idle
 * connection. The hop is local, so no budget is needed to protect it.
 */
export const INBOUND_RETRY: RetryConfig = {
  attempts: 2,
  codes: [],
  on: ["connect-failure"],
  backoffMs: 0,
  backoffMaxMs: 0,
  budgetPercent: 100,
  budgetIntervalMs: 10_000,
  minRetriesPerSecond: 100,
};

export const POOL_DEFAULTS: PoolSpec = {
  maxConnections: 1024,
  maxPending: 1024,
  idleTimeoutMs: 30_000,
};
export const CONNECT_TIMEOUT_MS = 3_000;

export const OUTLIER_DEFAULTS: OutlierSpec = {
  consecutive5xx: 5,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 50,
};

/** What clocks of a mesh and of issuers are commonly apart at most. */
export const JWT_DEFAULTS = { clockSkewMs: 60_000 } as const;

/** A breaker stands in a chain only where a policy asks for one. */
export const BREAKER_DEFAULTS = { maxRequests: 0, consecutiveFailures: 0, openMs: 30_000 } as const;

export const BALANCER_DEFAULT = "p2c" as const;

export const FILTER_DEFAULTS = {
  phase: "TRANSFORM",
  priority: 0,
  fuelPerCall: WASM_LIMITS.fuelPerCall,
  memoryBytes: WASM_LIMITS.memoryBytes,
  failMode: "closed",
} as const;
