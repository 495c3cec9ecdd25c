/**
 * The mesh's certificate authority: root and intermediate, SVIDs, join tokens, the issuance log.
 *
 * ```ts
 * const authority = await Authority.open(`${data}/ca`, { trustDomain: "mesh.local" });
 * const tokens = new Tokens(new MemoryTokenStore());
 * const token = await tokens.create("spiffe://mesh.local/ns/default/sa/web");
 * const identity = await tokens.redeem(token); // once
 * if (identity !== null) await authority.issue(identity, csrPem);
 * ```
 *
 * @module
 */
export {
  Authority,
  type AuthorityOptions,
  controlPlaneId,
  DEFAULT_LEAF_TTL_MS,
  type KeyedSvid,
  MAX_LEAF_TTL_MS,
} from "./authority.ts";
export { describeAuthority } from "./description.ts";
export { CsrError, type CsrErrorCode } from "./csr.ts";
export { AuthorityError } from "./files.ts";
export { importAuthority, type ImportRequest } from "./import.ts";
export {
  type IssuanceFindings,
  type LoggedIssuance,
  MAX_FOUND,
  plainSerial,
} from "./issuance_log.ts";
export { type VaultOptions, VaultSigner } from "./vault_signer.ts";
export type { LeafRequest, Signer } from "./signer.ts";
export { type Revocation, RevocationList, RevocationsFullError } from "./revocations.ts";
export type { IssuedSvid } from "./svid.ts";
export {
  MAX_TOKEN_TTL_MS,
  MemoryTokenStore,
  type TokenRecord,
  Tokens,
  type TokensOptions,
  type TokenStore,
} from "./tokens.ts";
