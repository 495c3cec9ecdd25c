/** Tokens to verified claims, by all rules that hold in one place. Synchronous, and cheap for a token seen before. */
import { createHash } from "node:crypto";
import { type Claims, principalOf } from "../../core/claims.ts";
import { type Fault, type FaultCode, FAULTS } from "../../core/fault.ts";
import type { Clock } from "../../core/clock.ts";
import type { FilterContext } from "../../core/filter.ts";
import type { Counter } from "../../core/metrics.ts";
import { TokenCache } from "./cache.ts";
import { ClientBudget, clientOf } from "./client_budget.ts";
import type { JwtConfig } from "./config.ts";
import { parseObject } from "./json.ts";
import { type Jws, parseJws } from "./jws.ts";
import { type PublicJwk, VerificationKey } from "./keys.ts";
import { JWT_LIMITS } from "./limits.ts";
import { CookieLocation, HeaderLocation, type Location, ParamLocation } from "./locations.ts";
import { Rule } from "./rules.ts";

/** A token that at least one rule took. */
export interface Accepted {
  readonly claims: Claims;
  /** By policy: whether one of its rules took the token. */
  readonly policies: readonly boolean[];
  /** Fields for the upstream, `[name, value, …]`. */
  readonly outputs: readonly string[];
  /** The token itself stays on the request. */
  readonly forward: boolean;
  /** When the first of the rules that took it stops taking it, Unix milliseconds. */
  readonly untilMs: number;
}

export interface VerifierEvents {
  /** A token that was right in everything else names a key its issuer did not have when asked last. */
  unknownKey(source: string): void;
}

export interface VerifierParts {
  readonly events: VerifierEvents;
  readonly clock: Clock;
  /** Counts the tokens that were not remembered. */
  readonly verified: Counter;
  readonly cache?: TokenCache<Accepted>;
}

/** Istio's and everybody's: RFC 6750 2.1. */
const BEARER = [{ name: "authorization", prefix: "Bearer " }];

export class Verifier {
  readonly locations: readonly Location[];
  readonly #rules: readonly Rule[];
  readonly #parts: VerifierParts;
  readonly #budget = new ClientBudget();
  readonly #cache: TokenCache<Accepted>;
  readonly #policies: number;

  constructor({ policies }: JwtConfig, parts: VerifierParts) {
    this.#parts = parts;
    this.#cache = parts.cache ?? new TokenCache();
    const locations = new Map<string, Location>();
    const keySets = new Map<string, readonly VerificationKey[]>();
    const rules: Rule[] = [];
    policies.forEach((policy, at) => {
      for (const config of policy.rules) {
        const own = locationsOf(config);
        for (const one of own) if (!locations.has(one.id)) locations.set(one.id, one);
        const keys = config.keys === null ? null : keySet(config.keys, keySets);
        rules.push(new Rule(config, at, own.map((one) => one.id), keys));
      }
    });
    this.locations = [...locations.values()];
    this.#rules = rules;
    this.#policies = policies.length;
  }

  /** The number of remembered tokens. */
  get remembered(): number {
    return this.#cache.size;
  }

  /** Judges a token that was found at a place. A refusal is a fault of the table, with its reason. */
  verify(
    token: string,
    place: string,
    { peer, remote }: Pick<FilterContext, "peer" | "remote">,
  ): Accepted | Fault {
    if (token.length > JWT_LIMITS.tokenChars) return FAULTS["jwt.too_large"];
    // Tokens are secrets: what is remembered cannot be shown to anybody as one.
    const key = createHash("sha256").update(token).digest("base64") + place;
    const nowMs = this.#parts.clock.nowMs();
    const known = this.#cache.get(key);
    if (known !== undefined && nowMs < known.untilMs) return known;
    this.#parts.verified.add();
    if (known !== undefined) this.#cache.delete(key);
    const verdict = this.#judge(token, place, clientOf(peer, remote), nowMs);
    if (typeof verdict === "string") return FAULTS[verdict];
    this.#cache.set(key, verdict, token.length);
    return verdict;
  }

  #judge(token: string, place: string, client: string, nowMs: number): Accepted | FaultCode {
    const jws = parseJws(token);
    const values = jws === null ? null : parseObject(jws.payload);
    if (jws === null || values === null) return "jwt.malformed";
    const accepted: Rule[] = [];
    let fault: FaultCode = "jwt.issuer";
    let untilMs = Infinity;
    for (const rule of this.#rules) {
      if (values.iss !== rule.config.issuer || !rule.locations.includes(place)) continue;
      const refusal = rule.judgeClaims(values, nowMs) ??
        this.#judgeSignature(rule, jws, client);
      if (refusal === null) {
        accepted.push(rule);
        untilMs = Math.min(untilMs, (values.exp as number) * 1000 + rule.config.clockSkewMs);
        continue;
      }
      fault = worse(fault, refusal);
      if (refusal === "jwt.unknown_key" && rule.config.source !== "") {
        this.#parts.events.unknownKey(rule.config.source);
      }
    }
    if (accepted.length === 0) return fault;
    const policies = new Array<boolean>(this.#policies).fill(false);
    for (const rule of accepted) policies[rule.policy] = true;
    return {
      claims: Object.freeze({ principal: principalOf(values), values }),
      policies,
      outputs: accepted.flatMap((rule) => rule.outputs(values, jws.payloadText)),
      forward: accepted.some((rule) => rule.config.forward),
      untilMs,
    };
  }

  #judgeSignature(rule: Rule, jws: Jws, client: string): FaultCode | null {
    const { clock } = this.#parts;
    const startMs = clock.monotonicMs();
    if (!this.#budget.allows(client, startMs)) return "jwt.too_many";
    const refusal = rule.judgeSignature(jws);
    if (refusal !== "jwt.signature") return refusal;
    const endMs = clock.monotonicMs();
    this.#budget.wrong(client, endMs - startMs, endMs);
    return refusal;
  }
}

/** Of two reasons the one to tell: that of a rule for the token's issuer; and one that time can mend. */
function worse(known: FaultCode, next: FaultCode): FaultCode {
  return known === "jwt.issuer" || next === "jwt.no_keys" ? next : known;
}

function locationsOf(
  { fromHeaders, fromParams, fromCookies }: JwtConfig["policies"][number]["rules"][number],
): Location[] {
  const none = fromHeaders.length + fromParams.length + fromCookies.length === 0;
  return [
    ...(none ? BEARER : fromHeaders).map(({ name, prefix }) => new HeaderLocation(name, prefix)),
    ...fromParams.map((name) => new ParamLocation(name)),
    ...fromCookies.map((name) => new CookieLocation(name)),
  ];
}

/** Rules with the same keys share what is made of them. */
function keySet(
  jwks: readonly PublicJwk[],
  known: Map<string, readonly VerificationKey[]>,
): readonly VerificationKey[] {
  const text = JSON.stringify(jwks);
  let keys = known.get(text);
  if (keys === undefined) known.set(text, keys = jwks.map((jwk) => new VerificationKey(jwk)));
  return keys;
}
