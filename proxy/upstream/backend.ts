/** A backend at run time: its endpoints with their pools, and the balancer that chooses among them. */
import type { Outcome } from "../../core/filter.ts";
import { GOOD, judge, NEUTRAL } from "../../core/judge.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Stream, StreamSink } from "../../core/stream.ts";
import type { BackendSpec } from "../../control/schema/snapshot.ts";
import type { Balancer, Candidate } from "./balancer/balancer.ts";
import { hashText } from "./balancer/ring_hash.ts";
import type { OutlierDetector } from "./outlier.ts";
import type { RequestPool } from "./pool.ts";
import type { EndpointStats } from "./stats.ts";

/** One address of a backend; lives as long as some snapshot in force names it. */
export class PooledEndpoint implements Candidate {
  readonly address: string;
  readonly stats: EndpointStats;
  readonly pool: RequestPool;
  readonly #monotonicMs: () => number;
  /** The backend in force, so that a changed policy applies to endpoints that stay. */
  backend: BalancedBackend | null = null;

  constructor(address: string, stats: EndpointStats, pool: RequestPool, monotonicMs: () => number) {
    this.address = address;
    this.stats = stats;
    this.pool = pool;
    this.#monotonicMs = monotonicMs;
  }

  open(into: StreamSink<ResponseHead>, repeatable: boolean): Stream<RequestHead> {
    return this.pool.open(into, repeatable);
  }

  started(): number {
    const now = this.#monotonicMs();
    this.stats.started(now);
    return now;
  }

  finished(outcome: Outcome, startedMs: number, answeredMs: number): void {
    const judgement = judge(outcome);
    if (judgement === NEUTRAL) {
      return this.stats.abandoned(answeredMs, answeredMs - startedMs);
    }
    this.stats.finished(answeredMs, answeredMs - startedMs, judgement === GOOD);
    this.backend?.outlier?.record(this.stats, judgement, this.backend.endpoints);
  }
}

/** Endpoints of one name behind one balancer; immutable, made anew with every snapshot. */
export class BalancedBackend {
  readonly name: string;
  readonly endpoints: readonly PooledEndpoint[];
  readonly outlier: OutlierDetector | null;
  readonly #balancer: Balancer;
  readonly #hashHeader: string | null;

  constructor(
    spec: Pick<BackendSpec, "name" | "balancer">,
    endpoints: readonly PooledEndpoint[],
    balancer: Balancer,
    outlier: OutlierDetector | null,
  ) {
    this.name = spec.name;
    this.#hashHeader = spec.balancer.hashHeader ?? null;
    this.endpoints = endpoints;
    this.#balancer = balancer;
    this.outlier = outlier;
  }

  pick(tried: readonly string[], request: RequestHead): PooledEndpoint | null {
    const at = this.#balancer.pick(this.endpoints, tried, this.#hash(request));
    return at < 0 ? null : this.endpoints[at]!;
  }

  /** A request without the field goes anywhere: all of them at one endpoint would be a hot spot. */
  #hash(request: RequestHead): number | undefined {
    if (this.#hashHeader === null) return undefined;
    const value = request.fields.get(this.#hashHeader);
    return value === undefined ? undefined : hashText(value);
  }
}
