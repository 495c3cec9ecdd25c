/**
 * Signature algorithms of RFC 7518 3 and RFC 8037 3.1 that prove who signed. `none` proves nothing, and with
 * HMAC whoever can verify can sign: neither is here, so neither can be asked for.
 */
import { constants } from "node:crypto";

export interface Algorithm {
  /** Key type and curve (RFC 7518 6.2.1.1, RFC 8037 2) a key has to have. */
  readonly kty: "RSA" | "EC" | "OKP";
  readonly crv: string;
  /** Null: the algorithm hashes by itself. */
  readonly hash: "sha256" | "sha384" | "sha512" | null;
  /** Bytes of a signature; 0: as many as the RSA modulus. */
  readonly bytes: number;
  /** For node:crypto. */
  readonly options: {
    readonly padding?: number;
    readonly saltLength?: number;
    readonly dsaEncoding?: "ieee-p1363";
  };
}

const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING } = constants;

const rs = (hash: "sha256" | "sha384" | "sha512"): Algorithm => ({
  kty: "RSA",
  crv: "",
  hash,
  bytes: 0,
  options: { padding: RSA_PKCS1_PADDING },
});
/** RFC 7518 3.5: the salt is as long as the hash. */
const ps = (hash: "sha256" | "sha384" | "sha512", saltLength: number): Algorithm => ({
  kty: "RSA",
  crv: "",
  hash,
  bytes: 0,
  options: { padding: RSA_PKCS1_PSS_PADDING, saltLength },
});
/** RFC 7518 3.4: R and S side by side, each of the curve's full length. */
const es = (hash: "sha256" | "sha384" | "sha512", crv: string, bytes: number): Algorithm => ({
  kty: "EC",
  crv,
  hash,
  bytes,
  options: { dsaEncoding: "ieee-p1363" },
});

const TABLE = {
  RS256: rs("sha256"),
  RS384: rs("sha384"),
  RS512: rs("sha512"),
  PS256: ps("sha256", 32),
  PS384: ps("sha384", 48),
  PS512: ps("sha512", 64),
  ES256: es("sha256", "P-256", 64),
  ES384: es("sha384", "P-384", 96),
  ES512: es("sha512", "P-521", 132),
  EdDSA: { kty: "OKP", crv: "Ed25519", hash: null, bytes: 64, options: {} },
} as const satisfies Record<string, Algorithm>;

export type AlgorithmName = keyof typeof TABLE;

export const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map(Object.entries(TABLE));

export const ALGORITHM_NAMES = Object.keys(TABLE) as readonly AlgorithmName[];
