/** For tests only: issuers whose keys are made on the spot, and tokens right and wrong in one way. */
import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type AlgorithmName, ALGORITHMS } from "./algorithms.ts";
import type { JwtConfig, JwtRuleConfig } from "./config.ts";
import type { PublicJwk } from "./keys.ts";

export const ISSUER = "https://issuer.example";
export const AUDIENCE = "shop";

export class TestKey {
  readonly alg: AlgorithmName;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: PublicJwk;

  constructor(alg: AlgorithmName, kid: string | null = "key-1") {
    const { kty, crv } = ALGORITHMS.get(alg)!;
    const pair = kty === "RSA"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : kty === "EC"
      ? generateKeyPairSync("ec", { namedCurve: crv })
      : generateKeyPairSync("ed25519");
    this.alg = alg;
    this.privateKey = pair.privateKey;
    this.publicKey = pair.publicKey;
    const { n, e, x, y } = pair.publicKey.export({ format: "jwk" });
    const members = kty === "RSA" ? { n, e } : kty === "EC" ? { crv, x, y } : { crv, x };
    this.jwk = { kty, alg, ...(kid === null ? {} : { kid }), ...members } as PublicJwk;
  }

  /** A signed token; `header` overrides members, undefined leaves one out. */
  token(claims: unknown, header: Record<string, unknown> = {}): string {
    const { kid } = this.jwk;
    return this.signed(
      JSON.stringify({ alg: this.alg, kid, ...header }),
      typeof claims === "string" ? claims : JSON.stringify(claims),
    );
  }

  /** The same from texts, whatever they are. */
  signed(header: string, payload: string): string {
    const input = `${base64(header)}.${base64(payload)}`;
    const { hash, options } = ALGORITHMS.get(this.alg)!;
    const signature = sign(hash, Buffer.from(input), { key: this.privateKey, ...options });
    return `${input}.${signature.toString("base64url")}`;
  }
}

export function base64(text: string): string {
  return Buffer.from(text).toString("base64url");
}

/** Claims that are right at `nowMs` for ten minutes. */
export function goodClaims(nowMs: number, over: Record<string, unknown> = {}) {
  const now = Math.floor(nowMs / 1000);
  return { iss: ISSUER, sub: "ann", aud: AUDIENCE, iat: now, exp: now + 600, ...over };
}

export function rule(over: Partial<JwtRuleConfig> = {}): JwtRuleConfig {
  return {
    issuer: ISSUER,
    audiences: [AUDIENCE],
    algorithms: [...ALGORITHMS.keys()] as AlgorithmName[],
    source: "",
    keys: [],
    clockSkewMs: 60_000,
    fromHeaders: [],
    fromParams: [],
    fromCookies: [],
    claimHeaders: [],
    payloadHeader: "",
    forward: false,
    ...over,
  };
}

export function config(rules: readonly JwtRuleConfig[], required = false): JwtConfig {
  return { policies: [{ name: "default/users", required, rules }] };
}
