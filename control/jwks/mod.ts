/**
 * Key sets of token issuers: where they may be fetched from, fetching them, and keeping them fresh.
 *
 * @module
 */
export { fetchJwks } from "./fetch.ts";
export { KeySets, type KeySetView } from "./key_sets.ts";
export { JWKS_LIMITS } from "./limits.ts";
export { JwksPlaces } from "./places.ts";
