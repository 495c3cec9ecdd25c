/** TrafficPolicy: how long to wait, when to try again, and when to leave a backend alone. */
import { z } from "zod";
import {
  DENIM_API,
  duration,
  durationMs,
  headerName,
  metadata,
  name,
  network,
  problem,
  targetRefOf,
  wanted,
} from "./common.ts";
import { SCHEMA_LIMITS as LIMITS } from "./limits.ts";

const count = (least: number, most: number) =>
  z.int(wanted("a whole number")).min(least, wanted(`a number from ${least} to ${most}`))
    .max(most, wanted(`a number from ${least} to ${most}`));

/** A duration that may not be zero, nor longer than `most`. */
const period = (most: string) =>
  duration.refine(
    (text) => durationMs(text) > 0 && durationMs(text) <= durationMs(most),
    wanted(`a duration above 0s and up to ${most}`),
  );

const timeouts = z.strictObject({
  /** The whole exchange with its retries; "0s" switches it off. */
  request: duration.optional(),
  /** One attempt; "0s" switches it off. */
  backendRequest: duration.optional(),
}).check((ctx) => {
  const request = durationMs(ctx.value.request ?? "0s");
  if (request > 0 && durationMs(ctx.value.backendRequest ?? "0s") > request) {
    problem(ctx, ["backendRequest"], "is longer than request, which covers all attempts");
  }
});

const retry = z.strictObject({
  /** Retries after the first try; 0 switches them off. */
  attempts: count(0, LIMITS.retryAttempts).optional(),
  /** Statuses that count as failed. */
  codes: z.array(count(400, 599)).max(LIMITS.retryCodes).optional(),
  on: z.array(z.enum([
    "connect-failure",
    "reset",
    "status",
    "timeout",
    "cancelled",
    "deadline-exceeded",
    "internal",
    "resource-exhausted",
    "unavailable",
    "non-idempotent",
  ])).optional(),
  backoff: duration.optional(),
  budget: z.strictObject({
    percent: count(0, 100).optional(),
    interval: period("1h").optional(),
    minRetriesPerSecond: count(0, 1_000_000).optional(),
  }).optional(),
});

const circuitBreaker = z.strictObject({
  /** Requests in flight from one proxy to the Service. */
  maxRequests: count(1, 1_000_000).optional(),
  /** Requests waiting for a connection to one endpoint. */
  maxPending: count(0, 1_000_000).optional(),
  /** Connections from one proxy to one endpoint. */
  maxConnections: count(1, 65_535).optional(),
  /** Failed attempts in a row that open the breaker; absent: it never opens. */
  consecutiveFailures: count(1, 1_000_000).optional(),
  openFor: period("1h").optional(),
});

const connections = z.strictObject({
  /** An idle connection is kept this long. */
  idleTimeout: period("1h").optional(),
  /** A connection older than this ends after its request, so that traffic follows what changed. */
  maxAge: period("24h").optional(),
  /** Connections to each endpoint that are opened before there is a request. */
  warmUp: count(0, 64).optional(),
});

const outlierDetection = z.strictObject({
  /** 5xx responses or faults in a row that eject an endpoint; 0 switches it off. */
  consecutive5xx: count(0, 1_000_000).optional(),
  baseEjection: period("24h").optional(),
  maxEjectionPercent: count(0, 100).optional(),
});

const loadBalancer = z.strictObject({
  algorithm: z.enum(["p2c", "round_robin", "least_request", "ring_hash"]),
  /** The request header whose value chooses the endpoint: one user, say, keeps one endpoint. */
  hashHeader: headerName.optional(),
}).check((ctx) => {
  const { algorithm, hashHeader } = ctx.value;
  if (algorithm === "ring_hash" && hashHeader === undefined) {
    problem(ctx, ["hashHeader"], "is missing; ring_hash chooses by the value of a request header");
  }
  if (algorithm !== "ring_hash" && hashHeader !== undefined) {
    problem(ctx, ["hashHeader"], `is only for ring_hash, and the algorithm is "${algorithm}"`);
  }
});

/** Everything a TrafficPolicy sets, without its targets; MeshConfig holds the same as defaults. */
export const trafficSettings = {
  timeouts: timeouts.optional(),
  retry: retry.optional(),
  circuitBreaker: circuitBreaker.optional(),
  connections: connections.optional(),
  outlierDetection: outlierDetection.optional(),
  loadBalancer: loadBalancer.optional(),
};

/** Listeners of a Gateway behind load balancers that say by the PROXY protocol who their client is. */
const proxyProtocol = z.strictObject({
  /** Who has to send the header, and is believed; from everybody else it is not taken. */
  trusted: z.array(network).min(1, {
    error: "is empty, wanted the networks of the load balancers",
  }).max(LIMITS.trustedNetworks, {
    error: `holds more than ${LIMITS.trustedNetworks} networks`,
  }),
  /** Absent: every listener of the Gateway. */
  listeners: z.array(name).min(1, {
    error: "is empty, wanted names of listeners, or no such field",
  })
    .max(LIMITS.listeners).optional(),
});

/** Parts that shape the way to a backend, which routes share. */
const OF_SERVICES = ["circuitBreaker", "outlierDetection", "loadBalancer"] as const;

export const trafficPolicy = z.strictObject({
  apiVersion: z.literal(DENIM_API),
  kind: z.literal("TrafficPolicy"),
  metadata,
  spec: z.strictObject({
    targetRefs: z.array(targetRefOf(["Service", "HTTPRoute", "GRPCRoute", "Gateway"]))
      .min(1, { error: "is empty, wanted at least one target" })
      .max(LIMITS.targetRefs, { error: `holds more than ${LIMITS.targetRefs} targets` }),
    ...trafficSettings,
    proxyProtocol: proxyProtocol.optional(),
  }).check((ctx) => {
    const { proxyProtocol, targetRefs } = ctx.value;
    if (proxyProtocol !== undefined && targetRefs.some((ref) => ref.kind !== "Gateway")) {
      problem(ctx, ["proxyProtocol"], "belongs to a Gateway; target Gateways only");
    }
    if (ctx.value.targetRefs.every((ref) => ref.kind === "Service")) return;
    for (const part of OF_SERVICES) {
      if (ctx.value[part] !== undefined) {
        problem(
          ctx,
          [part],
          "belongs to a Service; target Services only, or move it to a policy that does",
        );
      }
    }
  }),
});

const settings = z.strictObject(trafficSettings);

export type TrafficPolicy = z.infer<typeof trafficPolicy>;
export type TrafficSettings = z.infer<typeof settings>;
