/** Verifies a JWT of one issuer: signature, algorithm, issuer, audience, times. */
import { errors, type JWTPayload, jwtVerify } from "jose";
import { type IssuerKeys, KeysUnavailable } from "./issuer_keys.ts";

export const JWT_LIMITS = {
  /** Longer ones are not looked at. */
  chars: 16 * 1024,
  /** How far the issuer's clock may be from ours. */
  skewSeconds: 30,
} as const;

/** Asymmetric ones only: a symmetric key would be known to whoever can verify, and "none" is nobody's. */
export const JWT_ALGORITHMS: readonly string[] = [
  ...["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
  ...["ES256", "ES384", "ES512", "EdDSA", "Ed25519"],
];

export interface Expected {
  readonly issuer: string;
  /** One of these must be among the token's audiences. */
  readonly audience: readonly string[];
  readonly keys: Pick<IssuerKeys, "get">;
  readonly nowMs: number;
}

export type Verified =
  | {
    readonly ok: true;
    readonly claims: JWTPayload & { readonly exp: number; readonly sub: string };
  }
  | {
    readonly ok: false;
    /** `unavailable`: the keys cannot be had now; the token may be good. */
    readonly code: "bad" | "expired" | "unavailable";
    /** Says what is wrong without a word of the token. */
    readonly reason: string;
  };

export async function verifyJwt(token: string, expected: Expected): Promise<Verified> {
  const { issuer, audience, keys, nowMs } = expected;
  if (token.length > JWT_LIMITS.chars) {
    return bad(`it is longer than ${JWT_LIMITS.chars} characters`);
  }
  try {
    const { payload } = await jwtVerify(token, keys.get, {
      issuer,
      audience: [...audience],
      algorithms: [...JWT_ALGORITHMS],
      clockTolerance: JWT_LIMITS.skewSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ["exp", "sub"],
    });
    const { exp, sub } = payload;
    if (exp === undefined || sub === undefined || sub === "") {
      return bad("it has no subject or end");
    }
    return { ok: true, claims: { ...payload, exp, sub } };
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): Verified {
  if (error instanceof KeysUnavailable) {
    return { ok: false, code: "unavailable", reason: error.message };
  }
  if (error instanceof errors.JWTExpired) {
    return { ok: false, code: "expired", reason: "it has expired" };
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    return bad(`its claim "${error.claim}" is ${error.reason === "missing" ? "missing" : "wrong"}`);
  }
  if (error instanceof errors.JWKSNoMatchingKey) {
    return bad("no key of the issuer is the one it names");
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return bad("it names no key and the issuer has several");
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return bad("its signature is wrong");
  if (error instanceof errors.JOSEAlgNotAllowed) return bad("its algorithm is not allowed");
  if (error instanceof errors.JOSEError) return bad("it is no signed JWT that can be used");
  throw error;
}

function bad(reason: string): Verified {
  return { ok: false, code: "bad", reason };
}
