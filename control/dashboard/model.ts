/** What the overview page shows: plain data, so that pages can be rendered and tested without a mesh. */

export interface Overview {
  readonly trustDomain: string;
  readonly nowMs: number;
  /** Newest revision, 0 before the first apply. */
  readonly revision: number;
  readonly totals: Signals;
  readonly services: readonly ServiceRow[];
  readonly edges: readonly Edge[];
  readonly proxies: readonly ProxyRow[];
  readonly revisions: readonly RevisionRow[];
  readonly filters: readonly FilterRow[];
}

/** Golden signals over the last seconds; null where nothing was asked. */
export interface Signals {
  readonly requestsPerSecond: number;
  /** 0 to 1. */
  readonly successRate: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Requests per second of the last minute, oldest first, for a small picture. */
  readonly history: readonly number[];
}

export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly health: "healthy" | "degraded" | "failing" | "down" | "empty";
  /** Workloads that serve and workloads that are known. */
  readonly ready: number;
  readonly workloads: number;
  readonly signals: Signals;
}

/** Who calls whom, from what the callers' proxies reported. */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly requestsPerSecond: number;
  readonly successRate: number | null;
}

export interface ProxyRow {
  readonly kind: "sidecar" | "gateway";
  readonly name: string;
  readonly identity: string;
  /** Labels of the workload as `key=value`. */
  readonly labels: readonly string[];
  readonly state: "in force" | "refused" | "behind" | "away";
  /** Version in force, "" for none. */
  readonly version: string;
  /** Why it refused the last snapshot, "" when it did not. */
  readonly reason: string;
  readonly certExpiresMs: number | null;
  readonly rssBytes: number | null;
  readonly uptimeMs: number | null;
}

export interface RevisionRow {
  readonly revision: number;
  readonly message: string;
  readonly author: string;
  readonly createdMs: number;
  readonly changes: readonly string[];
}

export interface FilterRow {
  /** FilterBinding, `namespace/name`. */
  readonly binding: string;
  /** `publisher/name`, "" when the digest is unknown to the marketplace. */
  readonly module: string;
  readonly version: string;
  readonly state: "running" | "backing-off" | "tripped" | "bound";
  /** Proxies it runs in. */
  readonly proxies: number;
  readonly calls: number;
  readonly fuelPerCall: number;
  readonly usPerCall: number;
  readonly memoryBytes: number;
  readonly traps: number;
  readonly lastTrap: string;
  /** Why an older configuration goes on; "" where the newest is in force. */
  readonly refused: string;
}
