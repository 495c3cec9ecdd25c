/**
 * Which traffic settings hold in one place. Each field is taken from the most specific level that sets it:
 *
 *   rule of the HTTPRoute → TrafficPolicy of the HTTPRoute → … of the backend's Service → … of the Service it is
 *   a subset of (`from`) → … of the parent (Gateway or Service) → MeshConfig → built in
 */
import type { BreakerConfig } from "../../filters/breaker/config.ts";
import type { RetryConfig } from "../../filters/retry/config.ts";
import { durationMs, fullName } from "../schema/common.ts";
import {
  BALANCER_DEFAULT,
  BREAKER_DEFAULTS,
  CONNECT_TIMEOUT_MS,
  OUTLIER_DEFAULTS,
  POOL_DEFAULTS,
  RETRY_DEFAULTS,
  ROUTE_RETRY_ON,
  TIMEOUT_DEFAULTS,
} from "../schema/defaults.ts";
import type { TimeoutConfig } from "../schema/filter_config.ts";
import type { HttpRouteRule } from "../schema/http_route.ts";
import type { Service } from "../schema/service.ts";
import type { BackendSpec } from "../schema/snapshot.ts";
import type { TrafficSettings } from "../schema/traffic_policy.ts";
import type { Mesh, TargetKind } from "./mesh.ts";

/** Settings and who set them, `namespace/name`. */
export interface Level {
  readonly name: string;
  readonly settings: TrafficSettings;
}

const BUILT_IN = "denim-system/default";

export function targetLevels(mesh: Mesh, kind: TargetKind, name: string): Level[] {
  return mesh.policies(kind, name).map((one) => ({ name: fullName(one), settings: one.spec }));
}

/** The levels of a Service, then of the Service it is a subset of. */
export function serviceLevels(mesh: Mesh, service: Service): Level[] {
  const { namespace, name } = service.metadata;
  const own = targetLevels(mesh, "Service", `${namespace}/${name}`);
  const { from } = service.spec;
  if (from === undefined || from === name) return own;
  return [...own, ...targetLevels(mesh, "Service", `${namespace}/${from}`)];
}

export function meshLevel(mesh: Mesh): Level {
  return { name: BUILT_IN, settings: mesh.defaults };
}

/** A rule's own timeouts and retry, as a level. */
export function ruleLevel(name: string, rule: HttpRouteRule): Level {
  const { timeouts, retry } = rule;
  const settings: TrafficSettings = {};
  if (timeouts !== undefined) settings.timeouts = timeouts;
  if (retry !== undefined) {
    settings.retry = { on: [...ROUTE_RETRY_ON], ...retry };
  }
  return { name, settings };
}

/** The name of the first level that says anything about `part`. */
export function sourceOf(levels: readonly Level[], part: keyof TrafficSettings): string {
  return levels.find((level) => level.settings[part] !== undefined)?.name ?? BUILT_IN;
}

export function timeoutOf(levels: readonly Level[]): TimeoutConfig {
  const merged = layered(levels.map((level) => level.settings.timeouts));
  const backendRequestMs = merged.backendRequest === undefined
    ? TIMEOUT_DEFAULTS.backendRequestMs
    : durationMs(merged.backendRequest);
  if (merged.request !== undefined) {
    const requestMs = durationMs(merged.request);
    // The two may come from different levels; an attempt cannot outlast its exchange.
    if (requestMs === 0 || backendRequestMs <= requestMs) return { requestMs, backendRequestMs };
    return { requestMs, backendRequestMs: requestMs };
  }
  // Somebody who allows one attempt more than the default did not mean to be cut by the default.
  const requestMs = Math.max(TIMEOUT_DEFAULTS.requestMs, backendRequestMs);
  // Nor did somebody who set nothing mean to cut a long download or an event stream.
  return { requestMs, backendRequestMs, untilHead: true };
}

export function retryOf(levels: readonly Level[]): RetryConfig {
  const merged = layered(levels.map((level) => level.settings.retry));
  const budget = layered(levels.map((level) => level.settings.retry?.budget));
  const backoffMs = merged.backoff === undefined
    ? RETRY_DEFAULTS.backoffMs
    : durationMs(merged.backoff);
  return {
    attempts: merged.attempts ?? RETRY_DEFAULTS.attempts,
    codes: merged.codes ?? RETRY_DEFAULTS.codes,
    on: merged.on ?? RETRY_DEFAULTS.on,
    backoffMs,
    backoffMaxMs: Math.max(RETRY_DEFAULTS.backoffMaxMs, backoffMs * 10),
    budgetPercent: budget.percent ?? RETRY_DEFAULTS.budgetPercent,
    budgetIntervalMs: budget.interval === undefined
      ? RETRY_DEFAULTS.budgetIntervalMs
      : durationMs(budget.interval),
    minRetriesPerSecond: budget.minRetriesPerSecond ?? RETRY_DEFAULTS.minRetriesPerSecond,
  };
}

/** Null: nobody asked for one. */
export function breakerOf(levels: readonly Level[]): BreakerConfig | null {
  const merged = layered(levels.map((level) => level.settings.circuitBreaker));
  if (merged.maxRequests === undefined && merged.consecutiveFailures === undefined) return null;
  return {
    maxRequests: merged.maxRequests ?? BREAKER_DEFAULTS.maxRequests,
    consecutiveFailures: merged.consecutiveFailures ?? BREAKER_DEFAULTS.consecutiveFailures,
    openMs: merged.openFor === undefined ? BREAKER_DEFAULTS.openMs : durationMs(merged.openFor),
  };
}

/** The way to a backend, which all routes to it share. */
export function backendSettings(
  levels: readonly Level[],
): Pick<BackendSpec, "balancer" | "connectTimeoutMs" | "pool" | "outlier"> {
  const breaker = layered(levels.map((level) => level.settings.circuitBreaker));
  const outlier = layered(levels.map((level) => level.settings.outlierDetection));
  const connections = layered(levels.map((level) => level.settings.connections));
  const consecutive5xx = outlier.consecutive5xx ?? OUTLIER_DEFAULTS.consecutive5xx;
  return {
    balancer: balancerOf(levels),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    pool: {
      maxConnections: breaker.maxConnections ?? POOL_DEFAULTS.maxConnections,
      maxPending: breaker.maxPending ?? POOL_DEFAULTS.maxPending,
      idleTimeoutMs: connections.idleTimeout === undefined
        ? POOL_DEFAULTS.idleTimeoutMs
        : durationMs(connections.idleTimeout),
      ...(connections.maxAge === undefined ? {} : { maxAgeMs: durationMs(connections.maxAge) }),
      ...(connections.warmUp === undefined ? {} : { warmUp: connections.warmUp }),
    },
    outlier: consecutive5xx === 0 ? null : {
      consecutive5xx,
      baseEjectionMs: outlier.baseEjection === undefined
        ? OUTLIER_DEFAULTS.baseEjectionMs
        : durationMs(outlier.baseEjection),
      maxEjectionPercent: outlier.maxEjectionPercent ?? OUTLIER_DEFAULTS.maxEjectionPercent,
    },
  };
}

/** As a whole: a header to hash by means nothing to another level's algorithm. */
function balancerOf(levels: readonly Level[]): BackendSpec["balancer"] {
  for (const { settings: { loadBalancer } } of levels) {
    if (loadBalancer === undefined) continue;
    const { algorithm, hashHeader } = loadBalancer;
    return hashHeader === undefined
      ? { algorithm }
      : { algorithm, hashHeader: hashHeader.toLowerCase() };
  }
  return { algorithm: BALANCER_DEFAULT };
}

/** Each member from the first level that has it. */
function layered<T extends object>(levels: readonly (T | undefined)[]): Partial<T> {
  return Object.assign({}, ...levels.toReversed());
}
