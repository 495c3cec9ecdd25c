/** A key set as issuers publish it, read by the same rules whoever's tokens it is for. */
import { parseObject } from "../../filters/jwt/json.ts";
import { type KeySet, readKeySet } from "../../filters/jwt/keys.ts";

/** Throws the end of a sentence about whoever published it when there is no key that could be used. */
export function keySetOf(bytes: Uint8Array): KeySet {
  const set = readKeySet(parseObject(bytes));
  if (set === null) throw new Error("answered with something that is no JWK set");
  if (set.keys.length > 0) return set;
  const why = set.refused.length === 0 ? "" : `: ${set.refused.slice(0, 3).join("; ")}`;
  throw new Error(`answered with no key that can be used${why}`);
}
