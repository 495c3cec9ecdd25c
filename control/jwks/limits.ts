/** What fetching key sets may cost, and how often it is done. */

export const JWKS_LIMITS = {
  /** Bytes of a key set; those of large issuers have 20 KiB. */
  bytes: 256 * 1024,
  /** From asking for an address to the last byte. */
  timeoutMs: 10_000,
  /** Addresses of one host that are tried. */
  addresses: 4,
  /** Key sets of one mesh; more are not fetched. */
  sets: 256,
  /** Fetches under way at once. */
  parallel: 8,
  /** A set that was fetched is fetched again after so long, and up to a tenth more (jitter). */
  refreshMs: 300_000,
  /** One that was not: after so long, twice as long each time, at most that. */
  retryMs: 2_000,
  retryMaxMs: 60_000,
  /** Tokens with keys nobody knows have a set fetched at most so often: anybody can make such tokens. */
  unknownKeyMs: 10_000,
  /** A new rule's first fetch may hold back a snapshot so long, so that it comes into force with its keys. */
  firstMs: 2_000,
} as const;
