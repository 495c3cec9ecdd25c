/** Configuration of the circuit breaker. */
import { ConfigReader } from "../parse.ts";

export interface BreakerConfig {
  /** Requests in flight to the backend from this proxy; 0: no limit. */
  readonly maxRequests: number;
  /** Failed attempts in a row that open the breaker; 0: it never opens. */
  readonly consecutiveFailures: number;
  /** How long it stays open before it lets one probe through. */
  readonly openMs: number;
}

const MOST = 1_000_000_000;

/** Reads the wire form; throws an Error that names field, value and what was wanted. */
export function parseBreakerConfig(config: unknown): BreakerConfig {
  const reader = new ConfigReader("breaker", config);
  const parsed: BreakerConfig = {
    maxRequests: reader.integer("maxRequests", 0, MOST),
    consecutiveFailures: reader.integer("consecutiveFailures", 0, MOST),
    openMs: reader.integer("openMs", 0, 86_400_000),
  };
  reader.end();
  return parsed;
}
