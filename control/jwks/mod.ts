/**
 * Keys of token issuers: where they may be fetched from, fetching and reading them, keeping them fresh; for
 * proxies (`key_sets.ts`: users of the mesh's services) and for the control plane itself (`issuer_keys.ts`,
 * `verify.ts`: operators, pods).
 *
 * @module
 */
export { fetchJwks } from "./fetch.ts";
export { KeySets, type KeySetView } from "./key_sets.ts";
export { JWKS_LIMITS } from "./limits.ts";
export { JwksPlaces } from "./places.ts";
