/** The compact serialization of a JWS (RFC 7515 7.1): three parts, each read strictly or not at all. */
import { Buffer } from "node:buffer";
import { decodeBase64Url } from "./base64url.ts";
import { parseObject } from "./json.ts";

export interface Jws {
  readonly alg: string;
  /** Null: the header names no key. */
  readonly kid: string | null;
  readonly payload: Buffer;
  /** The payload as it was sent. */
  readonly payloadText: string;
  /** What is signed. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/**
 * Reads without judging: nothing is verified yet. `jku`, `jwk`, `x5u` and `x5c`, by which a token would bring
 * its own key, are never looked at. Null: not a JWS we are sure to read as everybody else does.
 */
export function parseJws(token: string): Jws | null {
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  if (first <= 0 || second < 0 || token.indexOf(".", second + 1) >= 0) return null;
  const header = decodeBase64Url(token.slice(0, first));
  const payloadText = token.slice(first + 1, second);
  const payload = decodeBase64Url(payloadText);
  const signature = decodeBase64Url(token.slice(second + 1));
  if (header === null || payload === null || signature === null) return null;
  const members = parseObject(header);
  if (members === null) return null;
  const { alg, kid, crit, b64 } = members;
  if (typeof alg !== "string" || (kid !== undefined && typeof kid !== "string")) return null;
  // RFC 7515 4.1.11: who does not understand what is critical refuses. We know no extension.
  if (crit !== undefined) return null;
  // RFC 7797 6: without "crit" it must not be there; others might read the payload as not encoded.
  if (b64 !== undefined) return null;
  return {
    alg,
    kid: kid ?? null,
    payload,
    payloadText,
    signed: Buffer.from(token.slice(0, second), "latin1"),
    signature,
  };
}
