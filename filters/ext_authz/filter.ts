/** Asks a provider whether requests may pass: AuthorizationPolicies with the action CUSTOM. */
import type { Calls } from "../../core/calls.ts";
import { type Fault, FAULTS } from "../../core/fault.ts";
import {
  COLLECT,
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type Verdict,
} from "../../core/filter.ts";
import type { RequestHead, ResponseHead } from "../../core/message.ts";
import type { Counter } from "../../core/metrics.ts";
import { factsOf, Policies } from "../authz/policies.ts";
import type { Protocol } from "./answer.ts";
import { Check } from "./check.ts";
import { type AskingPolicy, type ExtAuthzConfig, parseExtAuthzConfig } from "./config.ts";
import { ErrorLog } from "./error_log.ts";
import { GrpcProtocol } from "./grpc.ts";
import { HttpProtocol } from "./http.ts";

export function createExtAuthzFilter(config: unknown, env: FilterEnv): Filter {
  const asker = new Asker(parseExtAuthzConfig(config), env);
  return asker.config.body === null
    ? new ExtAuthzFilter(asker, env.slot)
    : new BodyExtAuthzFilter(asker, env.slot);
}

/** What all checks of a filter share. */
export class Asker {
  readonly config: ExtAuthzConfig;
  readonly protocol: Protocol;
  readonly policies: Policies<AskingPolicy>;
  readonly calls: Calls;
  readonly log: ErrorLog;
  /** What a request gets when no answer can be had. */
  readonly fault: Fault;
  readonly allowed: Counter;
  readonly denied: Counter;
  readonly errors: Counter;
  readonly failedOpen: Counter;

  constructor(config: ExtAuthzConfig, env: FilterEnv) {
    this.config = config;
    // In doubt a policy matches: who is asked can still say yes.
    this.policies = new Policies(config.policies, config.place, false);
    this.protocol = config.http === null
      ? new GrpcProtocol(config, env.clock)
      : new HttpProtocol(config, config.http);
    this.calls = env.calls;
    this.log = new ErrorLog(env.log, env.clock);
    this.fault = { ...FAULTS["ext_authz.unavailable"], status: config.statusOnError };
    const counter = (result: string): Counter =>
      env.metrics.counter("denim_ext_authz_total", "Answers of external authorizers", {
        provider: config.provider,
        result,
      });
    this.allowed = counter("allowed");
    this.denied = counter("denied");
    this.errors = counter("error");
    this.failedOpen = counter("failed_open");
  }
}

class ExtAuthzFilter implements Filter {
  protected readonly asker: Asker;
  readonly #slot: number;

  constructor(asker: Asker, slot: number) {
    this.asker = asker;
    this.#slot = slot;
  }

  onRequestHead(ctx: FilterContext, head: RequestHead, _end: boolean): Verdict {
    return this.check(ctx, head)?.head() ?? CONTINUE;
  }

  onResponseHead(ctx: FilterContext, head: ResponseHead): Verdict {
    this.checkOf(ctx)?.response?.apply(head.fields);
    return CONTINUE;
  }

  onEnd(ctx: FilterContext): void {
    this.checkOf(ctx)?.closed();
  }

  /** Null: nobody wants this request to be asked about. */
  protected check(ctx: FilterContext, head: RequestHead): Check | null {
    const policy = this.asker.policies.find(ctx.peer, factsOf(ctx, head));
    if (policy === null) return null;
    const check = new Check(this.asker, ctx, policy.name);
    ctx.slots[this.#slot] = check;
    return check;
  }

  protected checkOf(ctx: FilterContext): Check | undefined {
    return ctx.slots[this.#slot] as Check | undefined;
  }
}

/** Shows the provider the body too. */
class BodyExtAuthzFilter extends ExtAuthzFilter {
  override onRequestHead(ctx: FilterContext, head: RequestHead, end: boolean): Verdict {
    const check = this.check(ctx, head);
    if (check === null) return CONTINUE;
    return end ? check.head() : COLLECT;
  }

  onRequestData(ctx: FilterContext, bytes: Uint8Array, end: boolean): Uint8Array | null {
    const check = this.checkOf(ctx);
    return check === undefined ? bytes : check.data(bytes, end);
  }
}
