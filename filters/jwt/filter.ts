/** Verifies the end user's token of each request, and says who that is: to policies after it, and to the upstream. */
import { createHash } from "node:crypto";
import { type Fault, FAULTS } from "../../core/fault.ts";
import type { Fields } from "../../core/fields.ts";
import {
  CONTINUE,
  type Filter,
  type FilterContext,
  type FilterEnv,
  type FilterFactory,
  type Verdict,
} from "../../core/filter.ts";
import type { RequestHead } from "../../core/message.ts";
import type { Counter } from "../../core/metrics.ts";
import { type JwtConfig, parseJwtConfig } from "./config.ts";
import { removeFields } from "./locations.ts";
import { Verifier, type VerifierEvents } from "./verifier.ts";

const DEAF: VerifierEvents = { unknownKey() {} };

/** For a proxy without anybody to tell about unknown keys. */
export const createJwtFilter: FilterFactory = makeJwtFactory(DEAF);

export function makeJwtFactory(events: VerifierEvents): FilterFactory {
  // Routes of one place share their configuration, and reading its keys once is enough.
  const known = new WeakMap<object, Read>();
  return (config, env) => {
    let read = isObject(config) ? known.get(config) : undefined;
    if (read === undefined) {
      const parsed = parseJwtConfig(config);
      const hash = createHash("sha256").update(JSON.stringify(config)).digest("hex");
      read = { parsed, hash, outputs: outputNames(parsed) };
      known.set(config as object, read);
    }
    const { parsed, hash, outputs } = read;
    // The same rules on many routes, or in the next snapshot, share keys and memory. Other keys are other
    // rules: what was verified by a key that has been withdrawn is forgotten with it.
    const verifier = env.keep(`jwt ${hash}`, () => {
      const verified = env.metrics.counter(
        "denim_jwt_verifications_total",
        "Tokens that were not remembered and had to be verified",
        { policy: env.name },
      );
      return new Verifier(parsed, { events, clock: env.clock, verified });
    });
    return outputs.size === 0
      ? new JwtFilter(parsed, verifier, env)
      : new StrippingJwtFilter(parsed, verifier, env, outputs);
  };
}

interface Read {
  readonly parsed: JwtConfig;
  readonly hash: string;
  readonly outputs: ReadonlySet<string>;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Names only we may send upstream, with hyphens for underscores. */
function outputNames({ policies }: JwtConfig): ReadonlySet<string> {
  const names = policies.flatMap(({ rules }) => rules).flatMap((rule) => [
    ...rule.claimHeaders.map((one) => one.header),
    ...(rule.payloadHeader === "" ? [] : [rule.payloadHeader]),
  ]);
  return new Set(names.map((name) => name.replaceAll("_", "-")));
}

class JwtFilter implements Filter {
  readonly #verifier: Verifier;
  readonly #env: FilterEnv;
  /** Indices of the policies without whose token nothing passes. */
  readonly #required: readonly number[];
  readonly #names: readonly string[];
  readonly #accepted: Counter;
  readonly #without: Counter;
  readonly #refused = new Map<string, Counter>();

  constructor({ policies }: JwtConfig, verifier: Verifier, env: FilterEnv) {
    this.#verifier = verifier;
    this.#env = env;
    this.#names = policies.map((policy) => policy.name);
    this.#required = policies.flatMap((policy, at) => policy.required ? [at] : []);
    this.#accepted = this.#counter("accepted");
    this.#without = this.#counter("none");
  }

  onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    const { locations } = this.#verifier;
    let token: string | null = null;
    let place = "";
    for (const location of locations) {
      for (const found of location.find(head)) {
        if (token !== null && token !== found) {
          return this.#refuse(ctx, FAULTS["jwt.several"], 0);
        }
        if (token === null) [token, place] = [found, location.id];
      }
    }
    if (token === null) return this.#withoutToken(ctx, head);
    const verdict = this.#verifier.verify(token, place, ctx);
    if ("code" in verdict) return this.#refuse(ctx, verdict, this.#required[0] ?? 0);
    for (const at of this.#required) {
      if (!verdict.policies[at]) return this.#refuse(ctx, FAULTS["jwt.issuer"], at);
    }
    this.#accepted.add();
    ctx.claims = verdict.claims;
    if (!verdict.forward) this.#takeOff(head);
    const { lines } = head.fields;
    for (const part of verdict.outputs) lines.push(part);
    return CONTINUE;
  }

  #takeOff(head: RequestHead): void {
    for (const location of this.#verifier.locations) {
      // Elsewhere may be what is none of our business: a password, say.
      if (location.find(head).length > 0) location.remove(head);
    }
  }

  #withoutToken(ctx: FilterContext, head: RequestHead): Verdict {
    // Browsers ask whether they may send a token before they send it (CORS preflight, Fetch 4.8).
    if (this.#required.length > 0 && !isPreflight(head)) {
      return this.#refuse(ctx, FAULTS["jwt.missing"], this.#required[0]!);
    }
    this.#without.add();
    return CONTINUE;
  }

  #refuse(ctx: FilterContext, fault: Fault, policy: number): Verdict {
    let counter = this.#refused.get(fault.code);
    if (counter === undefined) {
      counter = this.#counter(fault.code);
      this.#refused.set(fault.code, counter);
    }
    counter.add();
    ctx.refusedBy = this.#names[policy] ?? "";
    return ctx.fail(fault);
  }

  #counter(result: string): Counter {
    return this.#env.metrics.counter(
      "denim_jwt_requests_total",
      "Requests by what came of their token: accepted, none, or the fault",
      { policy: this.#env.name, result },
    );
  }
}

/** The same where claims become fields: what a client sent under these names goes first, whoever it is. */
class StrippingJwtFilter extends JwtFilter {
  readonly #outputs: ReadonlySet<string>;

  constructor(
    config: JwtConfig,
    verifier: Verifier,
    env: FilterEnv,
    outputs: ReadonlySet<string>,
  ) {
    super(config, verifier, env);
    this.#outputs = outputs;
  }

  override onRequestHead(ctx: FilterContext, head: RequestHead): Verdict {
    removeFields(head.fields, this.#outputs);
    return super.onRequestHead(ctx, head);
  }

  onRequestTrailers(_ctx: FilterContext, fields: Fields): Verdict {
    removeFields(fields, this.#outputs);
    return CONTINUE;
  }
}

function isPreflight({ method, fields }: RequestHead): boolean {
  return method === "OPTIONS" && fields.has("origin") &&
    fields.has("access-control-request-method");
}
