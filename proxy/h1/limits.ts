/** The named limits of an HTTP/1.1 connection: everything here that could grow stops at one of these. */

export interface H1Limits {
  /** Bytes of a request or status line; longer request lines answer 414. */
  readonly startLineBytes: number;
  /** Bytes of a whole header section; larger ones answer 431 (requests) or become a 502 (responses). */
  readonly headBytes: number;
  /** Field lines of one head or trailer section. */
  readonly fields: number;
  /** Bytes of a method: the longest registered one has 17. */
  readonly methodBytes: number;
  /** Empty lines skipped before a request line (RFC 9112 2.2 asks for at least one). */
  readonly leadingEmptyLines: number;
  /** Bytes of the extensions of one chunk; they are dropped, so nobody needs long ones. */
  readonly chunkExtensionBytes: number;
  /** Bytes of all chunk extensions of one message. */
  readonly chunkExtensionTotalBytes: number;
  /** Bytes of a trailer section. */
  readonly trailerBytes: number;
  /** Bytes read ahead of a busy or paused exchange (pipelined requests, say) before reading stops. */
  readonly heldBytes: number;
  /** Bytes swallowed after a response that ended the connection, so that the client can read it. */
  readonly discardBytes: number;
  /** Interim (1xx) responses an upstream may send before its final one. */
  readonly interimResponses: number;
}

export const H1_LIMITS: H1Limits = {
  startLineBytes: 8 * 1024 + 64, // a target of 8 KiB, a method and a version
  headBytes: 64 * 1024,
  fields: 100,
  methodBytes: 32,
  leadingEmptyLines: 4,
  chunkExtensionBytes: 256,
  chunkExtensionTotalBytes: 8 * 1024,
  trailerBytes: 8 * 1024,
  heldBytes: 64 * 1024,
  discardBytes: 256 * 1024,
  interimResponses: 10,
};

/** The defaults with some of them replaced. */
export function withLimits(limits: Partial<H1Limits> | undefined): H1Limits {
  return limits === undefined ? H1_LIMITS : { ...H1_LIMITS, ...limits };
}
