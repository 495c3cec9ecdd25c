/** What one token, one key set and the memory of verified tokens may take. */

export const JWT_LIMITS = {
  /** Characters of a token; more is refused before it is looked at. */
  tokenChars: 16 * 1024,
  /** Nesting of a token's header and payload. */
  depth: 32,
  /** Keys of one set; a set with more is refused. */
  keys: 64,
  /** Signature checks one token may cost, where it names no key and several fit. */
  keyTries: 4,
  /** RSA moduli: shorter ones can be factored, longer ones are a way to burn our time. */
  rsaBitsLeast: 2048,
  rsaBitsMost: 8192,
  /** Verified tokens that are remembered, in number and in characters of tokens. */
  cachedTokens: 8192,
  cachedChars: 4 * 1024 * 1024,
  /**
   * Wrong signatures of one client may cost so much time at once (ms), and on average such a share of a core;
   * and how many clients are watched.
   */
  wrongBurstMs: 1000,
  wrongShare: 0.25,
  clients: 1024,
  /** Length of what a claim may become as a header. */
  headerChars: 8 * 1024,
} as const;
