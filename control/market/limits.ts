/** Every limit of the marketplace. */
export const MARKET_LIMITS = {
  /** One upload; the proxies' own limit for a module is larger because metering adds to it. */
  moduleBytes: 16 * 1024 * 1024,
  manifestBytes: 64 * 1024,
  statementBytes: 4 * 1024,
  publishers: 1000,
  keysPerPublisher: 16,
  /** Versions of all filters together. */
  listings: 10_000,
  /** Uploads that wait while another is being admitted. */
  pending: 8,
  /** Wall time the measurement of one filter may take; it stops between exchanges. */
  measureMs: 400,
  exchanges: 200,
  /** After this long as many exchanges are enough: medians move no more. */
  enoughMs: 30,
  enoughExchanges: 32,
  /** For so long at a time it keeps the control plane from everything else, and one exchange longer. */
  busyMs: 5,
} as const;
