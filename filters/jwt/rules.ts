/** What one rule takes: its issuer, its audiences, its keys, its times. */
import { claimAt } from "../../core/claims.ts";
import { type FaultCode } from "../../core/fault.ts";
import { latin1Of } from "../latin1.ts";
import { ALGORITHMS } from "./algorithms.ts";
import type { JwtRuleConfig } from "./config.ts";
import type { JsonObject } from "./json.ts";
import type { Jws } from "./jws.ts";
import { VerificationKey } from "./keys.ts";
import { JWT_LIMITS } from "./limits.ts";

export class Rule {
  readonly config: JwtRuleConfig;
  /** Index of the policy it is of. */
  readonly policy: number;
  /** Names of the places it takes tokens from. */
  readonly locations: readonly string[];
  readonly #keys: readonly VerificationKey[] | null;

  constructor(
    config: JwtRuleConfig,
    policy: number,
    locations: readonly string[],
    keys: readonly VerificationKey[] | null,
  ) {
    this.config = config;
    this.policy = policy;
    this.locations = locations;
    this.#keys = keys;
  }

  /**
   * Everything that costs little, before the signature: null, or why the token is refused. Whoever sends a
   * token has it, so the reason tells him nothing.
   */
  judgeClaims(claims: JsonObject, nowMs: number): FaultCode | null {
    const { audiences, clockSkewMs } = this.config;
    const { exp, nbf, iat, aud, sub } = claims;
    if (
      !isDate(exp) || (nbf !== undefined && !isDate(nbf)) || (iat !== undefined && !isDate(iat))
    ) {
      return "jwt.malformed";
    }
    if (sub !== undefined && typeof sub !== "string") return "jwt.malformed";
    const named = typeof aud === "string" ? [aud] : aud;
    if (!Array.isArray(named) || !named.some((one) => audiences.includes(one))) {
      return "jwt.audience";
    }
    // RFC 7519 4.1.4: on or after exp it must not be accepted.
    if (nowMs >= exp * 1000 + clockSkewMs) return "jwt.expired";
    if (nbf !== undefined && nowMs < nbf * 1000 - clockSkewMs) return "jwt.early";
    if (iat !== undefined && nowMs < iat * 1000 - clockSkewMs) return "jwt.early";
    return null;
  }

  /** Null, or why the signature is refused. */
  judgeSignature(jws: Jws): FaultCode | null {
    const algorithm = ALGORITHMS.get(jws.alg);
    if (algorithm === undefined) return "jwt.algorithm";
    if (!this.config.algorithms.some((one) => one === jws.alg)) return "jwt.algorithm";
    if (this.#keys === null) return "jwt.no_keys";
    let named = false;
    let tries = 0;
    for (const key of this.#keys) {
      // A key without a name may be any; one with another name is another.
      if (jws.kid !== null && key.kid !== null && key.kid !== jws.kid) continue;
      named = true;
      if (!key.fits(jws.alg, algorithm)) continue;
      if (key.signed(jws, algorithm)) return null;
      if (++tries >= JWT_LIMITS.keyTries) break;
    }
    if (tries > 0) return "jwt.signature";
    return named ? "jwt.algorithm" : "jwt.unknown_key";
  }

  /** The fields made of the claims, `[name, value, …]`. */
  outputs(claims: JsonObject, payloadText: string): string[] {
    const { claimHeaders, payloadHeader } = this.config;
    const lines: string[] = [];
    for (const { header, claim } of claimHeaders) {
      const value = fieldValue(claimAt(claims, claim));
      if (value !== null) lines.push(header, value);
    }
    if (payloadHeader !== "") lines.push(payloadHeader, payloadText);
    return lines;
  }
}

/** RFC 7519 2: seconds since the epoch, maybe with a fraction; far enough to be exact in milliseconds. */
function isDate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 8.64e12;
}

// deno-lint-ignore no-control-regex
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/;
const encoder = new TextEncoder();

/** Text, numbers and booleans as they are, in UTF-8; lists and maps as base64url of their JSON; else null. */
function fieldValue(claim: unknown): string | null {
  if (claim === undefined || claim === null) return null;
  const text = typeof claim === "object" ? base64Url(JSON.stringify(claim)) : String(claim);
  // A value that could end its line, or that would not arrive as it was sent, is left out.
  if (UNSAFE.test(text)) return null;
  const value = latin1Of(encoder.encode(text));
  return value.length > JWT_LIMITS.headerChars ? null : value;
}

function base64Url(text: string): string {
  return encoder.encode(text).toBase64({ alphabet: "base64url", omitPadding: true });
}
