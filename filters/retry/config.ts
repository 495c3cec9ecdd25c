/** Configuration of the retry filter. */
import { ConfigReader, integerItem, textItem } from "../parse.ts";

/**
 * When an attempt may be tried again.
 *
 * - `connect-failure`: the peer certainly did not see the request (`fault.sent === false`). Any method.
 * - `reset`: the connection broke after the request may have been seen. Idempotent methods only.
 * - `status`: the response status is in `codes`. Idempotent methods only.
 * - `timeout`: the attempt ran into its time limit. Idempotent methods only.
 * - `cancelled`, `deadline-exceeded`, `internal`, `resource-exhausted`, `unavailable`: a gRPC response is
 *   nothing but that status. Every gRPC request is a POST, so the method says nothing: whoever names a
 *   condition of gRPC says that such calls may be repeated.
 * - `non-idempotent`: lifts that restriction; the operator says it is safe.
 */
export type RetryCondition =
  | "connect-failure"
  | "reset"
  | "status"
  | "timeout"
  | GrpcCondition
  | "non-idempotent";

export type GrpcCondition = keyof typeof GRPC_CONDITIONS;

/** The gRPC statuses that can be named, by name. */
export const GRPC_CONDITIONS = {
  "cancelled": 1,
  "deadline-exceeded": 4,
  "resource-exhausted": 8,
  "internal": 13,
  "unavailable": 14,
} as const;

export interface RetryConfig {
  /** Retries after the first try; 0 switches off. */
  readonly attempts: number;
  /** Statuses that count as failed for `status`. */
  readonly codes: readonly number[];
  readonly on: readonly RetryCondition[];
  /** Least wait before a retry; its upper bound doubles each time. 0: at once. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Retries as a share of the requests to the backend within the interval. */
  readonly budgetPercent: number;
  readonly budgetIntervalMs: number;
  /** Retries per second allowed whatever the share, so that quiet backends can retry at all. */
  readonly minRetriesPerSecond: number;
}

/** More tries than this only ever make an outage longer. */
export const MAX_ATTEMPTS = 100;
const CONDITIONS = [
  "connect-failure",
  "reset",
  "status",
  "timeout",
  ...Object.keys(GRPC_CONDITIONS),
  "non-idempotent",
];
const CONDITION = new RegExp(`^(${CONDITIONS.join("|")})$`);
const HOUR_MS = 3_600_000;

/** Reads the wire form; throws an Error that names field, value and what was wanted. */
export function parseRetryConfig(config: unknown): RetryConfig {
  const reader = new ConfigReader("retry", config);
  const parsed: RetryConfig = {
    attempts: reader.integer("attempts", 0, MAX_ATTEMPTS),
    codes: reader.list("codes", (item, path) => integerItem(item, path, 400, 599)),
    on: reader.list(
      "on",
      (item, path) =>
        textItem(item, path, CONDITION, `one of ${CONDITIONS.join(", ")}`) as RetryCondition,
    ),
    backoffMs: reader.integer("backoffMs", 0, Number.MAX_SAFE_INTEGER),
    backoffMaxMs: reader.integer("backoffMaxMs", 0, Number.MAX_SAFE_INTEGER),
    budgetPercent: reader.number("budgetPercent", 0, 100),
    budgetIntervalMs: reader.integer("budgetIntervalMs", 1, HOUR_MS),
    minRetriesPerSecond: reader.number("minRetriesPerSecond", 0, 1_000_000),
  };
  reader.end();
  return parsed;
}
