/** Names what proxies are told to believe, so that one can tell who has acknowledged it. */
import type { TrustSpec } from "../schema/snapshot.ts";
import { contentHash } from "../snapshot/mod.ts";

/** All snapshots that are built together share one of these. */
const hashes = new WeakMap<TrustSpec, string>();

/** Hex SHA-256 of bundle and revocations. */
export function trustHash(trust: TrustSpec): string {
  let hash = hashes.get(trust);
  if (hash === undefined) hashes.set(trust, hash = contentHash(trust));
  return hash;
}
