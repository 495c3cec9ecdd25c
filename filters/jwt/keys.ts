/** Public keys as issuers publish them (RFC 7517), and the one place where a signature is checked. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Algorithm, ALGORITHMS } from "./algorithms.ts";
import { decodeBase64Url } from "./base64url.ts";
import type { Jws } from "./jws.ts";
import { JWT_LIMITS } from "./limits.ts";
import { isRocaWeak } from "./roca.ts";

/** The members of a JWK that we keep; what else it says is dropped. Never a private one. */
export interface PublicJwk {
  readonly kty: "RSA" | "EC" | "OKP";
  readonly kid?: string;
  readonly alg?: string;
  readonly crv?: string;
  readonly n?: string;
  readonly e?: string;
  readonly x?: string;
  readonly y?: string;
}

/** What may be used of a set, and why the rest may not. */
export interface KeySet {
  readonly keys: readonly PublicJwk[];
  /** One sentence part per refused key: `keys[1] is a private key`. */
  readonly refused: readonly string[];
  /** Of those: keys nobody but their owner should have. */
  readonly secrets: number;
}

export class VerificationKey {
  readonly kid: string | null;
  readonly #alg: string | null;
  readonly #kty: string;
  readonly #crv: string;
  readonly #modulusBytes: number;
  readonly #inputs = new Map<Algorithm, object>();
  readonly #key: KeyObject;

  /** Throws when it is no key of its kind: a point off the curve, say. */
  constructor(jwk: PublicJwk) {
    this.kid = jwk.kid ?? null;
    this.#alg = jwk.alg ?? null;
    this.#kty = jwk.kty;
    this.#crv = jwk.crv ?? "";
    this.#modulusBytes = jwk.n === undefined ? 0 : decodeBase64Url(jwk.n)!.length;
    this.#key = createPublicKey({ key: { ...jwk }, format: "jwk" });
  }

  /** Whether a token of `alg` can be this key's: the key decides, not the token. */
  fits(alg: string, algorithm: Algorithm): boolean {
    return (this.#alg === null || this.#alg === alg) &&
      algorithm.kty === this.#kty && algorithm.crv === this.#crv;
  }

  /** Synchronous; a signature of a wrong form is a wrong signature. */
  signed({ signed, signature }: Jws, algorithm: Algorithm): boolean {
    const wanted = algorithm.bytes === 0 ? this.#modulusBytes : algorithm.bytes;
    if (signature.length !== wanted) return false;
    let input = this.#inputs.get(algorithm);
    if (input === undefined) {
      input = { key: this.#key, ...algorithm.options };
      this.#inputs.set(algorithm, input);
    }
    try {
      return verify(algorithm.hash, signed, input as { key: KeyObject }, signature);
    } catch {
      return false; // never the data path's problem
    }
  }
}

/** Reads a JWK set; null when it is none (RFC 7517 5), or holds too many keys. Keys that may not be used are named. */
export function readKeySet(value: unknown): KeySet | null {
  if (!isObject(value) || !Array.isArray(value.keys)) return null;
  if (value.keys.length > JWT_LIMITS.keys) return null;
  const keys: PublicJwk[] = [];
  const refused: string[] = [];
  let secrets = 0;
  value.keys.forEach((one: unknown, at: number) => {
    const key = readKey(one);
    if (typeof key !== "string") return void keys.push(key);
    refused.push(`keys[${at}] ${key}`);
    if (isObject(one) && (one.d !== undefined || one.k !== undefined)) secrets++;
  });
  return { keys, refused, secrets };
}

/** A key signatures can be verified with, or why it is none: the end of a sentence about it. */
export function readKey(value: unknown): PublicJwk | string {
  if (!isObject(value)) return "is not a JSON object";
  const { kty, kid, use, key_ops: ops } = value;
  // RFC 9864's name for what type and curve say already; tokens of such keys name EdDSA as well.
  const alg = value.alg === "Ed25519" && value.crv === "Ed25519" ? undefined : value.alg;
  if (kty === "oct" || value.k !== undefined) {
    return "is a shared secret (kty oct): whoever can verify with it can sign";
  }
  if (value.d !== undefined) return "is a private key";
  if (kty !== "RSA" && kty !== "EC" && kty !== "OKP") return `has kty ${show(kty)}`;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > 1024)) return "has a bad kid";
  if (use !== undefined && use !== "sig") return `is for use ${show(use)}, not sig`;
  if (ops !== undefined && !(Array.isArray(ops) && ops.includes("verify"))) {
    return "has key_ops without verify";
  }
  const members = kty === "RSA" ? rsa(value) : curve(kty, value);
  if (typeof members === "string") return members;
  if (alg !== undefined && !fitting(alg, kty, members.crv ?? "")) {
    return `has alg ${show(alg)}, which such a key cannot be for`;
  }
  const jwk: PublicJwk = {
    kty,
    ...(typeof kid === "string" ? { kid } : {}),
    ...(typeof alg === "string" ? { alg } : {}),
    ...members,
  };
  try {
    new VerificationKey(jwk);
    return jwk;
  } catch {
    return "is no valid key of its type";
  }
}

function fitting(alg: unknown, kty: string, crv: string): boolean {
  const algorithm = typeof alg === "string" ? ALGORITHMS.get(alg) : undefined;
  return algorithm !== undefined && algorithm.kty === kty && algorithm.crv === crv;
}

function rsa({ n, e }: Record<string, unknown>): Pick<PublicJwk, "n" | "e" | "crv"> | string {
  const modulus = typeof n === "string" ? decodeBase64Url(n) : null;
  const exponent = typeof e === "string" ? decodeBase64Url(e) : null;
  if (modulus === null || exponent === null || modulus.length === 0) return "has a bad n or e";
  const bits = modulus.length * 8 - Math.clz32(modulus[0]!) + 24;
  const { rsaBitsLeast, rsaBitsMost } = JWT_LIMITS;
  if (modulus[0] === 0) return "has a modulus with leading zeros";
  if (bits < rsaBitsLeast || bits > rsaBitsMost) {
    return `has ${bits} bits, wanted ${rsaBitsLeast} to ${rsaBitsMost}`;
  }
  // With 1 every message is its own signature; long ones only cost time.
  const odd = exponent.length > 0 && (exponent[exponent.length - 1]! & 1) === 1;
  if (
    !odd || exponent.length > 4 || exponent[0] === 0 || (exponent.length === 1 && exponent[0]! < 3)
  ) {
    return "has a bad public exponent";
  }
  if (isRocaWeak(modulus)) return "was made by a generator with a known weakness (CVE-2017-15361)";
  return { n: n as string, e: e as string };
}

const COORDINATE_BYTES: Readonly<Record<string, number>> = {
  "P-256": 32,
  "P-384": 48,
  "P-521": 66,
};

function curve(
  kty: "EC" | "OKP",
  { crv, x, y }: Record<string, unknown>,
): Pick<PublicJwk, "crv" | "x" | "y"> | string {
  const bytes = kty === "OKP"
    ? (crv === "Ed25519" ? 32 : undefined)
    : typeof crv === "string" && Object.hasOwn(COORDINATE_BYTES, crv)
    ? COORDINATE_BYTES[crv]
    : undefined;
  if (bytes === undefined) return `has crv ${show(crv)}`;
  const exact = (text: unknown): text is string =>
    typeof text === "string" && decodeBase64Url(text)?.length === bytes;
  if (!exact(x)) return "has a bad x";
  if (kty === "OKP") return { crv: crv as string, x };
  return exact(y) ? { crv: crv as string, x, y } : "has a bad y";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value)?.slice(0, 40) ?? "unknown";
}
