/** Refuses what AuthorizationPolicies do not allow: DENY first, then ALLOW. AUDIT and dry runs only count. */
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Verdict,
} from "../../core/filter.ts";
import { FAULTS } from "../../core/fault.ts";
import type { RequestHead } from "../../core/message.ts";
import { type AuthzConfig, type AuthzPolicy, parseAuthzConfig } from "./config.ts";
import type { Facts } from "./facts.ts";
import { factsOf, Policies } from "./policies.ts";
import { Tally } from "./tally.ts";

/** What logs call the reason when there were ALLOW policies and none matched. */
export const NONE_ALLOWS = "(no ALLOW matches)";

/** Places that many routes share have one config object, compiled once. */
const COMPILED = new WeakMap<object, Decider>();

export function createAuthzFilter(config: unknown, env: FilterEnv): Filter {
  const known = typeof config === "object" && config !== null ? COMPILED.get(config) : undefined;
  if (known !== undefined) return new Authz(known, env);
  const decider = new Decider(parseAuthzConfig(config));
  COMPILED.set(config as object, decider);
  return new Authz(decider, env);
}

class Authz implements Filter {
  readonly #decider: Decider;
  readonly #tally: Tally;

  constructor(decider: Decider, env: FilterEnv) {
    this.#decider = decider;
    this.#tally = new Tally(env);
  }

  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    const decider = this.#decider;
    const facts = factsOf(ctx, head);
    if (decider.audit !== null) {
      for (const { name } of decider.audit.all(ctx.peer, facts)) {
        this.#tally.audited(name, ctx, facts);
      }
    }
    const refusedBy = decider.refusedBy(ctx.peer, facts);
    if (decider.rehearses) this.#rehearse(ctx, facts, refusedBy);
    if (refusedBy === null) return CONTINUE;
    ctx.refusedBy = refusedBy;
    this.#tally.refused(refusedBy);
    return ctx.fail(FAULTS["authz.denied"]);
  }

  /** What would be if all dry runs were in force, where it is not the same. */
  #rehearse(ctx: FilterContext, facts: Facts, refusedBy: string | null): void {
    const { dryDeny, dryAllow, dryAllowNames, allow } = this.#decider;
    const denied = dryDeny === null ? null : dryDeny.find(ctx.peer, facts);
    if (denied !== null) {
      if (refusedBy === null) this.#tally.rehearsed(denied.name, "deny", ctx, facts);
      return;
    }
    if (dryAllow === null) return;
    const allowed = dryAllow.find(ctx.peer, facts);
    if (allowed !== null) {
      if (refusedBy === NONE_ALLOWS) this.#tally.rehearsed(allowed.name, "allow", ctx, facts);
    } else if (refusedBy === null && allow === null) {
      // Where nothing has to be allowed yet, each of them would be a reason that something has to.
      for (const name of dryAllowNames) this.#tally.rehearsed(name, "deny", ctx, facts);
    }
  }
}

/** The policies of one place, by what they do. Null: there are none of that kind. */
class Decider {
  readonly audit: Policies<AuthzPolicy> | null;
  readonly deny: Policies<AuthzPolicy> | null;
  readonly allow: Policies<AuthzPolicy> | null;
  readonly dryDeny: Policies<AuthzPolicy> | null;
  readonly dryAllow: Policies<AuthzPolicy> | null;
  readonly dryAllowNames: readonly string[];
  readonly rehearses: boolean;

  constructor(config: AuthzConfig) {
    const of = (action: AuthzPolicy["action"], dryRun: boolean): Policies<AuthzPolicy> | null => {
      const some = config.policies.filter((one) => one.action === action && one.dryRun === dryRun);
      // A path an AUDIT misses is a gap in a log, not a hole; one too many is noise.
      return some.length === 0 ? null : new Policies(some, config, action === "ALLOW");
    };
    this.audit = of("AUDIT", false);
    this.deny = of("DENY", false);
    this.allow = of("ALLOW", false);
    this.dryDeny = of("DENY", true);
    this.dryAllow = of("ALLOW", true);
    this.dryAllowNames = config.policies.filter((one) => one.dryRun && one.action === "ALLOW")
      .map((one) => one.name);
    this.rehearses = this.dryDeny !== null || this.dryAllow !== null;
  }

  /** Null: it may pass. */
  refusedBy(peer: string, facts: Facts): string | null {
    const denied = this.deny === null ? null : this.deny.find(peer, facts);
    if (denied !== null) return denied.name;
    if (this.allow === null || this.allow.find(peer, facts) !== null) return null;
    return NONE_ALLOWS;
  }
}
