/**
 * The mesh's certificate authority: roots and intermediates, SVIDs, join tokens, the issuance log.
 *
 * @module
 */
export { Authority, type AuthorityOptions, type IssuedSvid, type KeyedSvid } from "./authority.ts";
export {
  MemoryTokenStore,
  type TokenRecord,
  Tokens,
  type TokensOptions,
  type TokenStore,
} from "./tokens.ts";
export { CsrError } from "./csr.ts";
