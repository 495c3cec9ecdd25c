/** What policies did, in metrics and in the log. Series are made when there is something to count. */
import type { FilterContext, FilterEnv } from "../../core/filter.ts";
import type { Counter, Metrics } from "../../core/metrics.ts";
import type { Facts } from "./facts.ts";

/** Of a dry run one log line a second and policy says who it would have concerned; the counters say how many. */
const LOG_EVERY_MS = 1000;

/** Names of the metrics, which reports to the control plane are read from. */
export const REFUSED = "denim_authz_refused_total";
export const AUDITED = "denim_authz_audit_total";
export const REHEARSED = "denim_authz_dry_run_total";

/** What a dry run would have made of an exchange, other than what became of it. */
export type Rehearsed = "allow" | "deny";

export class Tally {
  readonly #env: FilterEnv;
  readonly #counters = new Map<string, Counter>();
  readonly #loggedMs = new Map<string, number>();

  constructor(env: FilterEnv) {
    this.#env = env;
  }

  refused(policy: string): void {
    this.#counter(`refused ${policy}`, REFUSED, "Exchanges refused, by the policy", { policy });
  }

  audited(policy: string, ctx: FilterContext, facts: Facts): void {
    this.#counter(`audited ${policy}`, AUDITED, "Exchanges an AUDIT policy matched", { policy });
    this.#env.log.info("authz.audit", { policy, ...told(ctx, facts) });
  }

  rehearsed(policy: string, decision: Rehearsed, ctx: FilterContext, facts: Facts): void {
    const key = `${decision} ${policy}`;
    this.#counter(key, REHEARSED, "Exchanges a dry run would have decided otherwise", {
      policy,
      decision,
    });
    const nowMs = this.#env.clock.monotonicMs();
    if (nowMs - (this.#loggedMs.get(key) ?? -LOG_EVERY_MS) < LOG_EVERY_MS) return;
    this.#loggedMs.set(key, nowMs);
    this.#env.log.info("authz.dry_run", { policy, decision, ...told(ctx, facts) });
  }

  #counter(
    key: string,
    name: string,
    help: string,
    labels: Readonly<Record<string, string>>,
  ): void {
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      this.#counters.set(key, counter = this.#env.metrics.counter(name, help, labels));
    }
    counter.add();
  }
}

/** Without the query, where secrets are. */
function told(ctx: FilterContext, facts: Facts): Record<string, string> {
  return {
    peer: ctx.peer,
    remote: ctx.remote,
    user: facts.principal,
    method: facts.method,
    authority: ctx.request.authority,
    path: facts.path,
    route: ctx.routeName,
  };
}

/** What the policies of this proxy did so far, by name; undefined for nothing. */
export function policyReports(metrics: Metrics): PolicyReport[] | undefined {
  const reports = new Map<string, PolicyReport>();
  const add = (
    metric: string,
    memberOf: (decision: string) => keyof Omit<PolicyReport, "name">,
  ) => {
    for (const { labels, value } of metrics.read(metric)) {
      const name = labels["policy"]!;
      let report = reports.get(name);
      if (report === undefined) {
        report = { name, refused: 0, audited: 0, wouldRefuse: 0, wouldAllow: 0 };
        reports.set(name, report);
      }
      report[memberOf(labels["decision"] ?? "")] += value;
    }
  };
  add(REFUSED, () => "refused");
  add(AUDITED, () => "audited");
  add(REHEARSED, (decision) => decision === "deny" ? "wouldRefuse" : "wouldAllow");
  return reports.size === 0 ? undefined : [...reports.values()];
}

interface PolicyReport {
  readonly name: string;
  refused: number;
  audited: number;
  wouldRefuse: number;
  wouldAllow: number;
}
