/**
 * What a thousand AuthorizationPolicies cost a request: by the filter alone, for policies of many shapes, and
 * on the way through two sidecars, beside the same two without a policy.
 */
import { stringify } from "yaml";
import { compilePlan } from "../core/filter.ts";
import { FakeEnv } from "../filters/fakes.ts";
import { createAuthzFilter } from "../filters/authz/filter.ts";
import { configOf, exchange, type Shape, SHAPES } from "./authz_shapes.ts";
import { converged } from "../cli/local/mesh.ts";
import { alternate, compare, type Comparison, median, round2 } from "./figures.ts";
import type { RoundOptions } from "./hop.ts";
import { type LoadFigures, loadRound, PROXY_CORE, type Targets, warmUp } from "./load.ts";
import { haveTools } from "./process.ts";
import { answering, type Pair, startPair } from "./sidecars.ts";

export const POLICIES = 1000;
/** Per request, for each shape. */
export const LIMIT_US = 5;
const CONNECTIONS = 32, BODY_BYTES = 1024;
const WARM = 20_000, CALLS = 50_000, TURNS = 7, EXCHANGES = 512;

export interface AuthzResult {
  readonly bench: "authz";
  readonly policies: number;
  /** µs a request by the filter alone, by shape; medians. */
  readonly filterUs: Readonly<Record<string, number>>;
  /** The dearest of them. */
  readonly mostUs: number;
  /** `denim` has the policies, `without` has none. */
  readonly pair: Comparison<LoadFigures>;
  /** CPU µs a request of the pair with policies less that of the one without. */
  readonly addedUs: number;
  readonly limitUs: number;
  readonly withinLimit: boolean;
}

export async function authz({ rounds, seconds }: RoundOptions): Promise<AuthzResult> {
  if (!await haveTools(["haproxy", "wrk", "taskset"])) Deno.exit(3);
  const filterUs = Object.fromEntries(SHAPES.map((shape) => [shape.what, filterCost(shape)]));
  console.error(JSON.stringify(filterUs));
  const mostUs = Math.max(...Object.values(filterUs));
  const pair = await pairCost({ rounds, seconds });
  const { denim, without } = pair.medians;
  const addedUs = round2(denim!.cpuUsPerRequest - without!.cpuUsPerRequest);
  return {
    bench: "authz",
    policies: POLICIES,
    filterUs,
    mostUs,
    pair,
    addedUs,
    limitUs: LIMIT_US,
    withinLimit: mostUs < LIMIT_US && addedUs < LIMIT_US,
  };
}

/** The head step of a chain that holds the filter alone, for exchanges that pass. */
export function filterCost(shape: Shape): number {
  const { request } = compilePlan([createAuthzFilter(configOf(shape, POLICIES), new FakeEnv())]);
  const step = request.head[0]!;
  const exchanges = Array.from({ length: EXCHANGES }, (_, n) => exchange(n));
  const run = (calls: number): void => {
    for (let n = 0; n < calls; n++) {
      const ctx = exchanges[n % EXCHANGES]!;
      if (step(ctx, ctx.request, true) !== 0) throw new Error(`${shape.what}: it was refused`);
    }
  };
  run(WARM);
  const turns = Array.from({ length: TURNS }, () => {
    const startedMs = performance.now();
    run(CALLS);
    return (performance.now() - startedMs) * 1000 / CALLS;
  });
  return round2(median(turns));
}

/** Two pairs on the same core, whose sidecars differ in nothing but the policies of the called. */
async function pairCost({ rounds, seconds }: RoundOptions): Promise<Comparison<LoadFigures>> {
  await using bare = await startPair(answering(BODY_BYTES), { core: PROXY_CORE });
  await using guarded = await startPair(bare.originPort, { core: PROXY_CORE });
  await applyPolicies(guarded);
  const target = ({ outbound, pids }: Pair) => ({ url: `${outbound}/`, host: "origin", pids });
  const targets: Targets = { denim: target(guarded), without: target(bare) };
  await warmUp(targets, CONNECTIONS);
  // The one that is not called "denim" needs to be as warm.
  await loadRound(targets["without"]!, CONNECTIONS, 3);
  const each = await alternate(
    rounds,
    Object.keys(targets),
    (name) => loadRound(targets[name]!, CONNECTIONS, seconds),
  );
  return compare(each);
}

/** A fifth of each kind people write; one of them lets the caller in. */
async function applyPolicies({ mesh: { client } }: Pair): Promise<void> {
  const documents = Array.from({ length: POLICIES }, (_, n) =>
    stringify({
      apiVersion: "denim.dev/v1",
      kind: "AuthorizationPolicy",
      metadata: { name: `p${n}` },
      spec: n === 0
        ? { rules: [{ from: [{ source: { serviceAccounts: ["client"] } }] }] }
        : specOf(n),
    }));
  const half = POLICIES / 2;
  await client.apply(documents.slice(0, half).join("---\n"), "bench");
  const { revision } = await client.apply(documents.slice(half).join("---\n"), "bench");
  await converged(client, revision);
}

function specOf(n: number): unknown {
  const caller = { source: { serviceAccounts: [`service-${n}`] } };
  const own = { operation: { paths: [`/api-${n}/*`], methods: ["GET"] } };
  switch (n % 5) {
    case 0:
      return { rules: [{ from: [caller] }] };
    case 1:
      return { rules: [{ from: [caller], to: [own] }] };
    case 2:
      return { action: "DENY", rules: [{ to: [own] }] };
    case 3:
      return { action: "DENY", rules: [{ from: [{ source: { namespaces: [`team-${n}`] } }] }] };
    default:
      return {
        rules: [{ from: [{ source: { requestPrincipals: [`https://id.example/user-${n}`] } }] }],
      };
  }
}
