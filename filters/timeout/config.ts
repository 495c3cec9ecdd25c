/** Configuration of the timeout filter. */
import { ConfigReader } from "../parse.ts";

export interface TimeoutConfig {
  /** The whole exchange, retries included; 0: no limit. */
  readonly requestMs: number;
  /** One attempt; 0: no limit. */
  readonly backendRequestMs: number;
  /**
   * True: the request limit is on waiting for the response to begin. It starts anew with every
   * piece of request body and ends with the response head, so long uploads, downloads and event
   * streams live. False or absent: it covers the last byte too, as HTTPRoute's `timeouts.request`.
   */
  readonly untilHead: boolean;
  /** True: the backend speaks gRPC, whose requests may bring a deadline and whose streams may last. */
  readonly grpc: boolean;
}

/** A Gateway API duration can say `99999h99999h99999h99999h`; whoever writes that means "none". */
export const MAX_TIMEOUT_MS = Number.MAX_SAFE_INTEGER;

/** Reads the wire form; throws an Error that names field, value and what was wanted. */
export function parseTimeoutConfig(config: unknown): TimeoutConfig {
  const reader = new ConfigReader("timeout", config);
  const requestMs = reader.integer("requestMs", 0, MAX_TIMEOUT_MS);
  const backendRequestMs = reader.integer("backendRequestMs", 0, MAX_TIMEOUT_MS);
  const untilHead = reader.has("untilHead") && reader.boolean("untilHead");
  const grpc = reader.has("grpc") && reader.boolean("grpc");
  reader.end();
  return { requestMs, backendRequestMs, untilHead, grpc };
}
