/** What the default chain costs an exchange that succeeds, and what a pick costs. */
import { NO_CALLS } from "../../core/calls.ts";
import { systemClock, systemRandom } from "../../core/clock.ts";
import { compilePlan, type FilterContext, type FilterEnv } from "../../core/filter.ts";
import { silentLog } from "../../core/log.ts";
import { Metrics } from "../../core/metrics.ts";
import { Wheel } from "../../core/timers.ts";
import { FakeContext, outcome } from "../../filters/fakes.ts";
import { BUILT_IN_FILTERS } from "../../filters/registry.ts";
import { createBalancer } from "../../proxy/upstream/balancer/create.ts";
import { candidates } from "../../proxy/upstream/balancer/fakes.ts";

const kept = new Map<string, unknown>();
const shared = {
  name: "default/policy",
  backend: "default/catalog:80",
  clock: systemClock,
  wheel: new Wheel(systemClock, { drive: false }),
  random: systemRandom,
  metrics: new Metrics(),
  log: silentLog,
  calls: NO_CALLS,
  keep<T>(key: string, make: () => T): T {
    if (!kept.has(key)) kept.set(key, make());
    return kept.get(key) as T;
  },
};

const CHAIN: readonly (readonly [string, unknown])[] = [
  ["timeout", { requestMs: 15_000, backendRequestMs: 0, untilHead: true }],
  ["breaker", { maxRequests: 1000, consecutiveFailures: 5, openMs: 1000 }],
  ["retry", {
    attempts: 1,
    codes: [502, 503, 504],
    on: ["connect-failure", "reset", "status"],
    backoffMs: 25,
    backoffMaxMs: 250,
    budgetPercent: 20,
    budgetIntervalMs: 10_000,
    minRetriesPerSecond: 10,
  }],
];

const filters = await Promise.all(CHAIN.map(([kind, config], slot) => {
  const env: FilterEnv = { ...shared, slot };
  return BUILT_IN_FILTERS.get(kind)!(config, env);
}));
const plan = compilePlan(filters);
const ctx = new FakeContext();
const reply = { status: 200, fields: ctx.request.fields };
const good = outcome(1, 200);

/** Every hook of one exchange, as Exchange calls them. */
function exchange(context: FilterContext): void {
  for (const step of plan.request.head) step(context, context.request, true);
  for (const step of plan.attempt) step(context, 1);
  for (const step of plan.outcome) step(context, good);
  for (const step of plan.response.head) step(context, reply, true);
  for (const step of plan.end) step(context);
}

Deno.bench("timeout, breaker and retry over one exchange", () => {
  ctx.slots.fill(undefined);
  exchange(ctx);
});

const endpoints = candidates(10);
for (const { stats } of endpoints) stats.finished(systemClock.monotonicMs(), 5, true);
for (const algorithm of ["p2c", "round_robin", "least_request", "ring_hash"] as const) {
  const balancer = createBalancer(algorithm, { clock: systemClock, random: systemRandom });
  Deno.bench(`${algorithm} picks one of 10`, () => {
    balancer.pick(endpoints, [], 12345);
  });
}
